import json
from dataclasses import replace

import numpy as np
import pytest

from loan_approval.data.splits import assign_splits, identify_rows
from loan_approval.errors import DataError, FactoryError
from loan_approval.evaluation.metrics import fast_auc
from loan_approval.training import cross_validation
from loan_approval.training.cross_validation import CrossValidation, cross_validate, describe, learning_curve
from loan_approval.training.fit import Recipe, score

LOGISTIC = Recipe("logistic_regression", "median_imputer_with_scaler", seed=7)
BOOSTING = Recipe("hist_gradient_boosting", "median_imputer", seed=7, parameters={"max_iter": 5})


@pytest.fixture(scope="module")
def validated(loans):
    return cross_validate(LOGISTIC, loans, repeats=2, folds=3)


def made(scores, rows=200, folds=4, seed=0):
    """Return a cross-validation of coin labels, each repeat scored by `scores(y, rng)`."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(rows) % 2)
    fold = np.array([rng.permutation(np.arange(rows) % folds) for _ in range(3)])
    return CrossValidation(y, np.array([scores(y, rng) for _ in range(3)]), fold, np.arange(rows))


def test_each_train_row_is_scored_once_a_repeat_by_a_model_that_never_saw_it(loans, validated):
    X, y = loans.rows("train")
    np.testing.assert_array_equal(validated.y, y)
    for p, fold in zip(validated.p, validated.fold, strict=True):
        assert np.bincount(fold).tolist() == pytest.approx([len(y) / 3] * 3, abs=2)
        for number in range(3):
            held_out = fold == number
            pipeline = LOGISTIC.make_pipeline(loans.contract).fit(X[~held_out], y[~held_out])
            np.testing.assert_allclose(p[held_out], score(pipeline, X[held_out]), rtol=1e-9)


def test_repeats_are_of_different_folds_and_labels_are_spread_evenly(loans, validated):
    assert np.any(validated.fold[0] != validated.fold[1])
    shares = [validated.y[fold == k].mean() for fold in validated.fold for k in range(3)]
    assert shares == pytest.approx([validated.y.mean()] * 6, abs=0.01)


@pytest.mark.parametrize("recipe", [LOGISTIC, BOOSTING], ids=lambda recipe: recipe.model_name)
def test_the_same_seed_gives_the_same_scores_in_one_process_and_in_several(loans, recipe, monkeypatch):
    alone = cross_validate(recipe, loans, repeats=1, folds=3)
    monkeypatch.setattr(cross_validation, "ROWS_WORTH_PROCESSES", 1)
    np.testing.assert_array_equal(cross_validate(recipe, loans, repeats=1, folds=3).p, alone.p)
    other = cross_validate(replace(recipe, seed=8), loans, repeats=1, folds=3)
    assert np.any(other.fold != alone.fold)


def test_progress_is_shown(loans, capsys):
    cross_validate(LOGISTIC, loans, repeats=1, folds=2)
    assert "cross-validation: 100%" in capsys.readouterr().err


def test_the_auc_is_the_mean_of_the_held_out_folds(validated):
    first = validated.fold[0] == 0
    assert validated.fold_aucs().shape == (2, 3)
    assert validated.fold_aucs()[0, 0] == fast_auc(validated.y[first], validated.p[0][first])
    assert validated.auc().value == pytest.approx(validated.fold_aucs().mean())


def test_models_whose_scores_are_on_different_scales_are_not_mixed():
    good = made(lambda y, rng: y + rng.normal(size=len(y)))
    shifted = replace(good, p=good.p + 100 * good.fold)
    assert shifted.auc().value == pytest.approx(good.auc().value)
    assert shifted.p_value(1) == good.p_value(1)


def test_the_interval_is_the_corrected_one():
    found = made(lambda y, rng: y + rng.normal(size=len(y)))
    aucs = found.fold_aucs()
    error = np.sqrt((1 / 12 + 1 / 3) * np.var(aucs, ddof=1))  # 3 repeats of 4 folds
    assert found.auc().high - found.auc().value == pytest.approx(2.200985 * error, rel=1e-5)  # t of 11, 97.5 %


def test_the_interval_stays_within_zero_and_one():
    perfect = made(lambda y, rng: y + 0.01 * rng.random(len(y)))
    assert (perfect.auc().low, perfect.auc().high) == (1, 1)
    nearly = made(lambda y, rng: y + 0.45 * rng.normal(size=len(y)), rows=40)
    assert nearly.auc().high == 1


def test_the_p_value_is_small_where_there_is_signal_and_one_where_all_score_alike():
    assert made(lambda y, rng: y + rng.normal(size=len(y))).p_value(1, permutations=200) == pytest.approx(1 / 201)
    assert made(lambda y, rng: np.ones(len(y))).p_value(1, permutations=200) == 1


def test_the_p_value_is_uniform_for_scores_that_know_nothing():
    p_values = [made(lambda y, rng: rng.random(len(y)), 60, seed=seed).p_value(seed, 99) for seed in range(100)]
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.1)
    assert np.mean(np.array(p_values) <= 0.2) == pytest.approx(0.2, abs=0.12)


def test_more_repeats_of_the_same_scores_do_not_lower_the_p_value():
    p = np.random.default_rng(4).random(200)
    three = made(lambda y, rng: p + 0.1 * y)
    one = replace(three, p=three.p[:1], fold=three.fold[:1])
    many = replace(three, p=np.repeat(three.p[:1], 9, axis=0), fold=np.repeat(three.fold[:1], 9, axis=0))
    assert 0.001 < one.p_value(1) < 0.2
    assert many.p_value(1) == one.p_value(1)


def test_the_curve_grows_with_the_rows_and_ends_in_the_whole(loans, validated):
    curve = learning_curve(LOGISTIC, loans, validated, shares=(0.05, 0.3))
    learnt = len(validated.y) * 2 / 3
    assert [point.rows for point in curve] == pytest.approx([0.05 * learnt, 0.3 * learnt, learnt], abs=1)
    assert curve[0].auc < curve[-1].auc == pytest.approx(validated.auc().value)
    assert all(point.spread > 0 for point in curve)


def test_a_share_with_too_few_rows_of_a_label_is_left_out(loans, validated):
    fewest = min(np.bincount(validated.y)) * 2 / 3
    shares = (9 / fewest, 12 / fewest)
    assert len(learning_curve(LOGISTIC, loans, validated, shares)) == 2


def test_the_description_is_a_json_document(loans, validated):
    document = describe(validated, learning_curve(LOGISTIC, loans, validated, shares=(0.3,)), seed=7)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert (document["repeats"], document["folds"], document["rows"]) == (2, 3, len(validated.y))
    assert set(document["learning_curve"][0]) == {"rows", "auc", "spread"}


@pytest.mark.parametrize("split", ["train", "calibrate", "test"])
@pytest.mark.parametrize("code", [0, 1])
def test_a_split_needs_rows_of_either_label(loans, split, code):
    y = np.where(loans.splits == split, 1 - code, loans.y)
    with pytest.raises(DataError, match=f"0 distinct rows of split {split} are"):
        cross_validate(LOGISTIC, replace(loans, y=y))


def test_as_few_rows_of_a_label_as_allowed_are_enough(loans):
    y = np.zeros_like(loans.y)
    for split in ("train", "calibrate", "test"):
        y[np.flatnonzero(loans.splits == split)[:10]] = 1
    rare = cross_validate(LOGISTIC, replace(loans, y=y))
    assert np.all(np.isfinite(rare.fold_aucs()))
    assert 0 <= rare.auc().low <= rare.auc().high <= 1
    assert len(learning_curve(LOGISTIC, replace(loans, y=y), rare)) == 1


def test_an_unusable_recipe_is_refused(loans):
    with pytest.raises(FactoryError):
        cross_validate(replace(LOGISTIC, model_name="none"), loans)


@pytest.mark.parametrize("split", ["calibrate", "test"])
def test_labels_of_calibrate_and_test_rows_change_nothing(loans, split):
    changed = replace(loans, y=np.where(loans.splits == split, 1 - loans.y, loans.y))
    scores = [cross_validate(LOGISTIC, each, repeats=1, folds=3).p for each in (loans, changed)]
    np.testing.assert_array_equal(*scores)


def test_the_rows_of_a_group_share_their_folds(loans):
    keys = np.array([f"c{row // 5}" for row in range(len(loans.y))], dtype=object)
    contract = replace(loans.contract, split_by="customer")
    splits = assign_splits(identify_rows(loans.X, "customer", keys), contract.split_salt)
    found = cross_validate(LOGISTIC, replace(loans, contract=contract, keys=keys, splits=splits), repeats=1, folds=3)
    of_train = keys[splits == "train"]
    assert all(len(set(found.fold[0][of_train == key])) == 1 for key in set(of_train))

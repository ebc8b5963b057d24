"""How the exported default model behaves on simulated applications, through the server's own scorer."""

import numpy as np
import pytest

from loan_approval.data.datasets import read_dataset
from loan_approval.data.simulate import write_simulation
from loan_approval.training.factories.hist_gradient_boosting import HistGradientBoosting
from loan_approval.training.fit import Recipe
from serve.contract.contract import Contract
from serve.errors import ApplicationError
from serve.model.scorer import Scorer
from tests.model_files import LOANS

DIRECTED = [feature["name"] for feature in LOANS["feature"] if feature.get("direction")]
GOOD = {
    **{"Age": 50, "Annual_Income": 150_000, "Credit_Score": 800, "Loan_Amount": 5_000, "Loan_Duration_Years": 5},
    **{"Number_of_Open_Accounts": 5, "Had_Past_Default": 0},
}
BAD = {
    **{"Age": 25, "Annual_Income": 15_000, "Credit_Score": 420, "Loan_Amount": 90_000, "Loan_Duration_Years": 10},
    **{"Number_of_Open_Accounts": 14, "Had_Past_Default": 1},
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, loans_contract):
    path = tmp_path_factory.mktemp("behaviour") / "dataset.csv"
    write_simulation(path, rows=6000, seed=2)
    return read_dataset(path, loans_contract, "loans")


@pytest.fixture(scope="module")
def scorer(dataset, export_fitted) -> Scorer:
    return Scorer(export_fitted(Recipe("hist_gradient_boosting", "median_imputer_with_scaler", seed=7), dataset).data)


def test_an_obviously_good_application_is_approved(scorer):
    answer = scorer.answer(GOOD)
    assert (answer.label, answer.code) == ("Approved", 1)
    assert answer.probability > 0.9


def test_an_obviously_bad_application_is_denied(scorer):
    answer = scorer.answer(BAD)
    assert (answer.label, answer.code) == ("Não Aprovado", 0)
    assert answer.probability < 0.1


@pytest.mark.parametrize("name", DIRECTED)
def test_a_feature_with_a_direction_never_moves_the_score_against_it(scorer, dataset, name):
    column = [feature.name for feature in scorer.contract.scored].index(name)
    feature = scorer.contract.scored[column]
    seen = np.unique(dataset.X[:, column])
    values = np.unique([feature.min, *seen[~np.isnan(seen)][:: max(1, len(seen) // 300)], feature.max])
    sweep = np.repeat(dataset.X[:50], len(values), axis=0)
    sweep[:, column] = np.tile(values, 50)
    p = scorer.score(sweep).reshape(50, len(values))
    assert np.all(feature.direction * np.diff(p, axis=1) >= 0)
    assert np.ptp(p) > 0.01


def test_the_ranking_is_near_the_best_reachable(scorer, dataset):
    X, y = dataset.rows("test")
    p = scorer.score(X)
    wins = (p[y == 1][:, None] > p[y == 0]).mean()
    assert 0.83 < wins < 0.91


@pytest.mark.parametrize("application", [GOOD, BAD])
def test_the_order_of_the_fields_does_not_matter(scorer, application):
    assert scorer.answer(dict(reversed(application.items()))) == scorer.answer(application)


def test_a_whole_number_may_be_written_with_a_fraction_of_zero(scorer):
    assert scorer.answer({name: float(value) for name, value in GOOD.items()}) == scorer.answer(GOOD)


def test_absent_is_null(scorer):
    without_income = {name: value for name, value in GOOD.items() if name != "Annual_Income"}
    assert scorer.answer(without_income) == scorer.answer(GOOD | {"Annual_Income": None})


def test_an_application_is_decided_alike_alone_and_among_others(scorer, dataset):
    together = scorer.score(dataset.X[:200])
    alone = np.concatenate([scorer.score(row[None]) for row in dataset.X[:200]])
    np.testing.assert_array_equal(scorer.decide(together), scorer.decide(alone))
    np.testing.assert_allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize("region", ["north", "south", None])
def test_a_monitored_field_does_not_matter(make_model, homes_contract: Contract, region):
    scorer = Scorer(make_model("homes", "hist_gradient_boosting").data)
    example = homes_contract.example()
    assert scorer.answer(example | {"region": region}) == scorer.answer(example)


def test_an_unknown_field_is_refused_rather_than_ignored(scorer):
    with pytest.raises(ApplicationError):
        scorer.answer(GOOD | {"Favourite_Colour": "blue"})


def test_aligned_thresholds_are_float32_and_stop_the_same_values():
    step = np.repeat(np.arange(8), 50)
    X = (1 + step * np.finfo(np.float32).eps).reshape(-1, 1)  # neighbours in float32: thresholds lie between them
    estimator = HistGradientBoosting().make([0], 7, {"max_iter": 5}).fit(X, step % 2)
    before = [tree.nodes["num_threshold"].copy() for (tree,) in estimator._predictors]
    p = estimator.predict_proba(X)
    HistGradientBoosting().align_with_graph(estimator)
    after = [tree.nodes["num_threshold"] for (tree,) in estimator._predictors]
    assert any(np.any(aligned != exact) for aligned, exact in zip(after, before, strict=True))
    np.testing.assert_array_equal(estimator.predict_proba(X), p)
    for aligned in after:
        np.testing.assert_array_equal(aligned, aligned.astype(np.float32))

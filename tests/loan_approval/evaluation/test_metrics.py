from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from loan_approval.evaluation import metrics
from loan_approval.evaluation.metrics import (
    MISSING_BAND,
    comparable,
    evaluate,
    fast_auc,
    metric_intervals,
    name_measures,
    quantile_bands,
    slice_errors,
    worst_decisions,
)
from serve.contract.feature import Feature
from tests.benchmarks.metrics import METRICS, cover_copied_brier, cover_metrics

NUMBER = Feature("x", "number")
DAY = {"name": "day", "type": "date", "range": ["2020-01-01", "2020-12-31"]}
CONTRACT = SimpleNamespace(features=[Feature(name, "number") for name in ("income", "home", "default")])
LABELS = np.array([0, 0, 1, 1, 1, 0])


def drawn(rows=200, signal=1.0, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, rows)
    return y, 1 / (1 + np.exp(-(signal * y + rng.normal(size=rows))))


@pytest.mark.parametrize("digits", [1, 2, 9])
def test_fast_auc_is_scikit_learns_with_ties_too(digits):
    y, p = drawn()
    p = np.round(p, digits)
    assert fast_auc(y, p) == pytest.approx(roc_auc_score(y, p), abs=1e-12)


@pytest.mark.parametrize("y", [[0, 0], [1, 1]])
def test_the_auc_of_a_single_class_is_not_a_number(y):
    assert np.isnan(fast_auc(np.array(y), np.array([0.1, 0.2])))


def test_metrics_are_of_the_given_decisions():
    p, decided = np.array([0.1, 0.6, 0.7, 0.9, 0.4, 0.2]), np.array([0, 1, 1, 1, 0, 0])
    metrics = evaluate(LABELS, p, decided)
    assert metrics["accuracy"] == pytest.approx(4 / 6)
    assert metrics["f1"] == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert metrics["approval_rate"] == pytest.approx(0.5)
    assert metrics["roc_auc"] == pytest.approx(8 / 9)
    assert metrics["brier"] == pytest.approx(np.mean((p - LABELS) ** 2))
    assert set(map(type, metrics.values())) == {float}


def sliced(rows=300):
    y, p = drawn(rows)
    rng = np.random.default_rng(1)
    income = rng.lognormal(10, 1, rows)
    income[:20] = np.nan
    home = rng.choice(np.array(["own", "rent", None], dtype=object), rows)
    frame = pd.DataFrame({"income": income, "home": pd.Series(home, dtype=object), "default": rng.integers(0, 2, rows)})
    decided = (p >= 0.6).astype(int)
    return frame, y, p, decided


@pytest.mark.parametrize("feature", ["income", "home", "default"])
def test_the_bands_of_a_feature_hold_each_row_once(feature):
    frame, y, p, decided = sliced()
    bands = slice_errors(CONTRACT, frame, y, p, decided).query("feature == @feature")
    assert bands["rows"].sum() == len(y)
    assert bands["false_approvals"].sum() == np.sum((decided == 1) & (y == 0))
    assert bands["false_denials"].sum() == np.sum((decided == 0) & (y == 1))
    assert (bands["rows"] * bands["error_rate"]).sum() == pytest.approx(np.sum(decided != y))


@pytest.mark.parametrize(("feature", "rows"), [("income", 20), ("home", None)])
def test_missing_is_a_band_of_its_own(feature, rows):
    frame, *rest = sliced()
    bands = slice_errors(CONTRACT, frame, *rest).query("feature == @feature").set_index("band")
    assert bands.loc["(missing)", "rows"] == (rows or frame[feature].isna().sum())


def test_numbers_are_cut_at_their_quantiles_and_few_values_are_bands():
    bands = slice_errors(CONTRACT, *sliced()).groupby("feature")["band"].apply(set)
    assert len(bands["income"]) == 6
    assert bands["home"] == {"own", "rent", "(missing)"}
    assert bands["default"] == {"0", "1"}


def test_the_worst_slice_comes_first():
    assert slice_errors(CONTRACT, *sliced())["error_rate"].is_monotonic_decreasing


def test_a_slices_log_loss_is_of_its_rows():
    frame, y, p = pd.DataFrame({"x": [1.0, 1.0, 2.0]}), np.array([1, 0, 1]), np.array([0.5, 0.25, 0.1])
    contract = SimpleNamespace(features=[NUMBER])
    table = slice_errors(contract, frame, y, p, np.array([1, 0, 0])).set_index("band")
    assert table.loc["1", "log_loss"] == pytest.approx(-(np.log(0.5) + np.log(0.75)) / 2)
    assert table.loc["2", "log_loss"] == pytest.approx(-np.log(0.1))


@pytest.mark.parametrize(("wrong", "rows"), [(1, [4, 1]), (0, [2, 5])])
def test_the_most_confident_wrong_decisions_come_first(wrong, rows):
    y = np.array([1, 0, 1, 0, 0, 1])
    p = np.array([0.9, 0.7, 0.1, 0.2, 0.8, 0.3])
    decided = (p >= 0.5).astype(int)
    assert worst_decisions(y, p, decided, wrong).tolist() == rows
    assert worst_decisions(y, p, decided, wrong, most=1).tolist() == rows[:1]


def test_every_metric_has_an_interval_about_its_value() -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 400)
    p = np.clip(0.3 + 0.4 * y + rng.normal(0, 0.2, 400), 0.01, 0.99)
    decided = (p >= 0.5).astype(int)
    found = metric_intervals(y, p, decided)
    assert {name: each["value"] for name, each in found.items()} == evaluate(y, p, decided)
    assert all(each["low"] < each["value"] < each["high"] for each in found.values())


@pytest.mark.parametrize("digits", [1, 9])
def test_a_row_moves_the_average_precision_as_much_as_more_weight_on_it_does(digits):
    y, p = drawn(100)
    p = np.round(p, digits)  # ties among the scores
    value = average_precision_score(y, p)
    heavier = [average_precision_score(y, p, sample_weight=1 + 1e-6 * row) - value for row in np.eye(100)]
    assert metrics._moves_of_precision(y, p, value) == pytest.approx(1e8 * np.array(heavier), abs=1e-4)


def test_a_probability_of_0_for_what_happened_costs_a_finite_log_loss():
    assert evaluate(np.array([0, 1]), np.array([0.0, 0.0]), np.array([0, 0]))["log_loss"] == pytest.approx(
        17.27, abs=0.01
    )


def test_the_intervals_of_60_rows_cover_the_metrics_of_the_population():
    covered = [cover_metrics(60, 0.0, number) for number in range(60)]
    assert all(sum(each[name] for each in covered) >= 52 for name in METRICS)


@pytest.mark.parametrize("units", [12, 30])
def test_the_brier_score_of_few_units_of_very_different_size_is_covered(units: int) -> None:
    covered = sum(cover_copied_brier(units, number) for number in range(200))
    assert covered >= 181  # of 95 %, fewer have a probability of 0.6 %


def test_an_interval_of_decisions_that_are_all_right_is_no_point():
    y = np.arange(40) % 2
    found = metric_intervals(y, 0.2 + 0.6 * y, y)["accuracy"]
    assert found == {"value": 1.0, "low": pytest.approx(0.9, abs=0.1), "high": 1.0}
    assert found["low"] < 1


def test_intervals_narrow_with_more_rows() -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 4000)
    p = np.clip(0.3 + 0.4 * y + rng.normal(0, 0.2, 4000), 0.01, 0.99)
    few, many = (metric_intervals(y[:n], p[:n], (p[:n] >= 0.5).astype(int)) for n in (200, 4000))
    assert all(many[name]["high"] - many[name]["low"] < few[name]["high"] - few[name]["low"] for name in few)


@pytest.mark.parametrize(("calibration", "log_loss"), [("none", 0.5), ("sigmoid", 0.4)])
def test_what_runs_are_compared_by_names_the_rows_and_takes_the_cross_fitted_log_loss(
    calibration: str, log_loss: float
) -> None:
    judged = {"cost": 0.2, "log_loss": 0.1, "cv_roc_auc": 0.8}
    both = {"calibrate_log_loss_raw": 0.5, "calibrate_log_loss_sigmoid": 0.4}
    expected = both | {"cv_roc_auc": 0.8, "calibrate_cost": 0.2, "calibrate_log_loss": log_loss}
    assert comparable(judged | both, calibration) == expected


def test_a_band_of_numbers_is_named_by_the_values_in_it() -> None:
    assert list(quantile_bands(pd.Series([18.0, 25.0, 26.5, 70.0, 33.0, 40.0]), 3, NUMBER)) == [
        "18 to 25",
        "26.5 to 33",
        "40 to 70",
    ]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([1.0, 2.0, 3.0, 4.0, 7.0, 7.0, 7.0, 7.0, 8.0, 9.0, 10.0, 11.0], ["1 to 4", "7", "8 to 11"]),
        (
            [1.0, 2.0, 3.0, 34_300.0, 57_200.5, 60_000.0, 5e6, 6e6, 7e6],
            ["1 to 3", "34,300 to 60,000", "5,000,000 to 7,000,000"],
        ),
    ],
)
def test_a_band_of_one_value_is_that_value_and_large_numbers_keep_their_digits(
    values: list[float], names: list[str]
) -> None:
    assert sorted(quantile_bands(pd.Series(values), 3, NUMBER)) == sorted(names)


def test_few_large_values_keep_their_digits_too() -> None:
    assert list(quantile_bands(pd.Series([5e6, 1_234_567.0]), 3, NUMBER)) == ["5,000,000", "1,234,567"]


def test_texts_are_bands_of_their_own():
    texts = pd.Series(["a", "b", None], dtype="str")
    assert {name: rows.tolist() for name, rows in quantile_bands(texts, 4, NUMBER).items()} == {
        "a": [True, False, False],
        "b": [False, True, False],
        MISSING_BAND: [False, False, True],
    }


def test_bands_are_rounded_for_a_reader():
    assert list(quantile_bands(pd.Series([0.898936, 0.112345]), 3, NUMBER)) == ["0.8989", "0.1123"]


def test_bands_that_would_read_alike_are_written_exactly_and_stay_apart():
    bands = quantile_bands(pd.Series([10000.25, 10000.5, np.nan]), 3, NUMBER)
    assert {name: rows.tolist() for name, rows in bands.items()} == {
        "10,000.25": [True, False, False],
        "10,000.5": [False, True, False],
        "(missing)": [False, False, True],
    }


def test_measures_are_called_by_words_and_unknown_ones_by_their_names():
    assert name_measures({"roc_auc": 0.8, "log_loss": 0.4}) == {"AUC": 0.8, "log loss": 0.4}


@pytest.mark.parametrize(
    ("feature", "values", "bands"),
    [
        (
            Feature("late", "integer", min=0, max=1, unit="0 = no, 1 = yes"),
            [0.0, 1.0, np.nan],
            ["no", "yes", "(missing)"],
        ),
        (
            Feature("home", "category", values=("own", "for_free"), words={"en": {"for_free": "free of charge"}}),
            ["own", "for_free", None],
            ["own", "free of charge", "(missing)"],
        ),
        (
            Feature("year", "integer", min=1990, max=2030),
            [2001.0, 2002.0, 2003.0, 2004.0],
            ["2001 to 2002", "2003 to 2004"],
        ),
        (
            Feature.from_dict({"name": "day", "type": "date", "range": ["2020-01-01", "2020-12-31"]}),
            [0.0],
            ["2020-01-01"],
        ),
        (
            Feature("step", "integer", min=1, max=3, unit="1 = new, 2 = known, 3 = old"),
            [1.0, 2.0, 3.0],
            ["new", "known", "old"],
        ),
    ],
)
def test_bands_are_named_in_the_contracts_words(feature, values, bands):
    column = pd.Series(values, dtype=object if feature.is_category else float)
    assert list(quantile_bands(column, 2, feature)) == bands


@pytest.mark.parametrize("rows", [20, 100])
def test_f1_and_average_precision_of_1_are_not_certain(rows):
    y, twice = np.arange(rows) % 2, np.repeat(np.arange(rows), 2)
    found = metric_intervals(y, 0.2 + 0.6 * y, y)
    share = 0.025 ** (2 / rows)  # half of the rows count: as many successes, Clopper and Pearson
    assert found["f1"] == {"value": 1.0, "low": pytest.approx(2 * share / (1 + share)), "high": 1.0}
    assert found["pr_auc"] == {"value": 1.0, "low": pytest.approx(share), "high": 1.0}
    copied = metric_intervals(y[twice], 0.2 + 0.6 * y[twice], y[twice], twice)
    assert all(copied[name]["low"] == pytest.approx(found[name]["low"]) for name in ("f1", "pr_auc"))


def test_an_f1_of_0_is_not_certain():
    y = np.arange(20) % 2
    found = metric_intervals(y, 0.2 + 0.6 * y, 1 - y)["f1"]
    share = 1 - 0.025 ** (1 / 20)  # each row counts
    assert found == {"value": 0.0, "low": 0.0, "high": pytest.approx(2 * share / (1 + share))}


def test_an_average_precision_near_1_says_no_more_than_one_of_1():
    y = (np.arange(1000) % 50 == 1).astype(int)
    p = 0.2 + 0.6 * y
    p[0], p[1] = 0.75, 0.74  # a zero above one of the ones
    found = metric_intervals(y, p, y)["pr_auc"]
    assert 0.99 < found["value"] < 1
    assert found["low"] <= 0.025 ** (1 / 20)


@pytest.mark.parametrize("rows", [60, 200])
def test_f1_near_1_is_covered(rows):
    covered = []
    for number in range(100):
        rng, y = np.random.default_rng([number, rows]), np.arange(rows) % 2
        decided = np.where(rng.random(rows) < 0.02, 1 - y, y)  # of many such rows, the F1 is 0.98
        found = metric_intervals(y, 0.2 + 0.6 * decided, decided)["f1"]
        covered.append(found["low"] <= 0.98 <= found["high"])
    assert sum(covered) >= 88  # of 95 %, fewer have a probability of 0.4 %


def test_a_value_whose_text_is_that_of_missing_ones_is_a_band_apart():
    feature = Feature("home", "category", values=("own", "(missing)"), missing=True)
    bands = quantile_bands(pd.Series(["own", "(missing)", None], dtype=object), 5, feature)
    assert {name: rows.tolist() for name, rows in bands.items()} == {
        "own": [True, False, False],
        '"(missing)"': [False, True, False],
        "(missing)": [False, False, True],
    }

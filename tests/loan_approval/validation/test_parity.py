from dataclasses import astuple
from itertools import product

import numpy as np
import pytest

from loan_approval.errors import ExportError
from loan_approval.evaluation.thresholds import review_bands
from loan_approval.training.calibration import CHOICES
from loan_approval.training.factories.hist_gradient_boosting import HistGradientBoosting
from loan_approval.training.factory import ModelFactory, PreprocessorFactory, factory_names
from loan_approval.training.fit import Recipe, score
from loan_approval.validation import parity
from loan_approval.validation.parity import (
    ParityReport,
    check_parity,
    edge_rows,
    prove_parity,
    range_rows,
    threshold_rows,
)
from loan_approval.validation.tree_splits import tree_thresholds
from serve.contract.contract import Contract
from serve.contract.fault import Fault
from serve.model.scorer import Scorer

MODELS = factory_names(ModelFactory)
PREPROCESSORS = factory_names(PreprocessorFactory)


@pytest.fixture(autouse=True)
def _fewer_rows(monkeypatch):
    monkeypatch.setattr(parity, "RANGE_ROWS", 3000)
    monkeypatch.setattr(parity, "THRESHOLD_ROWS", 6000)


def _combinations():
    """Yield each data set, preprocessor and calibration; half of them, in which each pair occurs, are not hard."""
    for numbered in product(*map(enumerate, (["loans", "homes"], PREPROCESSORS, CHOICES))):
        positions, names = zip(*numbered, strict=True)
        yield pytest.param(*names, marks=[pytest.mark.hard] if sum(positions) % 2 else [])


@pytest.mark.parametrize(("dataset", "preprocessor_name", "calibration"), list(_combinations()))
@pytest.mark.parametrize("model_name", MODELS)
def test_no_decision_of_the_file_differs(make_model, dataset, model_name, preprocessor_name, calibration):
    made = make_model(dataset, model_name, preprocessor_name, calibration)
    report = prove_parity(made.data, made.pipeline, made.dataset.X)
    check_parity(report)
    assert report.differing == 0
    assert report.largest < 2e-6
    assert report.rows > 3000 + len(made.dataset.X)


@pytest.mark.parametrize("calibration", CHOICES)
@pytest.mark.parametrize("model_name", MODELS)
def test_no_review_band_of_the_file_differs(make_model, model_name, calibration):
    made = make_model("homes", model_name, calibration=calibration, review_width=0.2)
    report = prove_parity(made.data, made.pipeline, made.dataset.X)
    low, high = Scorer(made.data).review_band
    assert np.mean(review_bands(score(made.pipeline, made.dataset.X), low, high) == 1) > 0.05
    assert report.differing == 0


@pytest.mark.parametrize("shift", [-0.2, 0.2])
def test_a_band_that_differs_where_the_decision_does_not_is_counted(make_model, monkeypatch, shift):
    made = make_model("homes", "logistic_regression")
    scorer = Scorer(made.data)
    right, threshold = scorer.score, scorer.threshold
    scorer.review_band = (min(threshold, threshold + 1.5 * shift), max(threshold, threshold + 1.5 * shift))
    low, high = scorer.review_band
    # Moved within their decision, across the band's outer bound.
    outer = low if shift < 0 else high
    monkeypatch.setattr(scorer, "score", lambda X: np.where(np.abs(right(X) - outer) < 0.05, outer + 0.06, right(X)))
    monkeypatch.setattr(parity, "Scorer", lambda data: scorer)
    monkeypatch.setattr(parity, "_differing_records", lambda *arguments: 0)
    expected, got = score(made.pipeline, made.dataset.X), scorer.score(made.dataset.X)
    np.testing.assert_array_equal(scorer.decide(expected), scorer.decide(got))
    assert prove_parity(made.data, made.pipeline, made.dataset.X).differing > 0


def test_rows_within_the_tolerance_of_a_bound_are_counted_apart(make_model, monkeypatch):
    made = make_model("homes", "hist_gradient_boosting")
    scorer, X = Scorer(made.data), made.dataset.X
    both = np.array([scorer.score(X), score(made.pipeline, X)])
    above = np.flatnonzero(both.min(axis=0) > scorer.threshold + 0.01)
    row = above[np.argmax(np.abs(both[1] - both[0])[above])]
    scorer.review_band = (scorer.threshold, both[:, row].max())  # referred by one, approved by the other
    monkeypatch.setattr(parity, "Scorer", lambda data: scorer)
    report = prove_parity(made.data, made.pipeline, X)
    assert len(set(review_bands(both[:, row], *scorer.review_band))) == 2
    assert (report.differing, report.near >= 1) == (0, True)


def test_a_file_that_decides_otherwise_is_caught(make_model):
    made, other = make_model("loans", "logistic_regression"), make_model("loans", "hist_gradient_boosting")
    report = prove_parity(made.data, other.pipeline, made.dataset.X)
    assert report.differing > 0
    with pytest.raises(ExportError, match=r"\d+ of [\d,]+ decisions differ from the fitted pipeline's"):
        check_parity(report)


def test_thresholds_that_are_not_rounded_down_to_float32_are_caught(export_fitted, loans, monkeypatch):
    monkeypatch.setattr(HistGradientBoosting, "align_with_graph", lambda self, estimator: None)
    made = export_fitted(Recipe("hist_gradient_boosting", "median_imputer_with_scaler", seed=7), loans)
    assert prove_parity(made.data, made.pipeline, loans.X).largest > 1e-3


def test_an_honest_report_passes():
    check_parity(ParityReport(rows=10, differing=0, near=2, largest=0.3))


def test_a_decision_that_differs_by_record_only_is_counted(make_model, monkeypatch):
    made = make_model("homes", "logistic_regression")
    right = Contract.encode  # the amount comes second
    monkeypatch.setattr(Contract, "encode", lambda self, record: right(self, record) * [1, 0, 1])
    assert prove_parity(made.data, made.pipeline, made.dataset.X).differing > 0


def test_a_graph_without_trees_has_no_thresholds_and_no_rows_at_them(make_model):
    made = make_model("homes", "logistic_regression")
    assert tree_thresholds(made.data) == []
    rows = threshold_rows(made.data, made.pipeline, made.dataset.contract, made.dataset.X, np.random.default_rng(0))
    assert rows.shape == (0, 3)


@pytest.mark.parametrize("preprocessor_name", PREPROCESSORS)
def test_threshold_rows_lie_on_both_sides_of_each_threshold(make_model, preprocessor_name):
    made = make_model("homes", "hist_gradient_boosting", preprocessor_name)
    rows = threshold_rows(made.data, made.pipeline, made.dataset.contract, made.dataset.X, np.random.default_rng(0))
    seen = made.pipeline[:2].transform(rows)  # as the graph's trees compare: preprocessed, in float32
    for column, threshold in tree_thresholds(made.data):
        if column < 2:  # a number
            near = np.abs(seen[:, column] - threshold) <= (0.6 if column == 1 else 1e-5 * max(1, abs(threshold)))
            assert np.any(near & (seen[:, column] <= threshold))
            assert np.any(near & (seen[:, column] > threshold))


@pytest.mark.parametrize("kind", ["threshold", "range", "edge"])
def test_hard_rows_keep_the_contract(make_model, kind):
    made = make_model("homes", "random_forest")
    contract, X, rng = made.dataset.contract, made.dataset.X, np.random.default_rng(0)
    rows = {
        "threshold": lambda: threshold_rows(made.data, made.pipeline, contract, X, rng),
        "range": lambda: range_rows(contract, 500, rng),
        "edge": lambda: edge_rows(contract, X),
    }[kind]()
    assert len(rows) > 100
    for row in rows[:: max(1, len(rows) // 500)]:
        for feature, number in zip(contract.scored, row, strict=True):
            try:
                assert feature.is_category or feature.type != "integer" or np.isnan(number) or number == int(number)
                feature.encode(feature.decode(number))
            except Fault as fault:
                pytest.fail(f"{feature.name}: {fault}")


def test_edge_rows_put_each_feature_at_its_least_its_greatest_and_missing(homes):
    rows = edge_rows(homes.contract, homes.X, base_rows=2)
    assert len(rows) == 2 * (3 + 2 + 3)
    assert {0.0, 2.0} <= set(rows[:, 0])
    assert {0.0, 100.0} <= set(rows[:, 1])
    assert {0.0, 9.0} <= set(rows[:, 2])
    assert not np.isnan(rows[:, 1]).any()


def test_a_forest_of_many_thresholds_is_sampled(make_model, monkeypatch):
    monkeypatch.setattr(parity, "THRESHOLD_ROWS", 50)
    made = make_model("loans", "random_forest")
    rows = threshold_rows(made.data, made.pipeline, made.dataset.contract, made.dataset.X, np.random.default_rng(0))
    assert len(rows) == 50


def test_rows_within_the_tolerance_of_the_threshold_are_counted_apart(make_model, monkeypatch):
    made = make_model("homes", "hist_gradient_boosting")
    scorer, X = Scorer(made.data), made.dataset.X
    both = np.array([scorer.score(X), score(made.pipeline, X)])
    row = np.argmax(np.abs(both[1] - both[0]))
    scorer.threshold = both[:, row].max()  # approved by one, denied by the other
    monkeypatch.setattr(parity, "Scorer", lambda data: scorer)
    report = prove_parity(made.data, made.pipeline, X)
    assert scorer.decide(both)[0, row] != scorer.decide(both)[1, row]
    assert (report.differing, report.near >= 1) == (0, True)


def test_the_report_of_a_seed_is_the_same_each_time(make_model):
    made = make_model("homes", "hist_gradient_boosting")
    reports = {prove_parity(made.data, made.pipeline, made.dataset.X, seed=3) for _ in range(2)}
    assert len(reports) == 1
    assert [type(number) for number in astuple(reports.pop())] == [int, int, int, float]

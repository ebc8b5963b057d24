import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.model import shapley
from serve.model.scorer import Scorer
from serve.model.shapley import CLIP, MOST_COALITIONS, MOST_EXACT, Explainer, weighted_medians
from tests.encoded_rows import draw_rows

ROOT = Path(__file__).parents[3]
EXPLAIN_AGAIN = """
from tests.serve.model.test_shapley import curved
from serve.model.shapley import Explainer
import numpy as np
print(Explainer(curved(12)).explain(np.arange(12.0)[None]).values.tobytes().hex())
"""


@dataclass
class Formula:
    """Scores with a function of (n, F) rows instead of a graph, and keeps the rows it was asked for."""

    log_odds: Callable[[np.ndarray], np.ndarray]
    background: np.ndarray
    sha256: str = "ab" * 32
    small_file: bytes = b""
    file_bytes: int = 1
    asked: list[np.ndarray] = field(default_factory=list)
    weights: np.ndarray | None = None

    @property
    def background_weights(self) -> np.ndarray:
        return np.full(len(self.background), 1 / len(self.background)) if self.weights is None else self.weights

    def score(self, X: np.ndarray) -> np.ndarray:
        self.asked.append(X)
        return 1 / (1 + np.exp(-self.log_odds(X)))


def curved(features: int, rows: int = 3) -> Formula:
    """Every feature works together with its neighbours; a missing one counts as 0.3."""
    rng = np.random.default_rng(features)
    slope = rng.normal(size=features)

    def log_odds(X: np.ndarray) -> np.ndarray:
        given = np.where(np.isnan(X), 0.3, X)
        return np.tanh(given @ slope / 3) + np.sin(given * np.roll(given, 1, axis=1)).sum(axis=1) / features

    return Formula(log_odds, rng.normal(size=(rows, features)).round(6))


def by_definition(scorer: Formula, x: np.ndarray) -> np.ndarray:
    """Return what each feature adds on joining, averaged over all orders."""

    def worth(inside: list[int]) -> float:
        rows = scorer.background.copy()
        rows[:, inside] = x[inside]
        return float(np.mean(scorer.log_odds(rows)))

    features = len(x)
    values, orders = np.zeros(features), list(itertools.permutations(range(features)))
    for order in orders:
        for place, feature in enumerate(order):
            values[feature] += worth(list(order[: place + 1])) - worth(list(order[:place]))
    return values / len(orders)


numbers = st.one_of(st.just(np.nan), st.sampled_from([-1.0, 0.0, 0.5, 2.0]))


@given(data=st.data(), features=st.integers(1, 4), rows=st.integers(1, 3))
def test_values_are_what_features_add_over_all_orders_missing_ones_too(data, features, rows):
    scorer = curved(features)
    cells = st.lists(numbers, min_size=features, max_size=features)
    scorer.background = np.array(data.draw(st.lists(cells, min_size=rows, max_size=rows)))
    x = np.array(data.draw(cells))
    explanation = Explainer(scorer).explain(x[None])
    np.testing.assert_allclose(explanation.values, by_definition(scorer, x), atol=1e-12)
    assert explanation.base == pytest.approx(np.mean(scorer.log_odds(scorer.background)), abs=1e-12)
    assert explanation.error == 0.0


@pytest.mark.parametrize("features", [1, 2, MOST_EXACT, MOST_EXACT + 1, 70])
def test_base_and_values_sum_to_the_log_odds_exact_or_sampled(features):
    scorer = curved(features)
    X = np.random.default_rng(1).normal(size=(1, features))
    explanation = Explainer(scorer).explain(X)
    assert explanation.values.shape == (features,)
    assert explanation.base + explanation.values.sum() == pytest.approx(scorer.log_odds(X)[0], abs=1e-12)
    assert (explanation.error == 0) == (features <= MOST_EXACT)


@pytest.mark.parametrize("features", [4, 12])
def test_a_background_row_of_three_people_counts_as_much_as_three_rows_of_one(features):
    scorer, repeated = curved(features, rows=2), curved(features, rows=2)
    scorer.weights = np.array([0.75, 0.25])
    repeated.background = repeated.background[[0, 0, 0, 1]]
    X = np.random.default_rng(2).normal(size=(1, features))
    by_weight, by_row = Explainer(scorer).explain(X), Explainer(repeated).explain(X)
    np.testing.assert_allclose(by_weight.values, by_row.values, atol=1e-12)
    assert by_weight.base == pytest.approx(by_row.base, abs=1e-12)
    assert by_weight.error == pytest.approx(by_row.error, abs=1e-12)


def test_middles_are_weighted_medians_of_what_is_known():
    rows = np.array([[1, 5, np.nan], [2, np.nan, np.nan], [9, 7, np.nan]])
    np.testing.assert_array_equal(weighted_medians(rows, np.array([0.2, 0.2, 0.6])), [9, 7, np.nan])
    np.testing.assert_array_equal(weighted_medians(rows, np.array([0.5, 0.3, 0.2])), [1, 5, np.nan])


@pytest.mark.parametrize("features", [4, 12])
def test_a_feature_that_changes_no_score_has_exactly_no_value(features):
    scorer = curved(features)
    of_all = scorer.log_odds
    scorer.log_odds = lambda X: of_all(np.where(np.arange(features) == 2, 0.0, X))
    values = Explainer(scorer).explain(np.full((1, features), 0.7)).values
    assert values[2] == 0
    assert np.all(values[np.arange(features) != 2] != 0)


@pytest.mark.parametrize("features", [4, 12])
def test_a_feature_like_that_of_every_background_row_has_exactly_no_value(features):
    scorer = curved(features)
    scorer.background[:, 0], scorer.background[:, 3] = np.nan, 0.7
    x = np.full(features, 0.7)
    x[0] = np.nan
    values = Explainer(scorer).explain(x[None]).values
    assert (values[0], values[3]) == (0, 0)
    assert np.count_nonzero(values) == features - 2


def test_two_features_that_do_the_same_have_the_same_value():
    scorer = Formula(lambda X: np.sin(X[:, 0] * X[:, 2]) + X[:, 1], np.array([[0.5, 1, 0.5], [2, 0, 2]]))
    first, _, last = Explainer(scorer).explain(np.array([[1.5, 3, 1.5]])).values
    assert first == pytest.approx(last, abs=1e-14)
    assert first != 0


@pytest.mark.parametrize("missing", [None, "Age"])
def test_of_a_logistic_model_a_value_is_the_weight_times_the_distance_to_the_background(model_file, loans, missing):
    scorer = Scorer(model_file("loans"))
    application = loans.example() | {"Credit_Score": 720, "Loan_Amount": 40_000} | ({missing: None} if missing else {})
    X = scorer.contract.encode(application)
    center, scale = np.array([45, 85_000, 650, 25_000, 10, 5, 0]), np.array([15, 40_000, 80, 20_000, 6, 4, 1])
    distance = [np.where(np.isnan(rows), 0, (rows - center) / scale) for rows in (X, scorer.background)]
    slope = np.array([0.1, 0.8, 1.2, -0.7, 0.0, 0.1, -1.5])
    expected = slope * (distance[0] - distance[1].mean(axis=0))[0]
    np.testing.assert_allclose(Explainer(scorer).explain(X).values, expected, atol=1e-9)


def test_a_category_is_explained_with_the_numbers(model_file):
    scorer = Scorer(model_file("mixed"))
    X = scorer.contract.encode({"amount": 80, "home": "rent"})
    explanation = Explainer(scorer).explain(X)
    p = scorer.score_one(X)
    assert explanation.base + explanation.values.sum() == pytest.approx(np.log(p / (1 - p)), abs=1e-12)


@pytest.mark.parametrize("name", ["boosted", "boosted_calibrated", "boosted_wide"])
def test_trees_give_the_explanation_of_the_scored_rows_to_the_last_bit(model_file, name):
    scorer = Scorer(model_file(name))
    by_trees, by_rows = Explainer(scorer), Explainer(scorer)
    assert by_trees.trees is not None
    by_rows.trees = None
    for x in draw_rows(scorer.contract.scored, 100)[:, None]:
        one, other = by_trees.explain(x), by_rows.explain(x)
        assert one.values.tobytes() == other.values.tobytes()
        assert (one.base, one.error) == (other.base, other.error)


@pytest.mark.parametrize("cells", [1, 60 * 128, 60 * 128 * 100])
def test_the_background_rows_may_be_explained_some_at_a_time(model_file, monkeypatch, cells):
    scorer = Scorer(model_file("boosted"))
    explainer = Explainer(scorer)
    X = draw_rows(scorer.contract.scored, 5)[:, None]
    usual = [explainer.explain(x).values.tobytes() for x in X]
    monkeypatch.setattr(shapley, "MOST_CELLS", cells)
    assert [explainer.explain(x).values.tobytes() for x in X] == usual


def test_a_certain_probability_has_finite_reasons():
    scorer = Formula(lambda X: np.where(X[:, 0] > 0, 800.0, -800.0), np.array([[-1.0, 0.0]]))
    with np.errstate(over="ignore"):
        explanation = Explainer(scorer).explain(np.array([[1.0, 1.0]]))
    end = np.log((1 - CLIP) / CLIP)
    assert explanation.base == pytest.approx(-end)
    np.testing.assert_allclose(explanation.values, [2 * end, 0])


@pytest.mark.parametrize("features", [3, MOST_EXACT, MOST_EXACT + 1, 40])
def test_no_row_is_scored_twice_and_their_number_is_bounded(features):
    scorer = curved(features, rows=2)
    x = np.full(features, 0.7)
    scorer.background[:, 1], scorer.background[:, 2] = 0.7, np.nan
    x[2] = np.nan
    explainer = Explainer(scorer)
    scorer.asked.clear()
    explainer.explain(x[None])
    asked = np.nan_to_num(np.concatenate(scorer.asked))
    twice = len(asked) - len(np.unique(asked, axis=0))
    assert twice == len(scorer.background) - 1  # the applicant's own row, which each background row ends in
    assert len(asked) <= MOST_COALITIONS * len(scorer.background)


@pytest.mark.parametrize(
    ("features", "rows", "kilobytes", "most"),
    [
        (7, 16, 60, shapley.MOST_ROWS),
        (10, 16, 60, shapley.MOST_WORK // (1024 * 16)),
        (10, 16, 65, shapley.MOST_WORK // (1024 * 16 * 2)),
        (17, 12, 60, shapley.MOST_WORK // (2 * 30 * 18 * 12)),
        (256, 64, 39_000, 1),
    ],
)
def test_one_request_may_have_as_many_rows_explained_as_take_some_seconds(features, rows, kilobytes, most):
    scorer = curved(features, rows)
    scorer.file_bytes = kilobytes * 1024
    assert Explainer(scorer).most_rows == most


def test_trees_that_are_tables_explain_as_many_rows_whatever_the_size_of_their_file(model_file):
    scorer = Scorer(model_file("boosted"))
    scorer.file_bytes *= 1000
    assert Explainer(scorer).most_rows == shapley.MOST_ROWS
    scorer.small_file = b""
    assert Explainer(scorer).most_rows < shapley.MOST_ROWS


def test_sampled_values_are_near_the_exact_ones_as_stated(monkeypatch):
    scorer = curved(MOST_EXACT + 1)
    X = np.random.default_rng(2).normal(size=(20, 1, MOST_EXACT + 1))
    sampled = list(map(Explainer(scorer).explain, X))
    monkeypatch.setattr(shapley, "MOST_EXACT", MOST_EXACT + 1)
    exact = list(map(Explainer(scorer).explain, X))
    apart = np.array([np.abs(s.values - e.values).max() / s.error for s, e in zip(sampled, exact, strict=True)])
    assert 0 < apart.max() < 5
    assert apart.mean() > 0.2  # the error is no mere upper bound
    assert {s.base for s in sampled} == {exact[0].base}


def test_features_that_work_in_twos_have_exact_values_even_when_sampled():
    features = MOST_EXACT + 2
    scorer = Formula(lambda X: (X * np.roll(X, 1, axis=1)).sum(axis=1) / 10, np.zeros((1, features)))
    x = np.arange(1.0, features + 1) / 4
    explanation = Explainer(scorer).explain(x[None])
    expected = x * (np.roll(x, 1) + np.roll(x, -1)) / 2 / 10  # two share evenly what they make together
    np.testing.assert_allclose(explanation.values, expected, atol=1e-12)
    assert explanation.error < 1e-12


def test_the_same_file_and_application_have_the_same_reasons():
    X = np.arange(12.0)[None]
    one, again = (Explainer(curved(12)).explain(X) for _ in range(2))
    minus_zero = Explainer(curved(12)).explain(np.where(X == 0, -0.0, X))
    assert one.values.tobytes() == again.values.tobytes() == minus_zero.values.tobytes()
    other = curved(12)
    other.sha256 = "cd" * 32
    assert Explainer(other).explain(X).values.tobytes() != one.values.tobytes()


def test_reasons_do_not_depend_on_the_process():
    runs = [
        subprocess.run(
            [sys.executable, "-c", EXPLAIN_AGAIN],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1] == Explainer(curved(12)).explain(np.arange(12.0)[None]).values.tobytes().hex() + "\n"


@pytest.mark.parametrize("features", [7, 12])
def test_threads_may_share_an_explainer(features):
    explainer = Explainer(curved(features))
    X = list(np.random.default_rng(3).normal(size=(40, 1, features)))
    alone = [explainer.explain(x).values.tobytes() for x in X]
    with ThreadPoolExecutor(8) as pool:
        together = [e.values.tobytes() for e in pool.map(explainer.explain, X)]
    assert together == alone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from loan_approval.errors import DataError
from loan_approval.evaluation.auc import auc_interval
from loan_approval.evaluation.metrics import metric_intervals
from tests.benchmarks.intervals import SIMULATED_AUCS, cover_auc


@pytest.mark.parametrize(("rows", "share", "auc"), SIMULATED_AUCS)
def test_the_interval_covers_the_true_auc_as_often_as_it_says(rows: int, share: float, auc: float) -> None:
    covered = sum(cover_auc(rows, share, auc, number) for number in range(100))
    assert covered >= 88  # of 95 %, fewer have a probability of 0.4 %


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5), st.integers(0, 8)), min_size=2, max_size=40).filter(
        lambda rows: 0 < sum(label for label, _, _ in rows) < len(rows)
    )
)
def test_the_interval_holds_sklearns_auc_whatever_the_rows_ties_and_groups(rows: list[tuple[int, int, int]]) -> None:
    y, p, groups = (np.array(column) for column in zip(*rows, strict=True))
    for found in (auc_interval(y, p / 5), auc_interval(y, p / 5, groups)):
        assert found.value == pytest.approx(roc_auc_score(y, p))
        assert 0 <= found.low <= found.value <= found.high <= 1


def test_a_perfect_ranking_of_few_rows_is_not_certain() -> None:
    found = auc_interval(np.array([0] * 20 + [1] * 5), np.arange(25.0))
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(0.025 ** (1 / 5))  # five successes of five, Clopper and Pearson


def test_turned_round_the_interval_is_turned_round() -> None:
    rng = np.random.default_rng(4)
    p = rng.random(80)
    y = (rng.random(80) < p).astype(int)
    found, turned = auc_interval(y, p), auc_interval(y, -p)
    assert [turned.value, turned.low, turned.high] == pytest.approx(
        [1 - found.value, 1 - found.high, 1 - found.low], abs=0.02
    )


def test_the_table_of_all_metrics_has_the_same_interval() -> None:
    rng = np.random.default_rng(4)
    p = rng.random(80)
    y = (rng.random(80) < p).astype(int)
    found = auc_interval(y, p)
    assert metric_intervals(y, p, p > 0.5, seed=1)["roc_auc"] == {
        "value": found.value,
        "low": found.low,
        "high": found.high,
    }


def test_a_single_label_has_no_auc() -> None:
    with pytest.raises(DataError, match="3 rows without both labels"):
        auc_interval(np.zeros(3), np.arange(3.0))

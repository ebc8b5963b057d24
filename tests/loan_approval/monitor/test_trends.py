from datetime import timedelta

import numpy as np
import pytest

from loan_approval.data.simulate import simulate
from loan_approval.monitor.trends import describe_months, monthly
from tests.monitored import Monitored, load
from tests.prediction_logs import NOON


def test_each_month_is_a_row_and_what_moved_is_named(loans: Monitored) -> None:
    scorer, later = loans.install(), simulate(200, 6)
    loans.decide(simulate(200, 5), scorer)
    loans.decide(later.assign(Annual_Income=later["Annual_Income"] / 4), scorer, begin=NOON + timedelta(days=31))
    table = monthly(load(loans))
    assert table["month"].tolist() == ["2026-11", "2026-12"]
    assert table["decisions"].tolist() == [200, 200]
    assert table["approved"].between(0, 1).all()
    assert table["Annual_Income"][0] < 0.1 < table["Annual_Income"][1]
    assert "furthest from the reference in 2026-12 is Annual_Income" in describe_months(table)


def test_too_few_decisions_of_a_month_have_no_index(loans: Monitored) -> None:
    loans.decide(simulate(5, 5), loans.install())
    table = monthly(load(loans))
    assert table[["Annual_Income", "score"]].isna().all(axis=None)
    assert describe_months(table) == "The window lies within one month: there is no trend to show yet."


def test_the_score_is_that_of_the_newest_version(loans: Monitored) -> None:
    loans.decide(simulate(100, 5), loans.install(), version="1")
    loans.decide(simulate(100, 6), loans.install(bias=-3.0), version="2", begin=NOON + timedelta(hours=3))
    (row,) = monthly(load(loans)).itertuples()
    assert row.decisions == 200
    assert not np.isnan(row.score)
    assert row.approved == pytest.approx((load(loans).decisions["code"] == 1).mean())

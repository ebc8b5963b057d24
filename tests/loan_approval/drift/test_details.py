import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loan_approval.drift.details import measure_details
from loan_approval.drift.drift import compare, verdict
from loan_approval.drift.measures import Sample
from tests.loan_approval.drift.tables import CONTRACT, REFERENCE, find, make_table

DEBT = next(feature for feature in CONTRACT.features if feature.name == "debt")


def test_a_few_rows_of_another_product_are_found() -> None:
    current = make_table(1000, 3)
    current["debt"] = current["debt"].mask(np.arange(1000) < 50, 8 * current["debt"]).clip(0, 1000)
    found = find(compare(REFERENCE, current, CONTRACT), "tail", "debt")
    assert found.level == "warning"
    assert "of the values are above" in found.words


def test_rounded_values_are_found_though_no_quantile_moves() -> None:
    current = make_table(1000, 3)
    current["debt"] = (current["debt"] / 10).round() * 10
    findings = compare(REFERENCE, current, CONTRACT)
    assert find(findings, "digits", "debt").level == "warning"
    assert "multiples of 1" in find(findings, "digits", "debt").words


def test_a_lighter_tail_is_no_finding() -> None:
    current = make_table(1000, 3)
    current["debt"] = current["debt"].clip(5, 100)
    assert find(compare(REFERENCE, current, CONTRACT), "tail", "debt").level == "ok"


@pytest.mark.parametrize("seed", range(20))
def test_months_of_the_same_population_have_neither(seed: int) -> None:
    findings = compare(REFERENCE, make_table(1000, 100 + seed), CONTRACT)
    assert verdict(finding for finding in findings if finding.kind in ("tail", "digits")) == "stable"


@pytest.mark.parametrize("rows", [0, 1, 29])
def test_too_few_rows_and_few_values_are_not_compared(rows: int) -> None:
    many, few = Sample(np.arange(100.0), 0, 0), Sample(np.arange(100.0) % 5, 0, 0)
    assert measure_details(DEBT, many, Sample(np.arange(float(rows)), 0, 0)) == []
    assert measure_details(DEBT, few, many) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1000), min_size=30, max_size=80), st.lists(st.floats(0, 1000), min_size=30, max_size=80))
def test_shares_and_p_values_are_ones_whatever_the_values(before: list[float], now: list[float]) -> None:
    for measure in measure_details(DEBT, Sample(np.array(before), 0, 0), Sample(np.array(now), 0, 0)):
        assert 0 <= measure.p_value <= 1
        assert all(0 <= share <= 1 for share in measure.numbers.values())

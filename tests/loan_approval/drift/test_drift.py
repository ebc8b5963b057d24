from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from loan_approval.drift.drift import Finding, compare, verdict, worst_level
from loan_approval.errors import DataError
from tests.benchmarks.drift import (
    CHANGES,
    STABLE,
    USUAL_FAULTS,
    changeable,
    judge_month,
    judge_months,
    judge_refusals,
    judge_volume,
    population,
)
from tests.loan_approval.drift.tables import CONTRACT, REFERENCE, find, make_table


def drifted(findings: list[Finding]) -> set[tuple[str, str, str]]:
    return {(finding.kind, finding.subject, finding.level) for finding in findings if finding.level != "ok"}


@pytest.mark.parametrize("rows", [40, 1000, 20_000])
def test_rows_of_the_same_population_are_stable(rows: int) -> None:
    findings = compare(REFERENCE, make_table(rows, 2), CONTRACT)
    assert verdict(findings) == "stable", drifted(findings)


def test_each_feature_has_a_finding_of_each_kind_that_applies() -> None:
    findings = compare(REFERENCE, make_table(100, 2), CONTRACT)
    expected = {(kind, name) for kind in ("distribution", "missing", "range") for name in REFERENCE.columns}
    expected |= {(kind, name) for kind in ("tail", "digits") for name in ("amount", "debt", "years")}  # the numbers
    expected |= {("relation", name) for name in ("amount", "debt", "home", "years")}
    assert {(finding.kind, finding.subject) for finding in findings} == expected


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("amount", lambda values: values + 3),
        ("amount", lambda values: values.mean() + 1.5 * (values - values.mean())),
        ("home", lambda values: values.where(np.arange(len(values)) % 4 > 0, "rent")),
        ("years", lambda values: values + 1),
    ],
    ids=["shift", "spread", "shares", "whole numbers"],
)
def test_a_changed_distribution_is_a_finding_of_that_feature_alone(
    column: str, change: Callable[[pd.Series], pd.Series]
) -> None:
    current = make_table(1000, 3)
    current[column] = change(current[column])
    findings = compare(REFERENCE, current, CONTRACT)
    named = {(kind, subject) for kind, subject, _ in drifted(findings) if kind not in ("range", "tail")}
    assert named == {("distribution", column)}
    assert {subject for _, subject, _ in drifted(findings)} == {column}


def test_a_trifle_in_a_huge_sample_is_no_drift() -> None:
    reference, current = make_table(80_000, 4), make_table(80_000, 5)
    current["amount"] += 0.5
    found = find(compare(reference, current, CONTRACT), "distribution", "amount")
    assert found.numbers["p_corrected"] < 1e-9
    assert found.level == "ok"


def test_a_monitored_attribute_that_nobody_told_is_not_compared() -> None:
    findings = compare(REFERENCE.assign(region="north"), make_table(1000, 3), CONTRACT)
    assert "region" not in {finding.subject for finding in findings}


def test_columns_that_are_constant_in_both_are_stable() -> None:
    same = {"amount": 5.0, "home": "own", "debt": 0.0, "years": 3.0}
    findings = compare(REFERENCE.assign(**same), make_table(1000, 3).assign(**same), CONTRACT)
    assert verdict(findings) == "stable"
    assert find(findings, "distribution", "amount").numbers["psi"] == 0


def test_a_handful_of_rows_is_not_compared_by_distribution() -> None:
    findings = compare(REFERENCE, make_table(5, 3).assign(amount=65.0), CONTRACT)
    assert find(findings, "distribution", "amount").words.startswith("5 known values, expected 30")
    assert verdict(findings) == "stable"


def test_scores_and_shares_are_compared_along() -> None:
    rng = np.random.default_rng(5)
    scores = {"score of version 3": (rng.beta(5, 2, 2000), rng.beta(2, 5, 500))}
    shares = {"approvals": ((800, 1000), (300, 500)), "referrals": ((100, 1000), (52, 500))}
    findings = compare(REFERENCE, make_table(500, 3), CONTRACT, scores, shares)
    expected = {("score", "score of version 3", "severe"), ("share", "approvals", "warning")}
    assert drifted(findings) == expected


@pytest.mark.parametrize("side", ["reference", "current"])
def test_a_table_without_rows_or_without_a_scored_feature_is_an_error(side: str) -> None:
    tables = {"reference": REFERENCE, "current": make_table(100, 3)}
    with pytest.raises(DataError, match="has no rows"):
        compare(**tables | {side: REFERENCE.iloc[:0]}, contract=CONTRACT)
    with pytest.raises(DataError, match="has no column debt"):
        compare(**tables | {side: REFERENCE.drop(columns="debt")}, contract=CONTRACT)


def test_the_verdict_is_that_of_the_worst_finding() -> None:
    findings = [Finding("missing", "a", level, "") for level in ("ok", "warning")]
    assert (verdict([]), verdict(findings[:1]), verdict(findings)) == ("stable", "stable", "drift")
    assert worst_level([*findings, Finding("range", "b", "severe", "")]) == "severe"


# The simulated months of `make bench-drift`, fewer of them: what the thresholds were chosen for. Seeds are fixed.


@pytest.mark.parametrize("dataset", ["loans", "boston"])
def test_false_alarms_are_at_most_one_report_in_twenty(dataset: str) -> None:
    months = [judge_month(dataset, STABLE, 1000, number) for number in range(25)]
    assert sum(month.verdict != "stable" for month in months) <= 1


@pytest.mark.parametrize("dataset", ["loans", "boston"])
def test_a_shift_by_three_tenths_of_a_standard_deviation_is_found_in_a_thousand_rows(dataset: str) -> None:
    months = [judge_month(dataset, next(iter(CHANGES)), 1000, number) for number in range(20)]
    assert sum(month.named for month in months) >= 19


def test_each_change_is_made_where_a_data_set_has_a_feature_for_it() -> None:
    assert all(changeable(population("loans").contract, kind) for kind in CHANGES)
    unable = [kind for kind in CHANGES if not changeable(population("boston").contract, kind)]
    assert unable == ["5% of one number times 4", "one number rounded to 1,000"]


@pytest.mark.hard
@pytest.mark.parametrize("dataset", ["loans", "boston"])
def test_the_error_rates_over_many_months(dataset: str) -> None:
    alarms = [month.verdict != "stable" for month in judge_months(dataset, STABLE, 1000, 200, quiet=True)]
    found = [month.named for month in judge_months(dataset, next(iter(CHANGES)), 1000, 200, quiet=True)]
    print(f"{dataset}: false alarms {np.mean(alarms):.1%}, shifts found {np.mean(found):.1%}")
    assert np.mean(alarms) <= 0.05
    assert np.mean(found) >= 0.95


def test_the_volume_of_an_ordinary_month_is_no_finding_and_far_fewer_decisions_are():
    assert sum(judge_volume(5, 1.0, number) for number in range(20)) <= 1
    assert sum(judge_volume(5, 0.3, number) for number in range(20)) >= 19


@pytest.mark.parametrize("rows", [300, 1000])
def test_refusals_as_before_are_hardly_ever_a_finding(rows: int) -> None:
    assert sum(judge_refusals(rows, USUAL_FAULTS, number) for number in range(20)) <= 1


def test_four_times_as_many_refusals_are_a_finding():
    assert sum(judge_refusals(1000, 4 * USUAL_FAULTS, number) for number in range(20)) >= 18

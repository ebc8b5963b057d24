from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loan_approval.data.simulate import simulate
from loan_approval.drift.drift import verdict
from loan_approval.monitor import report
from loan_approval.monitor.findings import (
    compare_window,
    describe_groups,
    findings_table,
    group_approvals,
    refusal_findings,
    volume_findings,
)
from loan_approval.monitor.window import compare_with
from tests.monitored import DAY, Monitored, load, mixed_applications, write_refusals
from tests.prediction_logs import NOON


def test_a_month_like_the_training_data_is_stable(loans: Monitored) -> None:
    loans.decide(simulate(600, 5), loans.install())
    window = load(loans)
    findings = compare_window(window)
    assert verdict(findings) == "stable", [f.words for f in findings if f.level != "ok"]
    assert {"score of version 1", "approvals by version 1", "referrals by version 1"} < {f.subject for f in findings}
    assert window.describe().startswith(
        "600 decisions from 2026-11-23 12:00 to 2026-11-23 21:59 UTC, by version 1 (600)"
    )


def test_an_income_in_thousands_is_severe_for_feature_and_score(loans: Monitored) -> None:
    month = simulate(600, 5)
    loans.decide(month.assign(Annual_Income=(month["Annual_Income"] / 1000).round(2)), loans.install())
    findings = compare_window(load(loans))
    severe = {(f.kind, f.subject) for f in findings if f.level == "severe"}
    assert severe == {("distribution", "Annual_Income"), ("score", "score of version 1")}
    words = report.conclude(findings, {"Annual_Income": "Annual income"})
    assert words[0].startswith("Severe: ")
    assert words[1].startswith("severe, distribution: Annual income: PSI ")
    assert words[-1].endswith(f"{sum(f.level != 'ok' for f in findings)} above ok.")
    assert findings_table(findings)["level"].tolist()[:2] == ["severe", "severe"]


@pytest.mark.parametrize(("days", "level"), [(range(10), "ok"), ([0], "warning")])
def test_a_tenth_of_the_usual_volume_is_a_warning(loans: Monitored, days: Sequence[int], level: str) -> None:
    scorer = loans.install()
    for day in [*range(-20, 0), *days]:
        loans.decide(simulate(20, 100 + day), scorer, begin=NOON + day * DAY)
    window = load(loans, "2026-11-23", "2026-12-03")
    (found,) = volume_findings(window, now=window.end)
    assert found.level == level
    assert found.words.endswith(" in 10 days, 20.0 in the 20 days before")


def test_a_window_that_is_not_over_has_lost_no_volume(loans: Monitored) -> None:
    scorer = loans.install()
    for day in range(-20, 8):
        loans.decide(simulate(20, 100 + day), scorer, begin=NOON + day * DAY)
    window = load(loans, "2026-11-23", "2027-01-01")
    (found,) = volume_findings(window, now=window.begin + 8 * DAY)
    assert (found.level, found.words[:27]) == ("ok", "20.0 decisions a day in 8 d")


def test_volume_is_not_judged_by_what_can_not_tell(loans: Monitored) -> None:
    scorer = loans.install()
    for day in (-20, 0, 8):
        loans.decide(simulate(150, 100 + day), scorer, begin=NOON + day * DAY)
    whole = load(loans, "2026-11-23T12:00")
    assert [f.kind for f in volume_findings(whole)] == ["volume"]
    assert volume_findings(load(loans)) == []
    assert volume_findings(load(loans, "2026-11-23T12:00", "2026-11-25")) == []
    assert volume_findings(whole, version="1") == []
    assert volume_findings(compare_with(whole, "2026-11-01/2026-11-20")) == []


def test_a_season_is_no_drift_against_the_same_season_of_before(loans: Monitored) -> None:
    scorer = loans.install()
    for year, begin in enumerate((NOON - 300 * DAY, NOON)):
        month = simulate(600, 5 + year)
        loans.decide(month.assign(Loan_Amount=(month["Loan_Amount"] * 1.4).clip(upper=1e6)), scorer, begin=begin)
    window = load(loans, "2026-11-23")
    assert verdict(compare_window(window)) == "drift"
    findings = compare_window(compare_with(window, "2026-01-01/2026-03-01"))
    assert verdict(findings) == "stable", [f.words for f in findings if f.level != "ok"]
    assert group_approvals(compare_with(window, "2026-01-01/2026-03-01"))["decisions"].sum() == 600


def test_each_version_of_the_window_is_compared_with_its_own_scores(loans: Monitored) -> None:
    loans.decide(simulate(300, 5), loans.install(1.0), "1")
    loans.decide(simulate(300, 6), loans.install(-1.0), "2", NOON + DAY)
    findings = compare_window(load(loans))
    assert verdict(findings) == "stable"
    assert {"score of version 1", "score of version 2"} < {finding.subject for finding in findings}
    assert load(loans, version="2").decisions["model_version"].unique().tolist() == ["2"]


def test_categories_and_monitored_attributes_are_compared(mixed: Monitored) -> None:
    month = mixed_applications(500, 3)
    mixed.decide(month.assign(home="rent", region="north"), mixed.install())
    levels = {(f.kind, f.subject): f.level for f in compare_window(load(mixed))}
    assert levels["distribution", "home"] == "severe"
    assert levels["distribution", "region"] == "severe"
    assert levels["distribution", "amount"] == "ok"


@pytest.mark.parametrize(
    ("count", "earlier", "level"),
    [(1, 0, "ok"), (8, 0, "warning"), (40, 0, "severe"), (40, 18, "warning"), (40, 60, "ok")],
)
def test_refusals_are_compared_with_those_of_the_days_before(
    loans: Monitored, count: int, earlier: int, level: str
) -> None:
    scorer = loans.install()
    loans.decide(simulate(200, 4), scorer, begin=NOON - DAY)
    loans.decide(simulate(200, 5), scorer)
    write_refusals(loans.log, count)
    if earlier:
        write_refusals(loans.log, earlier, NOON - DAY)
    (found,) = refusal_findings(load(loans, "2026-11-23"))
    assert (found.level, found.subject, found.numbers["count"]) == (level, "Age", count)
    assert f"{count} refused, missing: " in found.words


def test_many_refusals_are_severe_however_few_decisions_were_logged_before(loans: Monitored) -> None:
    scorer = loans.install()
    loans.decide(simulate(3, 4), scorer, begin=NOON - DAY)
    loans.decide(simulate(200, 5), scorer)
    write_refusals(loans.log, 130)
    (found,) = refusal_findings(load(loans, "2026-11-23"))
    assert found.level == "severe"


def test_a_few_more_refusals_than_the_usual_many_are_chance(loans: Monitored) -> None:
    scorer = loans.install()
    loans.decide(simulate(200, 4), scorer, begin=NOON - DAY)
    loans.decide(simulate(50, 5), scorer)
    write_refusals(loans.log, 10, NOON - DAY)
    write_refusals(loans.log, 6)
    (found,) = refusal_findings(load(loans, "2026-11-23"))
    assert found.level == "ok"


def test_refusals_before_a_window_without_beginning_are_unknown(loans: Monitored) -> None:
    loans.decide(simulate(50, 5), loans.install())
    write_refusals(loans.log, 20)
    (found,) = refusal_findings(load(loans))
    assert (found.level, found.words.endswith("no earlier log to compare with")) == ("severe", True)


def test_a_change_in_one_protected_group_alone_is_found_and_named(loans: Monitored) -> None:
    month, rng = simulate(1500, 5), np.random.default_rng(1)
    elderly = month["Age"] >= 62
    poorer = (month["Credit_Score"] - rng.uniform(0, 240, len(month))).clip(lower=300).round()
    loans.decide(month.assign(Credit_Score=month["Credit_Score"].mask(elderly, poorer)), loans.install())
    findings = compare_window(load(loans))
    named = [f for f in findings if f.kind == "share" and f.level != "ok"]
    assert [f.subject for f in named] == ["approvals by version 1, Age: 62 and over"]


def test_groups_of_few_people_and_of_those_who_did_not_tell_are_not_compared(mixed: Monitored) -> None:
    month = mixed_applications(300, 5).assign(
        region=pd.Series(["south"] * 10 + ["north"] * 100 + [None] * 190, dtype=object)
    )
    mixed.decide(month, mixed.install())
    shares = {f.subject for f in compare_window(load(mixed)) if f.kind == "share" and "," in f.subject}
    assert shares == {"approvals by version 1, region: north"}


def test_a_monitored_attribute_that_was_not_told_before_is_grouped_all_the_same(mixed: Monitored) -> None:
    scorer = mixed.install()
    mixed.decide(mixed_applications(50, 3), scorer, begin=NOON - 30 * DAY, **{"monitored.region": None})
    mixed.decide(mixed_applications(50, 4), scorer)
    window = compare_with(load(mixed, "2026-11-23"), "2026-10-01/2026-11-01")
    assert set(group_approvals(window)["group"]) == {"north", "south"}


def test_a_monitored_attribute_that_nobody_told_is_left_out(mixed: Monitored) -> None:
    mixed.decide(mixed_applications(50, 3), mixed.install(), **{"monitored.region": None})
    window = load(mixed)
    assert "region" not in window.current
    groups = group_approvals(window)
    assert describe_groups(groups) == ["No protected or monitored attribute was given."]


def test_groups_are_those_of_the_reference(loans: Monitored, tmp_path: Path) -> None:
    loans.decide(simulate(200, 5), loans.install())
    groups = group_approvals(load(loans))
    assert groups["group"].tolist()[:2] == ["under 62", "62 and over"]
    assert groups["decisions"].sum() == 200
    assert groups["share"].sum() == pytest.approx(1)
    assert describe_groups(groups)[0].startswith("Age: approval rate from ")

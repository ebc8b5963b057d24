from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loan_approval.data.simulate import simulate
from loan_approval.monitor.findings import compare_window
from loan_approval.monitor.groups import describe_groups, group_approvals
from loan_approval.monitor.window import compare_with
from tests.monitored import DAY, Monitored, load, mixed_applications
from tests.prediction_logs import NOON


def test_a_change_in_one_protected_group_alone_is_found_and_named(loans: Monitored) -> None:
    month, rng = simulate(1500, 5), np.random.default_rng(1)
    elderly = month["Age"] >= 62
    poorer = (month["Credit_Score"] - rng.uniform(0, 240, len(month))).clip(lower=300).round()
    loans.decide(month.assign(Credit_Score=month["Credit_Score"].mask(elderly, poorer)), loans.install())
    findings = compare_window(load(loans))
    named = [f for f in findings if f.kind == "share" and f.level != "ok"]
    assert [f.subject for f in named] == ["approvals by version 1, Age 62 and over"]


def test_groups_of_few_people_and_of_those_who_did_not_tell_are_not_compared(mixed: Monitored) -> None:
    month = mixed_applications(300, 5).assign(
        region=pd.Series(["south"] * 10 + ["north"] * 100 + [None] * 190, dtype=object)
    )
    mixed.decide(month, mixed.install())
    shares = {f.subject for f in compare_window(load(mixed)) if f.kind == "share" and "," in f.subject}
    assert shares == {"approvals by version 1, region north"}


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

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loan_approval.data.simulate import simulate
from loan_approval.drift.drift import verdict
from loan_approval.errors import DataError, LogError, ParameterError
from loan_approval.monitor import report
from loan_approval.monitor.outcomes import describe_outcomes, performance_over_time, read_outcomes
from loan_approval.monitor.window import Window, compare_window, compare_with, load_window, window_scores
from loan_approval.plots.drift import plot_approvals, plot_score_drift, plot_stability
from tests.monitored import Monitored, make_loans, make_mixed, mixed_applications, write_refusals, write_review
from tests.prediction_logs import NOON, make_line, write_lines

DAY = timedelta(days=1)


@pytest.fixture
def loans(tmp_path: Path) -> Monitored:
    return make_loans(tmp_path)


@pytest.fixture
def mixed(tmp_path: Path) -> Monitored:
    return make_mixed(tmp_path)


def load(monitored: Monitored, begin: str = "", end: str = "", version: str = "") -> Window:
    return load_window(monitored.dataset, monitored.log, monitored.store, begin, end, version)


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
    words = report.conclude(findings)
    assert words[0].startswith("Severe: ")
    assert words[1].startswith("severe, distribution: Annual_Income: PSI ")
    assert words[-1].endswith(f"{sum(f.level != 'ok' for f in findings)} above ok.")
    assert report.findings_table(findings)["level"].tolist()[:2] == ["severe", "severe"]


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


@pytest.mark.parametrize(("days", "level"), [(range(10), "ok"), ([0], "warning")])
def test_a_tenth_of_the_usual_volume_is_a_warning(loans: Monitored, days: Sequence[int], level: str) -> None:
    scorer = loans.install()
    for day in [*range(-20, 0), *days]:
        loans.decide(simulate(20, 100 + day), scorer, begin=NOON + day * DAY)
    window = load(loans, "2026-11-23", "2026-12-03")
    (found,) = report.volume_findings(window, now=window.end)
    assert found.level == level
    assert found.words.endswith(" in 10 days, 20.0 in the 20 days before")


def test_a_window_that_is_not_over_has_lost_no_volume(loans: Monitored) -> None:
    scorer = loans.install()
    for day in range(-20, 8):
        loans.decide(simulate(20, 100 + day), scorer, begin=NOON + day * DAY)
    window = load(loans, "2026-11-23", "2027-01-01")
    (found,) = report.volume_findings(window, now=window.begin + 8 * DAY)
    assert (found.level, found.words[:27]) == ("ok", "20.0 decisions a day in 8 d")


def test_volume_is_not_judged_by_what_can_not_tell(loans: Monitored) -> None:
    scorer = loans.install()
    for day in (-20, 0, 8):
        loans.decide(simulate(150, 100 + day), scorer, begin=NOON + day * DAY)
    whole = load(loans, "2026-11-23T12:00")
    assert [f.kind for f in report.volume_findings(whole)] == ["volume"]
    assert report.volume_findings(load(loans)) == []
    assert report.volume_findings(load(loans, "2026-11-23T12:00", "2026-11-25")) == []
    assert report.volume_findings(whole, version="1") == []
    assert report.volume_findings(compare_with(whole, "2026-11-01/2026-11-20")) == []


def test_a_season_is_no_drift_against_the_same_season_of_before(loans: Monitored) -> None:
    scorer = loans.install()
    for year, begin in enumerate((NOON - 300 * DAY, NOON)):
        month = simulate(600, 5 + year)
        loans.decide(month.assign(Loan_Amount=(month["Loan_Amount"] * 1.4).clip(upper=1e6)), scorer, begin=begin)
    window = load(loans, "2026-11-23")
    assert verdict(compare_window(window)) == "drift"
    findings = compare_window(compare_with(window, "2026-01-01/2026-03-01"))
    assert verdict(findings) == "stable", [f.words for f in findings if f.level != "ok"]
    assert report.group_approvals(compare_with(window, "2026-01-01/2026-03-01"))["decisions"].sum() == 600


@pytest.mark.parametrize(
    ("against", "error", "words"),
    [
        ("2026-01-01", ParameterError, "expected BEGIN/END"),
        ("a/b", ParameterError, "against: expected a date"),
        ("2020-01-01/2020-02-01", LogError, "nothing was logged from 2020-01-01"),
    ],
)
def test_a_window_to_compare_with_must_be_one(
    loans: Monitored, against: str, error: type[Exception], words: str
) -> None:
    loans.decide(simulate(3, 5), loans.install())
    with pytest.raises(error, match=words):
        compare_with(load(loans), against)


def test_a_monitored_attribute_that_was_not_told_before_is_grouped_all_the_same(mixed: Monitored) -> None:
    scorer = mixed.install()
    mixed.decide(mixed_applications(50, 3), scorer, begin=NOON - 30 * DAY, **{"monitored.region": None})
    mixed.decide(mixed_applications(50, 4), scorer)
    window = compare_with(load(mixed, "2026-11-23"), "2026-10-01/2026-11-01")
    assert set(report.group_approvals(window)["group"]) == {"north", "south"}


def test_each_version_of_the_window_is_compared_with_its_own_scores(loans: Monitored) -> None:
    loans.decide(simulate(300, 5), loans.install(1.0), "1")
    loans.decide(simulate(300, 6), loans.install(-1.0), "2", NOON + DAY)
    findings = compare_window(load(loans))
    assert verdict(findings) == "stable"
    assert {"score of version 1", "score of version 2"} < {finding.subject for finding in findings}
    assert load(loans, version="2").decisions["model_version"].unique().tolist() == ["2"]


def test_scores_are_compared_with_rows_the_model_was_not_fitted_to(loans: Monitored) -> None:
    loans.decide(simulate(40, 5), loans.install())
    ((before, now),) = window_scores(load(loans)).values()
    assert len(before) == np.sum(loans.dataset.splits != "train")
    assert len(now) == 40


def test_the_window_is_from_begin_to_before_end(loans: Monitored) -> None:
    loans.decide(simulate(120, 5), loans.install())
    window = load(loans, "2026-11-23T12:30", "2026-11-23T13:00Z")
    assert len(window.decisions) == 30


@pytest.mark.parametrize(
    ("begin", "end", "words"),
    [
        ("yesterday", "", "begin: expected a date or time such as"),
        ("", "2026-13-01", "end: expected a date or time"),
        ("2026-11-24", "2026-11-23", "begin 2026-11-24 is not before end 2026-11-23"),
    ],
)
def test_a_time_that_is_none_is_an_error(loans: Monitored, begin: str, end: str, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        load(loans, begin, end)


def test_a_window_without_decisions_is_an_error(loans: Monitored) -> None:
    with pytest.raises(LogError, match="nothing was logged"):
        load(loans)
    loans.decide(simulate(3, 5), loans.install())
    with pytest.raises(LogError, match="nothing was logged from 2027-01-01"):
        load(loans, "2027-01-01")


def test_a_version_that_decided_nothing_is_an_error_that_names_those_that_did(loans: Monitored) -> None:
    loans.decide(simulate(3, 5), loans.install())
    with pytest.raises(LogError, match="is of version 9, expected one of 1"):
        load(loans, version="9")


def test_a_log_of_another_contract_is_an_error(loans: Monitored) -> None:
    loans.decide(simulate(3, 5), loans.install(), contract="f" * 64)
    with pytest.raises(LogError, match=r"3 of 3 decisions are of .* under the contract f+, expected"):
        load(loans)


def test_a_model_that_is_gone_from_the_store_is_named_by_version_and_sha256(loans: Monitored) -> None:
    scorer = loans.install()
    loans.decide(simulate(3, 5), scorer)
    (loans.store.path / f"{scorer.sha256}.onnx").unlink()
    with pytest.raises(LogError, match=f"the file of version 1, sha256 {scorer.sha256}, is gone"):
        load(loans)


def test_a_model_of_other_data_is_an_error_that_names_both(loans: Monitored) -> None:
    loans.decide(simulate(3, 5), loans.install(data_sha256="d" * 64))
    words = f"was trained on data {'d' * 12}, loans holds {loans.dataset.sha256[:12]}"
    with pytest.raises(LogError, match=words):
        load(loans)


def test_one_version_of_two_files_is_an_error(loans: Monitored) -> None:
    for bias in (1.0, -1.0):
        loans.decide(simulate(3, 5), loans.install(bias))
    with pytest.raises(LogError, match="version 1 stands for two files"):
        load(loans)


def test_categories_and_monitored_attributes_are_compared(mixed: Monitored) -> None:
    month = mixed_applications(500, 3)
    mixed.decide(month.assign(home="rent", region="north"), mixed.install())
    levels = {(f.kind, f.subject): f.level for f in compare_window(load(mixed))}
    assert levels["distribution", "home"] == "severe"
    assert levels["distribution", "region"] == "severe"
    assert levels["distribution", "amount"] == "ok"


def test_a_monitored_attribute_that_nobody_told_is_left_out(mixed: Monitored) -> None:
    mixed.decide(mixed_applications(50, 3), mixed.install(), **{"monitored.region": None})
    window = load(mixed)
    assert "region" not in window.current
    groups = report.group_approvals(window)
    assert report.describe_groups(groups) == ["No protected or monitored attribute was given."]


def test_groups_are_those_of_the_reference(loans: Monitored, tmp_path: Path) -> None:
    loans.decide(simulate(200, 5), loans.install())
    groups = report.group_approvals(load(loans))
    assert groups["group"].tolist()[:2] == ["under 62", "62 and over"]
    assert groups["decisions"].sum() == 200
    assert groups["share"].sum() == pytest.approx(1)
    assert report.describe_groups(groups)[0].startswith("Age: approval rate from ")


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
    (found,) = report.refusal_findings(load(loans, "2026-11-23"))
    assert (found.level, found.subject, found.numbers["count"]) == (level, "Age", count)
    assert f"{count} refused as 'missing'" in found.words


def test_a_few_more_refusals_than_the_usual_many_are_chance(loans: Monitored) -> None:
    scorer = loans.install()
    loans.decide(simulate(200, 4), scorer, begin=NOON - DAY)
    loans.decide(simulate(50, 5), scorer)
    write_refusals(loans.log, 10, NOON - DAY)
    write_refusals(loans.log, 6)
    (found,) = report.refusal_findings(load(loans, "2026-11-23"))
    assert found.level == "ok"


def test_refusals_before_a_window_without_beginning_are_unknown(loans: Monitored) -> None:
    loans.decide(simulate(50, 5), loans.install())
    write_refusals(loans.log, 20)
    (found,) = report.refusal_findings(load(loans))
    assert (found.level, found.words.endswith("no earlier log to compare with")) == ("severe", True)


def test_reviews_tell_how_often_a_person_decided_otherwise(loans: Monitored) -> None:
    ids = loans.decide(simulate(100, 5), loans.install())
    window = load(loans)
    assert report.describe_reviews(window).endswith("no review is recorded.")
    codes = window.decisions.set_index("decision_id")["code"]
    write_review(loans.log, ids[1], "decline" if codes[ids[1]] else "approve")  # the next one replaces it
    for number, decision in enumerate(ids[:4]):
        same = "approve" if codes[decision] else "decline"
        other = "decline" if codes[decision] else "approve"
        write_review(loans.log, decision, other if number == 0 else same)
    assert "Of 4 reviewed decisions a person decided 1 otherwise (25.0%" in report.describe_reviews(load(loans))


def test_the_shadow_is_told_where_there_is_one(loans: Monitored) -> None:
    (decision,) = loans.decide(simulate(1, 5), loans.install())
    assert report.describe_shadow(load(loans)) == []
    line = {"time": make_line({})["time"], "decision_id": decision, "model_version": "2", "model_sha256": "b" * 64}
    line |= {"probability": 0.4, "code": 0, "champion_sha256": "a" * 64, "champion_probability": 0.75}
    write_lines(loans.log, [line | {"champion_code": 1}], "shadow")
    words = " ".join(report.describe_shadow(load(loans)))
    assert words.startswith("version 2 in the shadow of aaaaaaaaaaaa: 1 applications")
    assert "100.0% [20.7%, 100.0%] denied by it alone" in words


def test_approvals_over_time_are_by_the_shortest_period_that_fits(loans: Monitored) -> None:
    scorer = loans.install()
    for hour in range(3):
        loans.decide(simulate(30, hour), scorer, begin=NOON + timedelta(hours=hour))
    table = report.approvals_over_time(load(loans).decisions)
    assert table["decisions"].tolist() == [30, 30, 30]
    assert np.all((table["low"] < table["approved"]) & (table["approved"] < table["high"]))
    one_minute = load(loans, end="2026-11-23T12:01").decisions
    assert report.approvals_over_time(one_minute)["decisions"].tolist() == [1]


def test_figures_are_drawn(loans: Monitored) -> None:
    loans.decide(simulate(50, 5), loans.install())
    window = load(loans)
    for figure in (
        plot_approvals(report.approvals_over_time(window.decisions)),
        plot_stability(compare_window(window)),
        plot_score_drift(window_scores(window)),
    ):
        assert figure._repr_png_()


def write_outcomes(path: Path, rows: pd.DataFrame) -> Path:
    rows.to_csv(path, index=False)
    return path


def test_outcomes_count_for_approved_applications_only(mixed: Monitored, tmp_path: Path) -> None:
    ids = mixed.decide(mixed_applications(300, 3), mixed.install())
    window = load(mixed)
    rng = np.random.default_rng(1)
    repaid = np.where(rng.random(300) < window.decisions["probability"], "yes", "no")
    path = write_outcomes(tmp_path / "outcomes.csv", pd.DataFrame({"decision_id": ids, "outcome": repaid}))
    outcomes = read_outcomes(path, window)
    approved = window.decisions["code"] == 1
    assert len(outcomes) == approved.sum()
    assert outcomes["outcome"].sum() == np.sum(repaid[approved] == "yes")
    table = performance_over_time(outcomes, seed=7)
    assert table["month"].tolist() == ["2026-11"]
    assert {"AUC", "Brier", "repaid"} < set(table.columns)
    words, _ = describe_outcomes(str(path), window, seed=7)
    assert "Selected: " in words[0]


def test_without_outcomes_nothing_is_said_of_performance(mixed: Monitored) -> None:
    mixed.decide(mixed_applications(3, 3), mixed.install())
    words, table = describe_outcomes("", load(mixed), seed=7)
    assert words[0].startswith("No outcomes were given")
    assert table.empty


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,outcome\n", "expected the columns decision_id,outcome"),
        ("decision_id,outcome\na,yes\na,no\n", "each decision once"),
        ("decision_id,outcome\na,yes\nb,maybe\n", "no outcome in lines 3, expected one of no, yes"),
    ],
)
def test_a_file_that_is_no_outcomes_is_an_error(mixed: Monitored, tmp_path: Path, text: str, words: str) -> None:
    mixed.decide(mixed_applications(3, 3), mixed.install())
    (tmp_path / "outcomes.csv").write_text(text)
    with pytest.raises(DataError, match=words):
        read_outcomes(tmp_path / "outcomes.csv", load(mixed))
    with pytest.raises(DataError, match="can't be read as CSV"):
        read_outcomes(tmp_path / "none.csv", load(mixed))


def test_past_decisions_are_not_judged_by_outcomes(loans: Monitored, tmp_path: Path) -> None:
    loans.decide(simulate(3, 5), loans.install())
    with pytest.raises(DataError, match="means 'past_decision', expected 'repaid'"):
        read_outcomes(tmp_path / "outcomes.csv", load(loans))

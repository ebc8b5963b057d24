import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loan_approval.data.simulate import simulate
from loan_approval.data.wording import feature_names
from loan_approval.errors import DataError
from loan_approval.evaluation.costs import Costs
from loan_approval.monitor.findings import compare_window
from loan_approval.monitor.report import (
    approvals_over_time,
    describe_outcomes,
    describe_reviews,
    describe_shadow,
    performance_over_time,
    read_outcomes,
    report_shadow,
)
from loan_approval.monitor.window import window_scores
from loan_approval.plots.monitor import plot_approvals, plot_score_drift, plot_stability
from tests.monitored import Monitored, load, mixed_applications, write_review
from tests.prediction_logs import NOON, make_line, write_lines

COSTS = Costs(wrong_approval=5.0, wrong_denial=1.0)
OLD, NEW, OTHER = "a" * 64, "b" * 64, "c" * 64


def test_reviews_tell_how_often_a_person_decided_otherwise(loans: Monitored) -> None:
    ids = loans.decide(simulate(100, 5), loans.install())
    window = load(loans)
    assert describe_reviews(window).endswith("no review is recorded.")
    codes = window.decisions.set_index("decision_id")["code"]
    write_review(loans.log, ids[1], "decline" if codes[ids[1]] else "approve")  # the next one replaces it
    for number, decision in enumerate(ids[:4]):
        same = "approve" if codes[decision] else "decline"
        other = "decline" if codes[decision] else "approve"
        write_review(loans.log, decision, other if number == 0 else same)
    assert "Of 4 reviewed decisions a person decided 1 otherwise (25.0%" in describe_reviews(load(loans))


def test_the_shadow_is_told_where_there_is_one(loans: Monitored) -> None:
    (decision,) = loans.decide(simulate(1, 5), loans.install())
    assert describe_shadow(load(loans)) == []
    line = {"time": make_line({})["time"], "decision_id": decision, "model_version": "2", "model_sha256": "b" * 64}
    line |= {"probability": 0.4, "code": 0, "champion_sha256": "a" * 64, "champion_probability": 0.75}
    write_lines(loans.log, [line | {"champion_code": 1}], "shadow")
    words = " ".join(describe_shadow(load(loans)))
    assert words.startswith("version 2 in the shadow of aaaaaaaaaaaa: 1 applications")
    assert "100.0% [20.7%, 100.0%] denied by it alone" in words


def test_approvals_over_time_are_by_the_shortest_period_that_fits(loans: Monitored) -> None:
    scorer = loans.install()
    for hour in range(3):
        loans.decide(simulate(30, hour), scorer, begin=NOON + timedelta(hours=hour))
    table = approvals_over_time(load(loans).decisions)
    assert table["decisions"].tolist() == [30, 30, 30]
    assert np.all((table["low"] < table["approved"]) & (table["approved"] < table["high"]))
    one_minute = load(loans, end="2026-11-23T12:01").decisions
    assert approvals_over_time(one_minute)["decisions"].tolist() == [1]


def test_figures_are_drawn(loans: Monitored) -> None:
    loans.decide(simulate(50, 5), loans.install())
    window = load(loans)
    for figure in (
        plot_approvals(approvals_over_time(window.decisions)),
        plot_stability(compare_window(window), feature_names(loans.dataset.contract)),
        plot_score_drift(window_scores(window), "Approved"),
    ):
        assert figure._repr_png_()


def make_log(
    p: list[float], old_p: list[float], thresholds: tuple[float, float] = (0.5, 0.5), version: str = "8", day: int = 1
) -> pd.DataFrame:
    """Return a shadow log with a line a second; thresholds: the challenger's and the champion's."""
    new, old = np.array(p), np.array(old_p)
    begin = pd.Timestamp(f"2026-11-{day:02} 12:00", tz="UTC")
    return pd.DataFrame(
        {
            "time": begin + pd.to_timedelta(np.arange(len(new)), "s"),
            "decision_id": [f"{day}.{row}" for row in range(len(new))],
            "model_version": version,
            "model_sha256": NEW if version == "8" else OTHER,
            "probability": new,
            "code": (new >= thresholds[0]).astype(int),
            "champion_sha256": OLD,
            "champion_probability": old,
            "champion_code": (old >= thresholds[1]).astype(int),
        }
    )


def test_flips_are_counted_each_way_with_wilsons_interval():
    (words,) = report_shadow(make_log([0.9] * 30 + [0.1] * 70, [0.9] * 20 + [0.1] * 75 + [0.9] * 5), COSTS)
    assert ": 100 applications from " in words[0]
    # Wilson's interval of 10 in 100, by hand: (0.1 + z²/200 ± z·sqrt(0.09/100 + z²/40000)) / (1 + z²/100), z = 1.96
    assert "85.0% [76.7%, 90.7%] decided alike; 10.0% [5.5%, 17.4%] approved by version 8 alone, 5.0% [" in words[1]
    assert not any("too few" in each for each in words)


def test_the_difference_has_its_sign_and_an_interval_that_shrinks_with_the_rows():
    old_p = np.linspace(0.2, 0.8, 50)
    p = old_p - 0.02 + np.tile([0.1, -0.1], 25)
    widths = []
    for k in (1, 16):
        (words,) = report_shadow(make_log(np.tile(p, k), np.tile(old_p, k)), COSTS)
        assert "lies 0.0200 below on average" in words[2]
        low, high = map(float, re.search(r"\[(.*), (.*)\]", words[2]).groups())
        assert low < -0.02 < high
        widths.append(high - low)
    assert widths[1] == pytest.approx(widths[0] / 4, 0.05)


def test_expected_costs_believe_each_model_in_turn():
    # One application: the champion (p 0.8) approves at 0.5, the challenger (p 0.6) denies at 0.7.
    (words,) = report_shadow(make_log([0.6], [0.8], thresholds=(0.7, 0.5)), COSTS)
    by_champion, by_challenger = words[3:5]  # 0.2 * 5 or 0.8 * 1; 0.4 * 5 or 0.6 * 1
    assert "the champion: 1.0000 as decided, 0.8000 as version 8 decides, saving 0.200 " in by_champion
    assert "of version 8: 2.0000 as decided, 0.6000 as version 8 decides, saving 1.400 " in by_challenger


def test_one_application_proves_nothing():
    (words,) = report_shadow(make_log([0.6], [0.8]), COSTS)
    assert "100.0% [20.7%, 100.0%] decided alike" in words[1]
    assert words[2].endswith("[-1.0000, 1.0000]")
    assert words[3].endswith("[-5.000, 5.000]")


def test_each_challenger_is_told_apart_the_latest_last():
    later, earlier = make_log([0.9] * 3, [0.9] * 3, day=5), make_log([0.1] * 4, [0.9] * 4, version="7", day=2)
    first, last = report_shadow(pd.concat([later, earlier], ignore_index=True), COSTS)
    assert first[0].startswith("version 7 in the shadow of aaaaaaaaaaaa: 4 applications from 2026-11-02 12:00 ")
    assert last[0].startswith("version 8 in the shadow of aaaaaaaaaaaa: 3 applications from 2026-11-05 12:00 ")
    assert first[1].startswith(
        "0.0% [0.0%, 49.0%] decided alike; 0.0% [0.0%, 49.0%] approved by version 7 alone, 100.0%"
    )


def test_two_files_of_one_version_are_told_apart():
    log = make_log([0.9] * 3, [0.9] * 3)
    log.loc[0, "model_sha256"] = OTHER
    assert sorted(re.search(r": (\d) applications", words[0])[1] for words in report_shadow(log, COSTS)) == ["1", "2"]


def test_a_row_without_a_probability_is_left_out_and_no_row_is_no_report():
    log = make_log([0.9, 0.9], [0.9, 0.9])
    log.loc[0, "probability"] = None
    (words,) = report_shadow(log, COSTS)
    assert ": 1 applications from " in words[0]
    assert report_shadow(log.iloc[:0], COSTS) == []


def test_the_words_say_what_is_known_and_that_costs_are_expected_only():
    (report,) = report_shadow(make_log([0.9] * 97 + [0.1] * 3, [0.9] * 100), COSTS)
    words = "\n".join(report)
    assert (
        "version 8 in the shadow of aaaaaaaaaaaa: 100 applications from 2026-11-01 12:00 to 2026-11-01 12:01 UTC"
        in words
    )
    assert "97.0% [91.5%, 99.0%] decided alike; 0.0% [0.0%, 3.7%] approved by version 8 alone" in words
    assert "by the probabilities of the champion: " in words
    assert "of disagreeing with past decisions" in words
    assert "not what came" in words
    assert "only 3 applications are decided otherwise: too few" in words
    (repaid,) = report_shadow(make_log([0.9] * 50 + [0.1] * 50, [0.9] * 100), COSTS, "repaid")
    assert "disagreeing" not in "\n".join(repaid)
    assert "too few" not in "\n".join(repaid)


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
    table = performance_over_time(outcomes)
    assert table["month"].tolist() == ["2026-11"]
    assert {"AUC", "Brier", "repaid"} < set(table.columns)
    words, _ = describe_outcomes(str(path), window)
    assert "Selected: " in words[0]


def test_outcomes_are_read_by_all_labels_of_the_contract_and_open_ones_left_out(
    mixed: Monitored, tmp_path: Path
) -> None:
    ids = mixed.decide(mixed_applications(300, 3), mixed.install())
    window = load(mixed)
    contract = window.reference.contract
    labels = contract.target.labels | {"charged off": contract.label(0)}
    contract = replace(
        contract,
        target=replace(contract.target, labels=labels),
        source={"missing": {contract.target.name: ["Current"]}},
    )
    window = replace(window, reference=replace(window.reference, contract=contract))
    outcome = np.resize(["yes", "charged off", "Current", "YES"], 300)
    path = write_outcomes(tmp_path / "outcomes.csv", pd.DataFrame({"decision_id": ids, "outcome": outcome}))
    outcomes = read_outcomes(path, window)
    approved = (window.decisions["code"] == 1).to_numpy()
    assert len(outcomes) == np.sum(approved & (outcome != "Current"))
    assert outcomes["outcome"].sum() == np.sum(np.isin(outcome[approved], ["yes", "YES"]))


def test_without_outcomes_nothing_is_said_of_performance(mixed: Monitored) -> None:
    mixed.decide(mixed_applications(3, 3), mixed.install())
    words, table = describe_outcomes("", load(mixed))
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

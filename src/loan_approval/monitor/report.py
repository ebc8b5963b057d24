"""What a monitored window shows beside drift: volume, approvals, groups, refusals, reviews, shadow; and its verdict."""

from collections.abc import Sequence

import pandas as pd
from scipy.stats import binomtest

from loan_approval.drift.drift import LEVEL, LEVELS, Finding, verdict
from loan_approval.drift.statistics import correct_p_values
from loan_approval.evaluation.costs import Costs
from loan_approval.evaluation.fairness import group_rows
from loan_approval.evaluation.metrics import MISSING_BAND, wilson_interval
from loan_approval.monitor.shadow import report_shadow
from loan_approval.monitor.window import EARLIER, Window
from loan_approval.records.reading import DECISIONS, read_shadow

ALLOWED_REFUSALS = 0.01  # share of applications that may be refused for one reason without a word about it
REFUSALS_WARNING, REFUSALS_SEVERE = 0.02, 0.05
VOLUME_TIMES = 2  # as many decisions a day, or as few
FEWEST_DECISIONS = 100  # before, or expected, for their number to say something
MOST_PERIODS = 60
_PERIODS = ("min", "h", "D", "7D", "30D")
_DAY, _WEEK = pd.Timedelta(days=1), 7
_SEVERE_TIMES, _WARNING_TIMES = 3, 2  # as many as before


def approvals_over_time(decisions: pd.DataFrame) -> pd.DataFrame:
    """Return one row a period that had decisions: how many, and the share approved with its 95 % interval (Wilson).

    A period is a minute, an hour, a day, a week or 30 days: the shortest of which at most 60 span the window.
    """
    times = decisions["time"]
    span = times.max() - times.min()
    period = next((p for p in _PERIODS if span <= MOST_PERIODS * _length(p)), _PERIODS[-1])
    rows = []
    for begin, made in decisions.groupby(times.dt.floor(period)):
        approved = int((made["code"] == 1).sum())
        low, high = wilson_interval(approved, len(made))
        referred = int((made["band"] == "refer").sum())
        rows.append([begin, len(made), approved / len(made), low, high, referred])
    return pd.DataFrame(rows, columns=["begin", "decisions", "approved", "low", "high", "referred"])


def _length(period: str) -> pd.Timedelta:
    return pd.Timedelta(period if period[0].isdigit() else f"1{period}")


def volume_findings(window: Window, version: str = "", now: pd.Timestamp | None = None) -> list[Finding]:
    """Return a finding on how many decisions a day there were, beside the 30 days before; [] where that says nothing.

    So with less than a week on either side, as weekends differ; of one version alone; and beside another season. A
    window whose end is to come ends `now`.
    """
    rows, begin = window.earlier[0], window.begin
    if version or not window.reference.sha256 or begin is None or not rows:
        return []
    last = window.decisions["time"].iloc[-1]
    end = last if window.end is None else max(last, min(window.end, now or pd.Timestamp.now("UTC")))
    first = pd.Timestamp(min(path.name for path in (window.folder / DECISIONS).glob("????-??-??")), tz="UTC")
    days, days_before = (end - begin) / _DAY, (begin - max(first, begin - EARLIER)) / _DAY
    if min(days, days_before) < _WEEK:
        return []
    a_day, before = len(window.decisions) / days, rows / days_before
    far = not 1 / VOLUME_TIMES < a_day / before < VOLUME_TIMES and max(rows, before * days) >= FEWEST_DECISIONS
    words = f"{a_day:,.1f} decisions a day in {days:,.0f} days, {before:,.1f} in the {days_before:,.0f} days before"
    numbers = {"a_day": a_day, "a_day_before": before}
    return [Finding("volume", "decisions", "warning" if far else "ok", words, numbers)]


def refusal_findings(window: Window, level: float = LEVEL) -> list[Finding]:
    """Return a finding for each field and kind of fault that applications were refused for, the most frequent first.

    Their share is compared with that of the 30 days before the window, but never with less than 1 %: somebody always
    sends nonsense. An application with faults in two fields counts in both.
    """
    counts = _count_refusals(window.refusals)
    earlier_rows, earlier = window.earlier
    before = _count_refusals(earlier)
    tested = []
    for (name, kind), count in counts.items():
        rows = len(window.decisions) + count
        usual = before.get((name, kind), 0) / max(earlier_rows + before.get((name, kind), 0), 1)
        p_value = binomtest(count, rows, max(usual, ALLOWED_REFUSALS), alternative="greater").pvalue
        tested.append((name, kind, count, count / rows, usual, float(p_value)))
    corrected = correct_p_values([test[-1] for test in tested])
    return [
        _judge_refusals(*test[:-1], p <= level, bool(earlier_rows)) for test, p in zip(tested, corrected, strict=True)
    ]


def _count_refusals(refusals: pd.DataFrame) -> dict[tuple[str, str], int]:
    counts = refusals.groupby(["field", "kind"])["count"].sum().sort_values(ascending=False)
    return {key: int(count) for key, count in counts.items()}


def _judge_refusals(name: str, kind: str, count: int, share: float, usual: float, more: bool, known: bool) -> Finding:
    severe = more and share >= max(REFUSALS_SEVERE, _SEVERE_TIMES * usual)
    warning = more and share >= max(REFUSALS_WARNING, _WARNING_TIMES * usual)
    words = f"{name or 'the body'}: {count:,} refused as {kind!r}, {share:.1%} of applications"
    words += f", {usual:.1%} in the 30 days before" if known else ", no earlier log to compare with"
    grade = "severe" if severe else "warning" if warning else "ok"
    return Finding("refusals", name, grade, words, {"kind_of_fault": kind, "count": count, "share": share})


def group_approvals(window: Window) -> pd.DataFrame:
    """Return one row a group of each protected or monitored attribute: decisions and the share approved (Wilson).

    Beside it the group's share of the reference. An attribute that nobody told is left out.
    """
    rows = []
    for feature in window.reference.contract.features:
        if not (feature.protected or not feature.scored) or feature.name not in window.current:
            continue
        now = window.current[feature.name]
        before = window.reference.frame.get(feature.name, now.iloc[:0])  # nobody may have told it then
        # Both tables are cut into groups at once, so that the groups are the same.
        for name, chosen in group_rows(feature, pd.concat([before, now], ignore_index=True)).items():
            reference, made = chosen[: len(before)], window.decisions[chosen[len(before) :]]
            if len(made):
                approved = int((made["code"] == 1).sum())
                low, high = wilson_interval(approved, len(made))
                shares = (len(made) / len(now), float(reference.mean()) if len(before) else None)
                rows.append([feature.name, name, len(made), *shares, approved / len(made), low, high])
    names = ["attribute", "group", "decisions", "share", "share of the reference", "approved", "low", "high"]
    return pd.DataFrame(rows, columns=names)


def describe_groups(groups: pd.DataFrame) -> list[str]:
    """Return a sentence an attribute: the lowest and the highest approval rate among its known groups."""
    sentences = []
    for attribute, rows in groups[groups["group"] != MISSING_BAND].groupby("attribute", sort=False):
        lowest, highest = (rows.loc[order] for order in (rows["approved"].idxmin(), rows["approved"].idxmax()))
        sentences.append(
            f"{attribute}: approval rate from {lowest['approved']:.1%} ({lowest['group']}, {lowest['decisions']:,}) to "
            f"{highest['approved']:.1%} ({highest['group']}, {highest['decisions']:,})."
        )
    return sentences or ["No protected or monitored attribute was given."]


def describe_reviews(window: Window) -> str:
    """Return how many decisions were referred, how many of these a person has reviewed, and how often otherwise."""
    referred = window.decisions[window.decisions["band"] == "refer"]
    last = window.reviews.drop_duplicates("decision_id", keep="last").set_index("decision_id")["outcome"]
    codes = window.decisions.set_index("decision_id")["code"].reindex(last.index)
    words = f"{len(referred):,} of {len(window.decisions):,} decisions were referred to a person"
    if last.empty:
        return f"{words}; no review is recorded."
    said = last.str.lower().str.startswith("approve").astype(int)
    other, done = int((said != codes).sum()), int(referred["decision_id"].isin(last.index).sum())
    low, high = wilson_interval(other, len(last))
    return (
        f"{words}; {done:,} of them are reviewed. Of {len(last):,} reviewed decisions a person decided {other:,} "
        f"otherwise ({other / len(last):.1%} [{low:.1%}, {high:.1%}])."
    )


def describe_shadow(window: Window) -> list[str]:
    """Return what each challenger that scored along in the window would have changed; [] if there was none.

    Costs are those that the newest model of the window was chosen for.
    """
    lines = read_shadow(window.folder, window.begin, window.end).frame
    *_, newest = window.scorers.values()
    costs, meaning = Costs.of_rule(newest.decision_rule), window.reference.contract.target.meaning
    return [sentence for report in report_shadow(lines, costs, meaning) for sentence in report.words]


def findings_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """Return one row a finding, the worst first."""
    table = pd.DataFrame([finding.to_dict() for finding in findings])
    order = table["level"].map(LEVELS.index).sort_values(ascending=False, kind="stable").index
    shown = [name for name in ("level", "kind", "subject", "psi", "ks", "p_corrected", "words") if name in table]
    return table.loc[order, shown].reset_index(drop=True)


def conclude(findings: Sequence[Finding]) -> list[str]:
    """Return the answer in words: the verdict, then what it rests on, the worst first."""
    meanings = {
        "stable": "Stable: nothing differs from what the models were trained on by more than chance and trifles.",
        "drift": "Drift: applications or decisions differ from what the models were trained on. Whether that is a "
        "season, the market or a fault, the numbers can't tell: ask, and compare with the same months of last year.",
        "severe": "Severe: something differs so much, or is so new to the models, that their answers may be wrong. "
        "Look upstream first (units, defaults, a form that changed).",
    }
    above = [finding for finding in findings if finding.level != "ok"]
    above.sort(key=lambda finding: LEVELS.index(finding.level), reverse=True)
    told = [f"{finding.level}, {finding.kind}: {finding.words}" for finding in above]
    return [meanings[verdict(findings)], *told, f"{len(findings):,} comparisons, {len(above):,} above ok."]

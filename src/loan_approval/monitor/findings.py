"""The findings on a window: drift of features and scores, shares of decisions, volume and refusals.

Approvals are also compared by group of each protected or monitored attribute: opposite changes of groups cancel in the
total.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import binomtest, fisher_exact

from loan_approval.data.wording import feature_titles
from loan_approval.drift.drift import LEVEL, LEVELS, Finding, compare
from loan_approval.drift.measures import FEWEST_ROWS, Share, grade
from loan_approval.drift.statistics import correct_p_values
from loan_approval.evaluation.fairness import group_rows
from loan_approval.evaluation.intervals import Interval, wilson_interval
from loan_approval.evaluation.metrics import MISSING_BAND
from loan_approval.monitor.window import EARLIER, Window, window_scores
from loan_approval.records.day_files import DECISIONS

ALLOWED_REFUSALS = 0.01  # share of applications refused for one reason that is never a finding
REFUSALS_WARNING, REFUSALS_SEVERE = 0.02, 0.05
VOLUME_TIMES = 2  # as many decisions a day, or as few, are a warning
FEWEST_DECISIONS = 100  # logged before or expected now, to judge the volume
_DAY, _WEEK = pd.Timedelta(days=1), 7
_SEVERE_TIMES, _WARNING_TIMES = 3, 2  # times the earlier share of refusals
_COLUMNS = ["attribute", "group", "decisions", "share", "share of the reference", "approved"]


def compare_window(window: Window, level: float = LEVEL) -> list[Finding]:
    """Return the drift of features over the whole window, of scores and shares of decisions by version and group."""
    tables = window.reference.frame, window.current, window.reference.contract
    return compare(*tables, window_scores(window), window_shares(window) | group_shares(window), level)


def window_shares(window: Window) -> dict[str, tuple[Share, Share]]:
    """Return by version the shares of reference rows that it approves and refers, and of its decisions."""
    held_out = window.reference.X[window.reference.splits != "train"]
    shares: dict[str, tuple[Share, Share]] = {}
    for version, scorer in window.scorers.items():
        p, (low, high) = scorer.score(held_out), scorer.review_band
        made = window.decisions[window.decisions["model_version"] == version]
        approved, referred = int((made["code"] == 1).sum()), int((made["band"] == "refer").sum())
        shares[f"approvals by version {version}"] = (int(scorer.decide(p).sum()), len(p)), (approved, len(made))
        if low < high:
            before = int(np.sum((p >= low) & (p < high)))
            shares[f"referrals by version {version}"] = (before, len(p)), (referred, len(made))
    return shares


def volume_findings(window: Window, version: str = "", now: pd.Timestamp | None = None) -> list[Finding]:
    """Return a finding on the decisions a day, compared with the 30 days before.

    [] when either side is shorter than a week, as weekends differ, for one version alone, and when the reference is an
    earlier window. A window that has not ended yet ends `now`.
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
    """Return a finding for each field and kind of fault of refused applications, the most frequent first.

    Their share must be above 1 %, as some invalid applications always come, and above that of the 30 days before the
    window, where those have enough decisions to tell; each by an exact test. An application with faults in two fields
    counts in both.
    Sources: Fisher, "The logic of inductive inference", 1935; of both at once, Berger, "Multiparameter hypothesis
    testing and acceptance sampling", 1982.
    """
    earlier_rows, earlier = window.earlier
    before, decided, findings, p_values = _count_refusals(earlier), len(window.decisions), [], []
    for (name, kind), count in _count_refusals(window.refusals).items():
        rows, count_before = decided + count, before.get((name, kind), 0)
        share, usual = count / rows, count_before / max(earlier_rows + count_before, 1)
        p_values.append(binomtest(count, rows, ALLOWED_REFUSALS, alternative="greater").pvalue)
        words = f"{count:,} refused, {kind.replace('_', ' ')}: {share:.1%} of applications"
        words += f", {usual:.1%} in the 30 days before" if earlier_rows else ", no earlier log to compare with"
        if earlier_rows >= FEWEST_DECISIONS:
            table = [[count, decided], [count_before, earlier_rows]]
            p_values[-1] = max(p_values[-1], fisher_exact(table, alternative="greater").pvalue)
        limits = max(REFUSALS_WARNING, _WARNING_TIMES * usual), max(REFUSALS_SEVERE, _SEVERE_TIMES * usual)
        numbers = {"kind_of_fault": kind, "count": count, "share": share}
        findings.append(Finding("refusals", name or "the body", grade(share, *limits), words, numbers))
    corrected = correct_p_values(p_values)
    return [each if p <= level else replace(each, level="ok") for each, p in zip(findings, corrected, strict=True)]


def findings_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """Return one row a finding, the worst first."""
    table = pd.DataFrame([finding.to_dict() for finding in findings])
    order = table["level"].map(LEVELS.index).sort_values(ascending=False, kind="stable").index
    shown = [name for name in ("level", "kind", "subject", "psi", "ks", "p_corrected", "words") if name in table]
    return table.loc[order, shown].reset_index(drop=True)


def _count_refusals(refusals: pd.DataFrame) -> dict[tuple[str, str], int]:
    counts = refusals.groupby(["field", "kind"])["count"].sum().sort_values(ascending=False)
    return {key: int(count) for key, count in counts.items()}


def group_shares(window: Window) -> dict[str, tuple[Share, Share]]:
    """Return by version and group the share of reference rows that the version approves, and of its decisions.

    Groups with fewer than 30 rows on either side are left out, and so are unknown attributes.
    """
    held_out = window.reference.splits != "train"
    codes = {version: scorer.decide(scorer.score(window.reference.X)) for version, scorer in window.scorers.items()}
    approved = (window.decisions["code"] == 1).to_numpy()
    shares, titles = {}, feature_titles(window.reference.contract)
    for attribute, name, before, now in _groups(window):
        for version, decided in codes.items() if len(before) and name != MISSING_BAND else ():
            reference, made = before & held_out, now & (window.decisions["model_version"] == version).to_numpy()
            rows = int(reference.sum()), int(made.sum())
            if min(rows) >= FEWEST_ROWS:
                counts = int(decided[reference].sum()), int(approved[made].sum())
                subject = f"approvals by version {version}, {titles[attribute]}: {name}"
                shares[subject] = (counts[0], rows[0]), (counts[1], rows[1])
    return shares


def group_approvals(window: Window) -> pd.DataFrame:
    """Return one row a group: its decisions, their share of all, of the reference, and approved (Wilson's interval)."""
    rows = []
    for attribute, name, reference, chosen in _groups(window):
        made = window.decisions[chosen]
        if len(made):
            approved = int((made["code"] == 1).sum())
            shares = len(made) / len(chosen), float(reference.mean()) if len(reference) else None
            rate = Interval(approved / len(made), *wilson_interval(approved, len(made)))
            rows.append((attribute, name, len(made), *shares, rate))
    return pd.DataFrame(rows, columns=_COLUMNS)


def describe_groups(groups: pd.DataFrame) -> list[str]:
    """Return a sentence an attribute: the lowest and the highest approval rate among its known groups."""
    sentences = []
    for attribute, rows in groups[groups["group"] != MISSING_BAND].groupby("attribute", sort=False):
        ranked = sorted(rows.itertuples(), key=lambda row: row.approved.value)
        ends = [f"{row.approved.value:.1%} ({row.group}, {row.decisions:,})" for row in (ranked[0], ranked[-1])]
        sentences.append(f"{attribute}: approval rate from {' to '.join(ends)}.")
    return sentences or ["No protected or monitored attribute was given."]


def _groups(window: Window) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Yield attribute, group, and its rows in the reference and among the decisions.

    The reference has no rows when it lacks the attribute. Both are grouped together, so that the groups are the same.
    """
    for feature in window.reference.contract.features:
        if feature.name in window.current and (feature.protected or not feature.scored):
            now = window.current[feature.name]
            before = window.reference.frame.get(feature.name, now.iloc[:0])
            for name, chosen in group_rows(feature, pd.concat([before, now], ignore_index=True)).items():
                yield feature.name, name, chosen[: len(before)], chosen[len(before) :]

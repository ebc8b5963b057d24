"""May new data take the place of what a model was trained on? Contract, quality and drift, in findings.

A severe finding breaks the check: to train on such data, or to score it, would be a mistake or needs a decision first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from loan_approval.data_check.table import Table, only
from loan_approval.drift import drift
from loan_approval.drift.drift import LEVELS, Finding
from loan_approval.drift.statistics import share_p_value
from serve.contract.contract import Contract

VERDICTS = {"ok": "sound", "warning": "sound with warnings", "severe": "breaking"}


@dataclass(frozen=True)
class Limits:
    """From where on a difference is more than a note; drift and missing values have theirs in `monitor.drift`.

    chance: of a finding by chance alone when nothing has changed.   least_rows: fewer are breaking.
    fewer_rows: share of the reference's rows, fewer are a warning.   category_share: share of the reference's rows a
    category has, for its absence to be breaking.   approval_change, duplicate_rise: shares, a warning from there on.
    """

    chance: float = drift.LEVEL
    least_rows: int = 200
    fewer_rows: float = 0.5
    category_share: float = 0.01
    approval_change: float = 0.03
    duplicate_rise: float = 0.01


def check(current: Table, reference: Table, contract: Contract, limits: Limits) -> list[Finding]:
    """Return what was found of new data against the reference, the worst first, "ok" findings included.

    A column that breaks the contract in either is reported and not compared any further.
    """
    found = [*current.broken, *_check_rows(current.frame, reference.frame, limits)]
    if not current.frame.empty and not reference.frame.empty:
        names = [name for name in reference.frame.columns if name in current.frame.columns]
        before, now = reference.frame[names], current.frame[names]
        features = [name for name in names if name != contract.target.name]
        found += [*_not_compared(current, reference), *_check_duplicates(before, now, limits)]
        if contract.target.name in names:
            found += _check_target(before[contract.target.name], now[contract.target.name], contract, limits)
        found += _check_emptied(before[features], now[features])
        found += _check_categories(before, now, only(contract, features), limits)
        target = contract.target.name if contract.target.name in names else ""
        found += drift.compare(before, now, only(contract, features), level=limits.chance, target=target)
    return sorted(found, key=lambda finding: -LEVELS.index(finding.level))


def judge(findings: Sequence[Finding]) -> str:
    """Return "sound", "sound with warnings" or "breaking"."""
    return VERDICTS[drift.worst_level(findings)]


def _check_rows(now: pd.DataFrame, before: pd.DataFrame, limits: Limits) -> list[Finding]:
    rows, old = len(now), len(before)
    level = "severe" if rows < limits.least_rows else "warning" if rows < limits.fewer_rows * old else "ok"
    asked = {"severe": f"; expected at least {limits.least_rows:,}", "warning": f"; expected {limits.fewer_rows:.0%}"}
    words = f"{rows:,} rows, the reference has {old:,}{asked.get(level, '')}"
    return [Finding("rows", "rows", level, words, {"before": old, "now": rows})]


def _not_compared(current: Table, reference: Table) -> list[Finding]:
    """Return a warning for each column that new data have and the reference, read by the same contract, has not."""
    return [
        Finding("reference", name, "warning", "the reference breaks the contract here: not compared", {})
        for name in current.frame.columns
        if name not in reference.frame.columns
    ]


def _check_duplicates(before: pd.DataFrame, now: pd.DataFrame, limits: Limits) -> list[Finding]:
    old, new = (float(frame.duplicated().mean()) for frame in (before, now))
    level = "warning" if new - old >= limits.duplicate_rise else "ok"
    words = f"{new:.1%} of the rows equal an earlier one, of the reference {old:.1%}"
    return [Finding("duplicates", "rows", level, words, {"before": old, "now": new})]


def _check_target(before: pd.Series, now: pd.Series, contract: Contract, limits: Limits) -> list[Finding]:
    old, new = float(before.mean()), float(now.mean())
    words = f"{new:.1%} {contract.target.approved}, in the reference {old:.1%}"
    if now.nunique() < 2:
        level, words = "severe", f"{words}: of one class only, there is nothing to learn"
    else:
        p_value = share_p_value((int(before.sum()), len(before)), (int(now.sum()), len(now)))
        level = "warning" if abs(new - old) >= limits.approval_change and p_value <= limits.chance else "ok"
    return [Finding("target", contract.target.name, level, words, {"before": old, "now": new})]


def _check_emptied(before: pd.DataFrame, now: pd.DataFrame) -> list[Finding]:
    """Return a finding for each column that told rows apart and does not any more."""
    words = {0: "no value at all, the reference has some", 1: "one value in all rows, the reference has several"}
    return [
        Finding("constant", name, "severe", words[now[name].nunique()], {})
        for name in now.columns
        if now[name].nunique() < min(2, before[name].nunique())
    ]


def _check_categories(before: pd.DataFrame, now: pd.DataFrame, contract: Contract, limits: Limits) -> list[Finding]:
    found = []
    for feature in contract.features:
        if not feature.is_category:
            continue
        shares = before[feature.name].value_counts() / len(before)
        for value in shares.index[~np.isin(shares.index, now[feature.name].dropna().unique())]:
            share = float(shares[value])
            by_chance = (1 - share) ** len(now)  # that none of so many rows has it
            level = "severe" if share >= limits.category_share and by_chance <= limits.chance else "warning"
            words = f"no row has {value}, in the reference {share:.1%} have"
            found.append(Finding("category gone", feature.name, level, words, {"before": share, "now": 0.0}))
    return found

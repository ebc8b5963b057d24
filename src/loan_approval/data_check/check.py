"""Checks whether new data may replace a model's training data: contract, quality and drift.

A severe finding fails the check: such data must not be used for training or scoring without a person's decision.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from loan_approval.data_check.table import Table
from loan_approval.drift.drift import LEVEL, LEVELS, Finding, compare, worst_level
from loan_approval.drift.statistics import share_p_value
from serve.contract.contract import Contract
from serve.contract.numbers import count

VERDICTS = {"ok": "sound", "warning": "sound with warnings", "severe": "breaking"}


@dataclass(frozen=True)
class Limits:
    """The limits of the check; those of drift and missing values are in `drift.measures`.

    chance: of any finding when nothing has changed.   least_rows: fewer rows are severe.
    fewer_rows: share of the reference's rows, fewer are a warning.   category_share: share in the reference from which
    a category's absence is severe.   approval_change, duplicate_rise: changes of a share that are a warning.
    """

    chance: float = LEVEL
    least_rows: int = 200
    fewer_rows: float = 0.5
    category_share: float = 0.01
    approval_change: float = 0.03
    duplicate_rise: float = 0.01


def check(current: Table, reference: Table, contract: Contract, limits: Limits) -> list[Finding]:
    """Return the findings on new data against the reference, the worst first, "ok" ones included.

    What breaks the contract in either table is reported, and the rows and columns that keep it are compared.
    """
    findings = [*current.broken, _check_rows(current.frame, reference.frame, limits)]
    if not current.frame.empty and not reference.frame.empty:
        names = [name for name in reference.frame.columns if name in current.frame.columns]
        before, now = reference.frame[names], current.frame[names]
        features = replace(contract, features=tuple(f for f in contract.features if f.name in names))
        target = contract.target.name if contract.target.name in names else ""
        words = "the reference breaks the contract here: not compared"
        findings += [Finding("reference", name, "warning", words) for name in current.frame if name not in names]
        findings.append(_check_duplicates(before, now, limits))
        if target:
            findings.append(_check_target(before[target], now[target], contract, limits))
        findings += _check_constant(before, now, features)
        findings += _check_categories(before, now, features, limits)
        findings += compare(before, now, features, level=limits.chance, target=target)
    return sorted(findings, key=lambda finding: -LEVELS.index(finding.level))


def judge(findings: Sequence[Finding]) -> str:
    """Return "sound", "sound with warnings" or "breaking"."""
    return VERDICTS[worst_level(findings)]


def advise(findings: Sequence[Finding]) -> str:
    """Return what to do, in one sentence."""
    return {
        "ok": "Training may use them as they are.",
        "warning": "Ask where the data come from why they changed; then train, and read what 03_validate says.",
        "severe": "Don't train on them: mend what breaks at its source, or change the contract deliberately.",
    }[worst_level(findings)]


def _check_rows(now: pd.DataFrame, before: pd.DataFrame, limits: Limits) -> Finding:
    rows, old = len(now), len(before)
    level = "severe" if rows < limits.least_rows else "warning" if rows < limits.fewer_rows * old else "ok"
    expected = {"severe": f"at least {limits.least_rows:,}", "warning": f"{limits.fewer_rows:.0%}"}.get(level)
    words = f"{count(rows, 'row')} that {'keep' if rows != 1 else 'keeps'} the contract, the reference has {old:,}" + (
        f"; expected {expected}" if expected else ""
    )
    return Finding("rows", "rows", level, words, {"before": old, "now": rows})


def _check_duplicates(before: pd.DataFrame, now: pd.DataFrame, limits: Limits) -> Finding:
    old, new = (float(frame.duplicated().mean()) for frame in (before, now))
    level = "warning" if new - old >= limits.duplicate_rise else "ok"
    words = f"{new:.1%} of the rows equal an earlier one, of the reference {old:.1%}"
    return Finding("duplicates", "rows", level, words, {"before": old, "now": new})


def _check_target(before: pd.Series, now: pd.Series, contract: Contract, limits: Limits) -> Finding:
    old, new = float(before.mean()), float(now.mean())
    words = f"{new:.1%} {contract.label_text(1)}, in the reference {old:.1%}"
    if now.nunique() < 2:
        level, words = "severe", f"{words}: of one class only, there is nothing to learn"
    else:
        p_value = share_p_value((int(before.sum()), len(before)), (int(now.sum()), len(now)))
        level = "warning" if abs(new - old) >= limits.approval_change and p_value <= limits.chance else "ok"
    return Finding("target", contract.target.name, level, words, {"before": old, "now": new})


def _check_constant(before: pd.DataFrame, now: pd.DataFrame, contract: Contract) -> list[Finding]:
    """Return a finding for each feature that has lost all values, or all but one."""
    words = {0: "no value at all, the reference has some", 1: "one value in all rows, the reference has several"}
    counts = {f.name: (before[f.name].nunique(), now[f.name].nunique()) for f in contract.features}
    return [Finding("constant", name, "severe", words[n]) for name, (old, n) in counts.items() if n < min(2, old)]


def _check_categories(before: pd.DataFrame, now: pd.DataFrame, contract: Contract, limits: Limits) -> list[Finding]:
    findings = []
    for feature in filter(lambda feature: feature.is_category, contract.features):
        shares = before[feature.name].value_counts() / len(before)
        for value in shares.index[~np.isin(shares.index, now[feature.name].dropna().unique())]:
            share = float(shares[value])
            by_chance = (1 - share) ** len(now)  # probability that none of so many rows has the value
            level = "severe" if share >= limits.category_share and by_chance <= limits.chance else "warning"
            words = f"no row has {value}, in the reference {share:.1%} have"
            findings.append(Finding("category gone", feature.name, level, words, {"before": share, "now": 0.0}))
    return findings

"""Approvals by group of each protected or monitored attribute: opposite changes of groups cancel in the total."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from loan_approval.drift.measures import FEWEST_ROWS, Share
from loan_approval.evaluation.fairness import group_rows
from loan_approval.evaluation.metrics import MISSING_BAND, wilson_interval
from loan_approval.monitor.window import Window

_COLUMNS = ["attribute", "group", "decisions", "share", "share of the reference", "approved", "low", "high"]


def group_shares(window: Window) -> dict[str, tuple[Share, Share]]:
    """Return by version and group the share of reference rows that the version approves, and of its decisions.

    Groups with fewer than 30 rows on either side are left out, and so are unknown attributes.
    """
    held_out = window.reference.splits != "train"
    codes = {version: scorer.decide(scorer.score(window.reference.X)) for version, scorer in window.scorers.items()}
    approved = (window.decisions["code"] == 1).to_numpy()
    shares = {}
    for attribute, name, before, now in _groups(window):
        for version, decided in codes.items() if len(before) and name != MISSING_BAND else ():
            reference, made = before & held_out, now & (window.decisions["model_version"] == version).to_numpy()
            rows = int(reference.sum()), int(made.sum())
            if min(rows) >= FEWEST_ROWS:
                counts = int(decided[reference].sum()), int(approved[made].sum())
                subject = f"approvals by version {version}, {attribute} {name}"
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
            rows.append(
                (attribute, name, len(made), *shares, approved / len(made), *wilson_interval(approved, len(made)))
            )
    return pd.DataFrame(rows, columns=_COLUMNS)


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

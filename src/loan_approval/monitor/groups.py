"""Whether one group's approvals moved: of few people, or while others' moved the other way, the total hides it."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loan_approval.drift.measures import FEWEST_ROWS, Share
from loan_approval.evaluation.fairness import group_rows
from loan_approval.evaluation.metrics import MISSING_BAND

if TYPE_CHECKING:
    from loan_approval.monitor.window import Window
    from serve.contract.feature import Feature


def group_shares(window: "Window") -> dict[str, tuple[Share, Share]]:
    """Return by version and group of each protected or monitored attribute how many reference rows it approves, and how
    many of its decisions it did; groups of fewer than 30 on either side, and of those who did not tell, are left out.
    """
    held_out = window.reference.splits != "train"
    codes = {version: scorer.decide(scorer.score(window.reference.X)) for version, scorer in window.scorers.items()}
    made_by = {version: (window.decisions["model_version"] == version).to_numpy() for version in codes}
    approved = (window.decisions["code"] == 1).to_numpy()
    shares = {}
    for feature in window.reference.contract.features:
        for name, (before, now) in _groups(window, feature).items():
            for version, decided in codes.items():
                reference, made = before & held_out, now & made_by[version]
                if min(reference.sum(), made.sum()) >= FEWEST_ROWS:
                    counts = (int(decided[reference].sum()), int(approved[made].sum()))
                    share = (counts[0], int(reference.sum())), (counts[1], int(made.sum()))
                    shares[f"approvals by version {version}, {feature.name} {name}"] = share
    return shares


def _groups(window: "Window", feature: "Feature") -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the rows of each group in the reference and among the decisions; {} where it is not watched or not told.

    Both are cut into groups at once, so that the groups are the same.
    """
    tables = window.reference.frame, window.current
    if not (feature.protected or not feature.scored) or any(feature.name not in table for table in tables):
        return {}
    groups = group_rows(feature, pd.concat([table[feature.name] for table in tables], ignore_index=True))
    rows = len(tables[0])
    return {name: (chosen[:rows], chosen[rows:]) for name, chosen in groups.items() if name != MISSING_BAND}

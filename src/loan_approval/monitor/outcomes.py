"""Judges the scores of approved applications by their outcomes, which are known months later."""

from pathlib import Path

import numpy as np
import pandas as pd

from loan_approval.errors import DataError
from loan_approval.evaluation.metrics import auc_interval, bootstrap, wilson_interval
from loan_approval.monitor.window import Window

COLUMNS = ["decision_id", "outcome"]
FEWEST_ROWS = 30  # of a month, to show its metrics


def read_outcomes(path: Path, window: Window) -> pd.DataFrame:
    """Return decision_id, time, probability and outcome (1 = repaid) of the approved decisions whose outcome is known.

    path: a CSV of `decision_id,outcome`, with the target's labels as outcomes. Declined applications have no outcome,
    so the rows are selected by the model and say nothing about those.
    Raises DataError, also when the contract's target is a past decision and no repayment.
    """
    target = window.reference.contract.target
    if target.meaning != "repaid":
        raise DataError(f"the target {target.name} means {target.meaning!r}, expected 'repaid' to judge by outcomes")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as err:
        raise DataError(f"{path}: can't be read as CSV, expected {','.join(COLUMNS)}") from err
    if list(table.columns) != COLUMNS or table["decision_id"].duplicated().any():
        raise DataError(f"{path}: expected the columns {','.join(COLUMNS)}, and each decision once")
    unknown = ~table["outcome"].isin(target.labels)
    if unknown.any():
        lines = ", ".join(str(row + 2) for row in np.flatnonzero(unknown)[:10])
        raise DataError(f"{path}: no outcome in lines {lines}, expected one of {', '.join(target.labels)}")
    approved = window.decisions.loc[window.decisions["code"] == 1, ["decision_id", "time", "probability"]]
    known = approved.merge(table, on="decision_id")
    return known.assign(outcome=(known["outcome"] == target.positive).astype(int))


def performance_over_time(outcomes: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return one row a month: AUC, Brier score, mean probability and share repaid, each as text with its interval.

    The AUC among approved applications is lower than among all.
    """
    rows = []
    for month, made in outcomes.groupby(outcomes["time"].dt.strftime("%Y-%m")):
        y, p = made["outcome"].to_numpy(), made["probability"].to_numpy()
        row = {"month": month, "approved with outcome": len(y), "mean probability": f"{p.mean():.3f}"}
        if len(y) >= FEWEST_ROWS:
            low, high = wilson_interval(int(y.sum()), len(y))
            row["repaid"] = f"{y.mean():.3f} [{low:.3f}, {high:.3f}]"
            row["AUC"] = str(auc_interval(y, p, seed)) if 0 < y.sum() < len(y) else "a single outcome"
            row["Brier"] = str(bootstrap(lambda drawn, e=(p - y) ** 2: float(np.mean(e[drawn])), len(y), seed))
        rows.append(row)
    return pd.DataFrame(rows)


def describe_outcomes(path: str, window: Window, seed: int) -> tuple[list[str], pd.DataFrame]:
    """Return sentences and the table of performance over time; without a file, that none was given."""
    if not path:
        return ["No outcomes were given: how right the decisions were is not known."], pd.DataFrame()
    outcomes = read_outcomes(Path(path), window)
    approved = int((window.decisions["code"] == 1).sum())
    words = [
        f"Outcomes of {len(outcomes):,} of {approved:,} approved applications. Selected: who was declined has none, "
        "so neither wrong denials nor the ranking of all who apply can be judged by them."
    ]
    return words, performance_over_time(outcomes, seed)

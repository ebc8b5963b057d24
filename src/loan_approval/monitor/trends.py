"""How applications and decisions moved from month to month, each compared with the same reference."""

import pandas as pd

from loan_approval.drift.measures import Measure, measure_feature, measure_score, take_sample
from loan_approval.monitor.window import Window, window_scores

SCORE = "score"
COUNTED = ["month", "decisions", "approved"]  # columns before those of the stability indices


def monthly(window: Window) -> pd.DataFrame:
    """Return one row a calendar month (UTC) with decisions.

    Columns: `month`, `decisions`, `approved` (a share), then one for each feature and `SCORE`: its population stability
    index against the reference, less what chance adds to it, NaN where too few values are known to compare.
    The score is that of the newest version in the window.
    """
    times = window.decisions["time"].dt.tz_localize(None).dt.to_period("M")
    rows = [_month(window, month, index) for month, index in window.decisions.groupby(times).groups.items()]
    return pd.DataFrame(rows)


def describe_months(table: pd.DataFrame) -> str:
    """Return in one sentence what moved most between the first and the last month."""
    if len(table) < 2:
        return "The window lies within one month: there is no trend to show yet."
    first, last = table.iloc[0], table.iloc[-1]
    words = (
        f"From {first['month']} to {last['month']} the share approved went from {first['approved']:.1%} to "
        f"{last['approved']:.1%}, decisions a month from {first['decisions']:,} to {last['decisions']:,}"
    )
    moved = table.drop(columns=COUNTED).iloc[-1].dropna()
    if moved.empty:
        return f"{words}; there are too few decisions to compare distributions."
    return f"{words}; furthest from the reference in {last['month']} is {moved.idxmax()} (PSI {moved.max():.3f})."


def _month(window: Window, month: pd.Period, index: pd.Index) -> dict[str, object]:
    made, current = window.decisions.loc[index], window.current.loc[index]
    contract = window.reference.contract
    features = [feature for feature in contract.features if feature.name in current]
    sides = [(f, take_sample(f, window.reference.frame[f.name]), take_sample(f, current[f.name])) for f in features]
    distances = {feature.name: measure_feature(feature, before, now)[0] for feature, before, now in sides}
    *_, (before, _) = window_scores(window).values()
    newest = made.loc[made["model_version"] == list(window.scorers)[-1], "probability"].to_numpy()
    distances[SCORE] = measure_score(SCORE, before, newest)
    row = {"month": str(month), "decisions": len(made), "approved": float((made["code"] == 1).mean())}
    return row | {name: _excess(measure) for name, measure in distances.items()}


def _excess(measure: Measure) -> float:
    numbers = measure.numbers
    return max(0.0, numbers["psi"] - numbers["psi_by_chance"]) if "psi" in numbers else float("nan")

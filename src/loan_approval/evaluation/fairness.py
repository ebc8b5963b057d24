"""How groups of people fare: rates, errors and calibration by protected and monitored attribute.

Figures to watch, not a gate and not a legal verdict: a ratio below four fifths asks for an explanation, one above it
excuses nothing (the rule of thumb is the employment guidelines', 29 CFR 1607.4(D), not Regulation B's).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame, selection_rate

from loan_approval.evaluation.metrics import MISSING_BAND, Interval, bootstrap, quantile_bands
from serve.contract.contract import Contract
from serve.contract.feature import Feature

FEWEST_ROWS = 30  # of a group, for its approval rate to count in the ratio
BANDS = 4  # quantile bands of a number that has many values
FOUR_FIFTHS = 0.8
_ERROR_RATES = (("true_positive_rate", 1), ("false_positive_rate", 0))  # and the label of the rows they are rates of


def measure_fairness(
    contract: Contract, frame: pd.DataFrame, y: np.ndarray, p: np.ndarray, decided: np.ndarray, seed: int
) -> list[dict[str, Any]]:
    """Return one JSON document an attribute that the contract protects or monitors; [] if there is none.

    frame: (n, k) columns of the contract, of the same rows as the (n,) labels, probabilities and decided codes.
    Each document has `attribute`, `use`, `protected`, `groups` (rates of a group without such rows are null), and
    `ratio`: the lowest approval rate over the highest, with its 95 % bootstrap interval, among the groups of at least
    `FEWEST_ROWS` rows whose attribute is known; null if there are not two of them, or if none of them is approved.
    `gaps`: the largest difference in true and in false positive rate, likewise, among groups of so many rows to err on.
    """
    watched = [feature for feature in contract.features if feature.protected or not feature.scored]
    return [_measure(feature, frame[feature.name], y, p, decided, seed) for feature in watched]


def fairness_table(fairness: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row a group of what `measure_fairness` found."""
    rows = [{"attribute": found["attribute"], **group} for found in fairness for group in found["groups"]]
    return pd.DataFrame(rows)


def describe_fairness(fairness: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return one sentence an attribute on its approval rates, their ratio, and the gaps in its error rates."""
    return [_describe(found) for found in fairness]


def group_rows(feature: Feature, column: pd.Series) -> dict[str, np.ndarray]:
    """Return the (n,) bool rows of each group of an attribute: ascending, or in contract order; unknown comes last.

    An age is cut where the contract says that it becomes elderly, another number of many values at its quantiles.
    """
    if feature.elderly_from is not None:
        boundary = f"{feature.elderly_from:g}"
        names = np.where(column >= feature.elderly_from, f"{boundary} and over", f"under {boundary}")
        column = pd.Series(np.where(column.isna(), None, names), dtype=object)
        order = [f"under {boundary}", f"{boundary} and over"]
        groups = quantile_bands(column, BANDS)
    else:
        groups = quantile_bands(column, BANDS)
        known = [name for name in groups if name != MISSING_BAND]
        order = list(feature.values) or sorted(known, key=lambda name: column[groups[name]].min())
    return {name: groups[name] for name in [*order, MISSING_BAND] if name in groups}


def _measure(
    feature: Feature, column: pd.Series, y: np.ndarray, p: np.ndarray, decided: np.ndarray, seed: int
) -> dict[str, Any]:
    groups = group_rows(feature, column)
    names, codes = list(groups), np.argmax([*groups.values()], axis=0)
    measured = MetricFrame(
        metrics={
            "approval_rate": selection_rate,
            "true_positive_rate": _true_positive_rate,
            "false_positive_rate": _false_positive_rate,
            "mean_probability": _mean_probability,
            "observed_rate": _observed_rate,
        },
        y_true=y,
        y_pred=decided,
        sensitive_features=codes,
        sample_params={"mean_probability": {"p": p}},
    ).by_group
    counts = np.bincount(codes, minlength=len(names))
    compared = [k for k, name in enumerate(names) if name != MISSING_BAND and counts[k] >= FEWEST_ROWS]
    ratio = approval_ratio(codes, decided, compared, seed)
    gaps = {kind: rate_gap(codes[y == label], decided[y == label], compared, seed) for kind, label in _ERROR_RATES}
    return {
        "attribute": feature.name,
        "use": feature.use,
        "protected": feature.protected,
        "groups": [
            {"group": name, "rows": int(counts[k]), "compared": k in compared, **_without_nan(measured.loc[k])}
            for k, name in enumerate(names)
        ],
        "ratio": asdict(ratio) if ratio else None,
        "gaps": {kind: asdict(gap) if gap else None for kind, gap in gaps.items()},
    }


def approval_ratio(codes: np.ndarray, decided: np.ndarray, compared: Sequence[int], seed: int) -> Interval | None:
    """Return the lowest approval rate over the highest among the compared groups, with its 95 % bootstrap interval.

    codes: (n,) the group of each row.   Rows are drawn anew regardless of group. None for fewer than two groups, or
    when nobody in them is approved.
    """
    compared = list(compared)

    def ratio(rows: np.ndarray) -> float:
        size = max(compared) + 1
        count = np.bincount(codes[rows], minlength=size)[compared]
        approved = np.bincount(codes[rows], decided[rows], minlength=size)[compared]
        rates = approved / np.maximum(count, 1)
        return float(rates.min() / rates.max()) if count.all() and rates.max() > 0 else float("nan")

    if len(compared) < 2 or np.isnan(ratio(np.arange(len(codes)))):
        return None
    return bootstrap(ratio, len(codes), seed)


def rate_gap(codes: np.ndarray, decided: np.ndarray, compared: Sequence[int], seed: int) -> Interval | None:
    """Return the highest approval rate less the lowest among the compared groups, with its 95 % bootstrap interval.

    codes, decided: (n,) of the rows with one label.   Groups with fewer than `FEWEST_ROWS` of them are left out; None
    when two are not left. The largest of many differences is above zero by chance alone, and so is its interval.
    """
    counts = np.bincount(codes, minlength=max(compared, default=0) + 1)
    kept = [k for k in compared if counts[k] >= FEWEST_ROWS]
    if len(kept) < 2:
        return None

    def gap(rows: np.ndarray) -> float:
        count = np.bincount(codes[rows], minlength=len(counts))[kept]
        rates = np.bincount(codes[rows], decided[rows], minlength=len(counts))[kept] / np.maximum(count, 1)
        return float(rates.max() - rates.min()) if count.all() else float("nan")

    return bootstrap(gap, len(codes), seed)


# Fairlearn's own true and false positive rates say 0 for a group without such rows; there, nothing is known.


def _true_positive_rate(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    return _share(np.asarray(y_pred)[np.asarray(y_true) == 1])


def _false_positive_rate(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    return _share(np.asarray(y_pred)[np.asarray(y_true) == 0])


def _share(approved: np.ndarray) -> float:
    return float(approved.mean()) if len(approved) else float("nan")


def _mean_probability(y_true: np.ndarray, y_pred: np.ndarray, p: np.ndarray) -> float:
    return float(np.mean(p))


def _observed_rate(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    return float(np.mean(y_true))


def _without_nan(row: pd.Series) -> dict[str, float | None]:
    return {str(key): None if np.isnan(value) else float(value) for key, value in row.items()}


def _describe(found: Mapping[str, Any]) -> str:
    ratio, compared = found["ratio"], [group for group in found["groups"] if group["compared"]]
    if ratio is None:
        return f"{found['attribute']}: no two groups with {FEWEST_ROWS} rows and an approval among them to compare."
    lowest, highest = (pick(compared, key=lambda group: group["approval_rate"]) for pick in (min, max))
    side = "below four fifths" if ratio["value"] < FOUR_FIFTHS else "at or above four fifths"
    return (
        f"{found['attribute']}: approval rate from {lowest['approval_rate']:.1%} ({lowest['group']}, "
        f"{lowest['rows']:,} rows) to {highest['approval_rate']:.1%} ({highest['group']}, {highest['rows']:,} rows), "
        f"ratio {ratio['value']:.2f} [{ratio['low']:.2f}, {ratio['high']:.2f}], {side}; {describe_gaps(found['gaps'])}."
    )


def describe_gaps(gaps: Mapping[str, Mapping[str, float] | None]) -> str:
    """Return in words by how much at most the groups differ in their error rates."""
    return ", ".join(
        f"largest difference in {kind.replace('_', ' ')} "
        + (f"{gap['value']:.3f} [{gap['low']:.3f}, {gap['high']:.3f}]" if gap else "not known (too few rows)")
        for kind, gap in gaps.items()
    )

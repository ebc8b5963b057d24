"""How groups of people fare: rates, errors and calibration by protected and monitored attribute.

Figures to watch, not a gate and not a legal verdict: a ratio below four fifths asks for an explanation, one above it
excuses nothing (the rule of thumb is the employment guidelines', 29 CFR 1607.4(D), not Regulation B's).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame, selection_rate

from loan_approval.evaluation.intervals import Interval, bootstrap
from loan_approval.evaluation.metrics import MISSING_BAND, quantile_bands
from serve.contract.contract import Contract
from serve.contract.feature import Feature

Statistic = Callable[[np.ndarray], float]
FEWEST_ROWS = 30  # of a group, for its approval rate to count in the ratio
BANDS = 4  # quantile bands of a number that has many values
FOUR_FIFTHS = 0.8
_ERROR_RATES = {"true_positive_rate": 1, "false_positive_rate": 0}  # and the label of the rows they are rates of


def measure_fairness(
    contract: Contract,
    frame: pd.DataFrame,
    y: np.ndarray,
    p: np.ndarray,
    decided: np.ndarray,
    seed: int,
    equal: np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """Return a JSON document for each attribute that the contract protects or monitors.

    frame: (n, k) columns of the contract, of the same rows as the (n,) labels, probabilities and decided codes.
    equal: (n,) the number of the distinct row that each row is, None where all are distinct: equal rows are drawn
    together for the intervals.
    Each document has `attribute`, `use`, `protected`, and `groups` (a rate of no rows is null). `ratio` is the lowest
    approval rate over the highest, with its 95 % interval, among the groups of at least `FEWEST_ROWS` rows whose
    attribute is known; null for fewer than two, or when nobody in them is approved. `gaps` are the largest differences
    in true and in false positive rate, likewise, among groups with that many rows of the label.
    """
    watched = [feature for feature in contract.features if feature.protected or not feature.scored]
    return [_measure(feature, frame[feature.name], y, p, decided, seed, equal) for feature in watched]


def fairness_table(fairness: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row a group of what `measure_fairness` returns."""
    return pd.DataFrame([{"attribute": each["attribute"], **group} for each in fairness for group in each["groups"]])


def group_rows(feature: Feature, column: pd.Series) -> dict[str, np.ndarray]:
    """Return the (n,) bool rows of each group of an attribute: ascending, or in contract order; unknown comes last.

    An age is cut where the contract says that it becomes elderly, another number of many values at its quantiles.
    """
    order = list(feature.values)
    if feature.elderly_from is not None:
        order = [f"under {feature.elderly_from:g}", f"{feature.elderly_from:g} and over"]
        names = np.where(column >= feature.elderly_from, order[1], order[0])
        column = pd.Series(np.where(column.isna(), None, names), dtype=object)
    groups = quantile_bands(column, BANDS)
    known = [name for name in groups if name != MISSING_BAND]
    order = order or sorted(known, key=lambda name: column[groups[name]].min())
    return {name: groups[name] for name in [*order, MISSING_BAND] if name in groups}


def _measure(
    feature: Feature,
    column: pd.Series,
    y: np.ndarray,
    p: np.ndarray,
    decided: np.ndarray,
    seed: int,
    equal: np.ndarray | None,
) -> dict[str, Any]:
    groups = group_rows(feature, column)
    names, codes = list(groups), np.argmax([*groups.values()], axis=0)
    measured = MetricFrame(
        metrics={
            "approval_rate": selection_rate,
            **{rate: _approved_of(label) for rate, label in _ERROR_RATES.items()},
            "mean_probability": lambda y_true, y_pred, p: float(np.mean(p)),
            "observed_rate": lambda y_true, y_pred: float(np.mean(y_true)),
        },
        y_true=y,
        y_pred=decided,
        sensitive_features=codes,
        sample_params={"mean_probability": {"p": p}},
    ).by_group.astype(object)
    measured = measured.where(measured.notna(), None)
    counts = np.bincount(codes, minlength=len(names))
    compared = [k for k, name in enumerate(names) if name != MISSING_BAND and counts[k] >= FEWEST_ROWS]
    equal = np.arange(len(y)) if equal is None else equal
    ratio = approval_ratio(codes, decided, compared, seed, equal)
    gaps = {
        kind: rate_gap(codes[y == label], decided[y == label], compared, seed, equal[y == label])
        for kind, label in _ERROR_RATES.items()
    }
    return {
        "attribute": feature.name,
        "use": feature.use,
        "protected": feature.protected,
        "groups": [
            {"group": name, "rows": int(counts[k]), "compared": k in compared, **rates}
            for k, (name, rates) in enumerate(zip(names, measured.to_dict("records"), strict=True))
        ],
        "ratio": asdict(ratio) if ratio else None,
        "gaps": {rate: asdict(gap) if gap else None for rate, gap in gaps.items()},
    }


def approval_ratio(
    codes: np.ndarray, decided: np.ndarray, compared: Sequence[int], seed: int, equal: np.ndarray | None = None
) -> Interval | None:
    """Return the lowest approval rate over the highest among the compared groups, with its 95 % interval.

    codes: (n,) the group of each row.   equal: as in `measure_fairness`.   None for fewer than two groups, or when
    nobody in them is approved.
    """

    def ratio(rates: np.ndarray) -> float:
        return float(rates.min() / rates.max()) if rates.any() else float("nan")

    return _compare_rates(codes, decided, compared, ratio, seed, equal)


def rate_gap(
    codes: np.ndarray, decided: np.ndarray, compared: Sequence[int], seed: int, equal: np.ndarray | None = None
) -> Interval | None:
    """Return the highest approval rate less the lowest among the compared groups, with its 95 % interval.

    codes, decided: (n,) of the rows with one label.   Groups with fewer than `FEWEST_ROWS` of them are left out; None
    when two are not left. The largest of many differences is above zero by chance alone, and so is its interval.
    """
    counts = np.bincount(codes, minlength=max(compared, default=0) + 1)
    kept = [k for k in compared if counts[k] >= FEWEST_ROWS]
    return _compare_rates(codes, decided, kept, lambda rates: float(rates.max() - rates.min()), seed, equal)


def _compare_rates(
    codes: np.ndarray,
    decided: np.ndarray,
    compared: Sequence[int],
    statistic: Statistic,
    seed: int,
    equal: np.ndarray | None,
) -> Interval | None:
    """Return statistic(approval rates of the compared groups) with its interval over rows drawn regardless of group."""
    if len(compared) < 2:
        return None
    groups, size = list(compared), max(compared) + 1

    def of_rows(rows: np.ndarray) -> float:
        count = np.bincount(codes[rows], minlength=size)[groups]
        rates = np.bincount(codes[rows], decided[rows], minlength=size)[groups] / np.maximum(count, 1)
        return statistic(rates) if count.all() else float("nan")

    return bootstrap(of_rows, len(codes), seed, equal)


def _approved_of(label: int) -> Callable[[np.ndarray, np.ndarray], float]:
    """Return the approval rate of rows with this label, NaN for no rows; Fairlearn's own rates are 0 there."""
    return lambda y_true, y_pred: float(pd.Series(y_pred)[np.asarray(y_true) == label].mean())


def describe_fairness(measured: Mapping[str, Any]) -> str:
    """Return a sentence on an attribute's approval rates, their ratio, and the gaps in its error rates."""
    ratio, compared = measured["ratio"], [group for group in measured["groups"] if group["compared"]]
    if ratio is None:
        return f"{measured['attribute']}: no two groups with {FEWEST_ROWS} rows and an approval among them to compare."
    lowest, highest = (pick(compared, key=lambda group: group["approval_rate"]) for pick in (min, max))
    side = "below four fifths" if ratio["value"] < FOUR_FIFTHS else "at or above four fifths"
    gaps = [
        f"largest difference in {rate.replace('_', ' ')} {Interval(**gap) if gap else 'not known (too few rows)'}"
        for rate, gap in measured["gaps"].items()
    ]
    return (
        f"{measured['attribute']}: approval rate from {lowest['approval_rate']:.1%} ({lowest['group']}, "
        f"{lowest['rows']:,} rows) to {highest['approval_rate']:.1%} ({highest['group']}, {highest['rows']:,} rows), "
        f"ratio {ratio['value']:.2f} [{ratio['low']:.2f}, {ratio['high']:.2f}], {side}; {', '.join(gaps)}."
    )

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

from loan_approval.evaluation.intervals import Interval, effective_rows
from loan_approval.evaluation.metrics import MISSING_BAND, name_band, quantile_bands
from loan_approval.evaluation.rates import BELOW, LEVEL, UNSURE, Rate, judge_four_fifths, rate_difference, rate_ratio
from serve.contract.contract import Contract
from serve.contract.feature import Feature

FEWEST_ROWS = 30  # of a group, for its approval rate to count in the ratio
BANDS = 4  # quantile bands of a number that has many values
_NO_RATIO = {"ratio": None, "call": None}
_ERROR_RATES = {"true_positive_rate": 1, "false_positive_rate": 0}  # and the label of the rows they are rates of
# The rows that an error rate is of, in words.
OF_LABEL = {"true_positive_rate": "with the favourable label", "false_positive_rate": "with the other label"}


def measure_fairness(
    contract: Contract,
    frame: pd.DataFrame,
    y: np.ndarray,
    p: np.ndarray,
    decided: np.ndarray,
    equal: np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """Return a JSON document for each attribute that the contract protects or monitors.

    frame: (n, k) columns of the contract, of the same rows as the (n,) labels, probabilities and decided codes.
    equal: (n,) the number of the distinct row that each row is, None where all are distinct: equal rows say as much as
    their effective number.
    Each document has `attribute`, `use`, `protected`, and `groups` (a rate of no rows is null). Groups of at least
    `FEWEST_ROWS` rows whose attribute is known are compared with the largest of them, the `reference`, which no
    outcome chooses. Each has its `ratio` of approval rates with a 95 % interval, and the `call` on four fifths, which
    is wrong for any group of an attribute in at most 5 %. `ratio` is the lowest of them; null for fewer than two
    groups, or when nobody in the reference is approved. `gaps` are the largest differences from the reference in true
    and false positive rate, among groups with that many rows of the label; their intervals hold for all groups at once.
    """
    watched = [feature for feature in contract.features if feature.protected or not feature.scored]
    equal = np.arange(len(y)) if equal is None else equal
    return [_measure(feature, frame[feature.name], y, p, decided, equal) for feature in watched]


def fairness_table(fairness: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row a group of what `measure_fairness` returns."""
    return pd.DataFrame([{"attribute": each["attribute"], **group} for each in fairness for group in each["groups"]])


def group_rows(feature: Feature, column: pd.Series) -> dict[str, np.ndarray]:
    """Return the (n,) bool rows of each group of an attribute: ascending, or in contract order; unknown comes last.

    An age is cut where the contract says that it becomes elderly, another number of many values at its quantiles.
    """
    order = [name_band(feature.show(value)) for value in feature.values]
    if feature.elderly_from is not None:
        order = [f"under {feature.elderly_from:g}", f"{feature.elderly_from:g} and over"]
        names = np.where(column >= feature.elderly_from, order[1], order[0])
        column = pd.Series(np.where(column.isna(), None, names), dtype=object)
    groups = quantile_bands(column, BANDS, feature)
    known = [name for name in groups if name != MISSING_BAND]
    order = order or sorted(known, key=lambda name: column[groups[name]].min())
    return {name: groups[name] for name in [*order, MISSING_BAND] if name in groups}


def _measure(
    feature: Feature,
    column: pd.Series,
    y: np.ndarray,
    p: np.ndarray,
    decided: np.ndarray,
    equal: np.ndarray,
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
    ratios = approval_ratios(codes, decided, compared, equal)
    gaps = {
        kind: rate_gap(codes[y == label], decided[y == label], compared, equal[y == label])
        for kind, label in _ERROR_RATES.items()
    }
    return {
        "attribute": feature.name,
        "use": feature.use,
        "protected": feature.protected,
        "reference": names[_largest(codes, compared)] if compared else None,
        "groups": [
            {"group": name, "rows": int(counts[k]), "compared": k in compared, **rates, **ratios.get(k, _NO_RATIO)}
            for k, (name, rates) in enumerate(zip(names, measured.to_dict("records"), strict=True))
        ],
        "ratio": min((each["ratio"] for each in ratios.values()), key=lambda ratio: ratio["value"], default=None),
        "gaps": {rate: asdict(gap) if gap else None for rate, gap in gaps.items()},
    }


def approval_ratios(
    codes: np.ndarray, decided: np.ndarray, compared: Sequence[int], equal: np.ndarray
) -> dict[int, dict[str, Any]]:
    """Return by compared group but the largest its `ratio` to the largest one's approval rate, and the `call`.

    codes: (n,) the group of each row.   equal: as in `measure_fairness`.   {} when nobody in the largest is approved.
    """
    if not compared:
        return {}
    reference, others = _rates(codes, decided, compared, equal)
    ratios = {k: rate_ratio(rate, reference) for k, rate in others.items()}
    return {
        k: {"ratio": asdict(ratio), "call": judge_four_fifths(others[k], reference, len(others))}
        for k, ratio in ratios.items()
        if ratio is not None
    }


def rate_gap(codes: np.ndarray, decided: np.ndarray, compared: Sequence[int], equal: np.ndarray) -> Interval | None:
    """Return the largest difference of a group's approval rate from that of the largest group, with its interval.

    codes, decided, equal: (n,) of the rows with one label.   Groups with fewer than `FEWEST_ROWS` of them are left out;
    None when two are not left. The interval is that of all differences at once (Bonferroni), as the largest is picked.
    """
    counts = np.bincount(codes, minlength=max(compared, default=0) + 1)
    kept = [k for k in compared if counts[k] >= FEWEST_ROWS]
    if len(kept) < 2:
        return None
    reference, others = _rates(codes, decided, kept, equal)
    gaps = [rate_difference(rate, reference, LEVEL / len(others)) for rate in others.values()]
    return max(gaps, key=lambda gap: abs(gap.value))


def _largest(codes: np.ndarray, compared: Sequence[int]) -> int:
    return max(compared, key=lambda k: (int(np.sum(codes == k)), -k))


def _rates(
    codes: np.ndarray, decided: np.ndarray, compared: Sequence[int], equal: np.ndarray
) -> tuple[Rate, dict[int, Rate]]:
    """Return approvals and rows of the largest group and of each other one, as many as say the same without copies."""
    rates = {}
    for k in compared:
        rows = effective_rows(equal[codes == k], decided[codes == k])
        rates[k] = float(np.mean(decided[codes == k])) * rows, rows
    return rates.pop(_largest(codes, compared)), rates


def _approved_of(label: int) -> Callable[[np.ndarray, np.ndarray], float]:
    """Return the approval rate of rows with this label, NaN for no rows; Fairlearn's own rates are 0 there."""
    return lambda y_true, y_pred: float(pd.Series(y_pred)[np.asarray(y_true) == label].mean())


def describe_four_fifths(fairness: Sequence[Mapping[str, Any]]) -> str:
    """Return in one sentence which groups lie, or may lie, below four fifths of the largest group's approval rate."""
    calls: dict[str, list[str]] = {}
    for each in fairness:
        for group in each["groups"]:
            if group["call"]:
                shown = f"{each['attribute']}: {group['group']} ({group['ratio']['value']:.2f})"
                calls.setdefault(group["call"], []).append(shown)
    below, unsure = calls.get(BELOW), calls.get(UNSURE)
    if not calls:
        return "No two groups of a protected or monitored attribute are large enough to compare."
    words = f"Approved less than four fifths as often as the largest group: {', '.join(below or ['no group'])}"
    return f"{words}; unsure: {', '.join(unsure)}." if unsure else f"{words}."


def describe_fairness(measured: Mapping[str, Any]) -> str:
    """Return a sentence on an attribute's approval rates, their ratio, and the gaps in its error rates."""
    compared = [group for group in measured["groups"] if group["ratio"]]
    if not compared:
        return f"{measured['attribute']}: no two groups with {FEWEST_ROWS} rows and an approval among them to compare."
    reference = next(group for group in measured["groups"] if group["group"] == measured["reference"])
    against = [
        f"{group['group']} {group['approval_rate']:.1%}, ratio {group['ratio']['value']:.2f} "
        f"[{group['ratio']['low']:.2f}, {group['ratio']['high']:.2f}], {group['call']}"
        for group in compared
    ]
    gaps = [
        f"largest difference among rows {OF_LABEL[rate]} {Interval(**gap) if gap else 'not known (too few rows)'}"
        for rate, gap in measured["gaps"].items()
    ]
    return (
        f"{measured['attribute']}: approval rate {reference['approval_rate']:.1%} in the largest group "
        f"({reference['group']}, {reference['rows']:,} rows); {'; '.join(against)}; {', '.join(gaps)}."
    )

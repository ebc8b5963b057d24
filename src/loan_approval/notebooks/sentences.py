"""Sentences that say what a figure says on these rows; y, p, decided: (n,) labels, probabilities, codes."""

import numpy as np
import pandas as pd

from loan_approval.data.draft_feature import LEAK_AUC
from loan_approval.evaluation.costs import Costs, CostWords
from loan_approval.evaluation.intervals import Interval, wilson_interval
from loan_approval.evaluation.metrics import MISSING_BAND
from loan_approval.evaluation.reliability import Reliability

IS_LEAK = (
    " Applications hardly tell so much: some features together may give the outcome away. Was each feature that the "
    "model relies on known before the decision? What was not: use = 'monitor' in contract.toml."
)
# Rows: with fewer, intervals of 95 % were simulated to hold the truth less often, or more.
FEW_OF_A_LABEL, FEW_WRONG, FEW_FOR_THRESHOLD, FEW_FOR_CALIBRATION = 30, 5, 300, 100
ON_CROSS_VALIDATION = "In simulations this interval held the mean AUC of such models in 90 to 97 % of the samples."
NEARLY_PERFECT = 0.02  # share of wrong decisions, where the average precision may be as high
NEAR = 0.05  # of the threshold, in probability
TAIL = 0.025  # chance that an interval of 95 % lies above the share that it is of


def on_confusion(y: np.ndarray, decided: np.ndarray, words: CostWords) -> str:
    """Say how many rows are decided wrongly, and in which way."""
    rows, approvals, denials = len(y), int(np.sum(decided > y)), int(np.sum(decided < y))
    return (
        f"Of {rows:,} rows, {approvals:,} ({approvals / rows:.1%}) are wrong approvals ({words.wrong_approval}) and "
        f"{denials:,} ({denials / rows:.1%}) wrong denials ({words.wrong_denial})."
    )


def on_roc(auc: Interval, approved: str) -> str:
    """Say what the AUC means, and ask for leaks where it is too good. approved: the label of code 1."""
    return (
        f"AUC {auc}: of two rows with different labels, the one labelled {approved} scores higher in {auc.value:.0%} "
        "of the cases; chance would be 50%." + IS_LEAK * (auc.low >= LEAK_AUC)
    )


def on_coverage(y: np.ndarray, decided: np.ndarray) -> str:
    """Say how often intervals of such rows hold the truth. Source: simulated, docs/explanation/intervals.md."""
    rarer, wrong = (int(min(np.sum(codes[0]), np.sum(codes[1]))) for codes in ((y, 1 - y), (decided > y, decided < y)))
    few = []
    if rarer <= FEW_OF_A_LABEL:
        few.append(
            "that of the AUC and of its gain in 89 to 99 %, and those of other metrics in 70 to 100 %, "
            f"as {rarer} rows have the rarer label"
        )
    if wrong < FEW_WRONG:
        few.append(f"those of costs in 90 to 99 %, as {wrong} of the rows are decided wrongly in one of the two ways")
    if len(y) < FEW_FOR_CALIBRATION:
        few.append(f"that of the calibration error in 90 to 97 %, with {len(y)} rows")
    if np.mean(decided != y) < NEARLY_PERFECT:
        few.append("that of an average precision above 0.995 in as little as 74 %, as it may end too low")
    known = "In simulations, intervals of 95 % held the truth in 92 to 98 % of the samples"
    copies = "Where many rows are copies of others, or belong to few customers, some held it in 89 %."
    return f"{known}{'; ' + ' and '.join(few) if few else ' of this size'}. {copies}"


def on_threshold(calibrate: int) -> str:
    """Say how often the interval of a threshold holds the best one, by the rows that chose it. Source: as above."""
    if calibrate >= FEW_FOR_THRESHOLD:
        return ""
    return f"With {calibrate} rows to choose it on, this interval held the best threshold in 71 to 99 % of simulations."


def on_calibration(reliability: Reliability) -> str:
    """Say whether the probabilities are further off than chance explains."""
    verdict = "chance alone explains it" if reliability.ece.low == 0 else "more than chance explains"
    return (
        f"On average a bin's share is {100 * reliability.ece.value:.1f} percentage points off its probability "
        f"(ECE {reliability.ece}): {verdict}, as right probabilities would show {100 * reliability.ece_by_chance:.1f}."
    )


def on_scores(p: np.ndarray, threshold: float) -> str:
    """Say how many rows lie where a small change flips the decision."""
    near = np.mean(np.abs(p - threshold) < NEAR)
    return f"{near:.1%} of the rows score within {NEAR:g} of the threshold {threshold:.3f}: there small changes decide."


def on_costs(y: np.ndarray, decided: np.ndarray, costs: Costs, words: CostWords) -> str:
    """Say what the decisions cost beside approving and denying everybody."""
    own, approve, deny = (float(np.mean(costs.of_decisions(y, codes))) for codes in (decided, 1, 0))
    return f"{words.cost.capitalize()}: {own:.3f}; approving everybody would cost {approve:.3f}, nobody {deny:.3f}."


def on_approvals(y: np.ndarray, p: np.ndarray, threshold: float, band: tuple[float, float]) -> str:
    """Say how many are approved and how many a person looks at."""
    approved, positive = np.mean(p >= threshold), np.mean(y)
    referred = np.mean((p >= band[0]) & (p < band[1]))
    people = f"{referred:.1%} are referred to a person" if band[0] < band[1] else "nobody is referred to a person"
    return f"{approved:.1%} are approved at threshold {threshold:.3f} (in the data, {positive:.1%}); {people}."


def on_importance(importance: pd.Series) -> str:
    """Say which features weigh most, and which weigh next to nothing."""
    sizes = importance.abs().sort_values(ascending=False)
    idle = sizes.index[sizes < 0.01 * sizes.max()]
    first = ", ".join(f"{name} ({importance[name]:.2g})" for name in sizes.index[:3])
    return f"Most weight have {first}." + (f" Next to none: {', '.join(map(str, idle[:5]))}." if len(idle) else "")


def on_gains(gains: pd.DataFrame, label: str) -> str:
    """Say how many rows of label 0 the lowest scores hold, of `gains_table`."""
    first = gains.iloc[0]
    share = first["rows"] / gains["rows"].sum()
    return (
        f"The {share:.0%} of the rows with the lowest scores hold {first['gain']:.0%} of all {label} "
        f"[{first['gain_low']:.0%}, {first['gain_high']:.0%}], {first['lift']:.1f} times as many as by chance "
        f"[{first['lift_low']:.1f}, {first['lift_high']:.1f}]; {first['share_of_zeros']:.0%} of them are {label}."
    )


def on_precision(y: np.ndarray, decided: np.ndarray, label: str) -> str:
    """Say how many of the approved have label 1, and how many of these are approved."""
    right, approved, ones = int(np.sum((decided == 1) & (y == 1))), int(np.sum(decided)), int(np.sum(y))
    of_approved = f"{right / approved:.1%} of the approved are {label}" if approved else "Nobody is approved"
    return f"{of_approved}; {right / max(ones, 1):.1%} of all {label} are approved."


def on_slices(slices: pd.DataFrame, overall: float, compared: int) -> str:
    """Say which slices are worse than all rows by more than their interval, of `slice_errors`.

    compared: how many slices there are, the ones not shown included.
    """
    lows = [wilson_interval(each.error_rate * each.rows, each.rows)[0] for each in slices.itertuples()]
    worse = slices[np.array(lows) > overall] if lows else slices
    if worse.empty:
        return f"No slice is wrong more often than all rows ({overall:.1%}) by more than its 95 % interval."
    worst = worse.head(5).itertuples()
    names = "; ".join(
        f"{each.feature} {'missing' if each.band == MISSING_BAND else each.band}: {each.error_rate:.1%}"
        for each in worst
    )
    by_chance = f"by chance alone, about {max(1, round(TAIL * compared)):,} of {compared:,} slices would be."
    return f"Wrong more often than all rows ({overall:.1%}) by more than the 95 % interval: {names}; {by_chance}"

"""Compares the challengers in the shadow log with their champion: how often and in which direction they differ.

No outcome is known here, so expected costs are computed from the probabilities of each model in turn. Applications are
taken as independent; repeated requests of one caller make the intervals too narrow.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from loan_approval.evaluation.costs import Costs, name_errors
from loan_approval.evaluation.metrics import Interval

FEW_FLIPS = 10  # with fewer, the interval of their cost is unreliable
_Z = 1.959964  # of 95 %
_NEEDED = ["probability", "code", "champion_probability", "champion_code"]


@dataclass(frozen=True)
class Expected:
    """Mean expected cost an application of each model's decisions; saving: the difference, with its 95 % interval."""

    champion: float
    challenger: float
    saving: Interval


@dataclass(frozen=True)
class ShadowReport:
    """One challenger and one champion on `rows` applications; shares with Wilson's 95 % interval.

    alike: decided alike.   approved, denied: by the challenger alone.   difference: its mean probability of approval
    less the champion's.   by_champion, by_challenger: expected costs by that model's probabilities.
    """

    version: str
    sha256: str
    champion_sha256: str
    rows: int
    begin: pd.Timestamp
    end: pd.Timestamp
    flips: dict[str, int]
    alike: Interval
    approved: Interval
    denied: Interval
    difference: Interval
    by_champion: Expected
    by_challenger: Expected

    def describe(self, meaning: str = "past_decision") -> list[str]:
        """Return the report in sentences; meaning: of the contract's target."""
        name, flips = f"version {self.version}", sum(self.flips.values())
        side = "above" if self.difference.value >= 0 else "below"
        words = [
            f"{name} in the shadow of {self.champion_sha256[:12]}: {self.rows:,} applications from "
            f"{self.begin:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M} UTC",
            f"{_percent(self.alike)} decided alike; {_percent(self.approved)} approved by {name} alone, "
            f"{_percent(self.denied)} denied by it alone",
            f"its probability of approval lies {abs(self.difference.value):.4f} {side} on average, 95 % interval of "
            f"the difference [{self.difference.low:.4f}, {self.difference.high:.4f}]",
            *(
                f"{name_errors(meaning).cost}, by the probabilities of {whose}: {expected.champion:.4f} as decided, "
                f"{expected.challenger:.4f} as {name} decides, saving {expected.saving}"
                for whose, expected in (("the champion", self.by_champion), (name, self.by_challenger))
            ),
            "these costs are what the models expect, not what came: each favours the decisions of its own threshold",
        ]
        if flips < FEW_FLIPS:
            words.append(f"only {flips} applications are decided otherwise: too few to say what that costs")
        return words


def report_shadow(frame: pd.DataFrame, costs: Costs) -> list[ShadowReport]:
    """Return a report for each pair of challenger and champion in the log, the latest last.

    frame: `reading.read_shadow(folder).frame`.   costs: of the decision rule.
    """
    groups = frame.dropna(subset=_NEEDED).groupby(["model_version", "model_sha256", "champion_sha256"], sort=False)
    return sorted((_report(key, rows, costs) for key, rows in groups), key=lambda report: report.end)


def _report(key: tuple[str, str, str], rows: pd.DataFrame, costs: Costs) -> ShadowReport:
    p, code, old_p, old_code = (rows[name].to_numpy(float) for name in _NEEDED)
    approved, denied, n = int(np.sum(code > old_code)), int(np.sum(code < old_code)), len(rows)
    return ShadowReport(
        *key,
        rows=n,
        begin=rows["time"].min(),
        end=rows["time"].max(),
        flips={"approved": approved, "denied": denied},
        alike=_share(n - approved - denied, n),
        approved=_share(approved, n),
        denied=_share(denied, n),
        difference=_mean(p - old_p, 1.0),
        by_champion=_expect(old_p, code, old_code, costs),
        by_challenger=_expect(p, code, old_code, costs),
    )


def _share(count: int, rows: int) -> Interval:
    interval = binomtest(count, rows).proportion_ci(method="wilson")
    return Interval(count / rows, float(interval.low), float(interval.high))


def _expect(p: np.ndarray, code: np.ndarray, old_code: np.ndarray, costs: Costs) -> Expected:
    """Return the expected cost of both models' (n,) codes if approving is right with (n,) probability p."""
    wrong_approval, wrong_denial = (1 - p) * costs.wrong_approval, p * costs.wrong_denial
    new, old = (np.where(codes == 1, wrong_approval, wrong_denial) for codes in (code, old_code))
    saving = _mean(old - new, max(costs.wrong_approval, costs.wrong_denial))
    return Expected(float(old.mean()), float(new.mean()), saving)


def _mean(values: np.ndarray, most: float) -> Interval:
    """Return a mean with its 95 % interval (normal); [-most, most] for a single value."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, -most, most)
    half = _Z * float(np.std(values, ddof=1)) / np.sqrt(len(values))
    return Interval(mean, mean - half, mean + half)


def _percent(share: Interval) -> str:
    return f"{share.value:.1%} [{share.low:.1%}, {share.high:.1%}]"

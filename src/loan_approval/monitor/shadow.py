"""What the shadow log says to whoever decides on a promotion: how often, and which way, the challenger differs.

No outcome is known here. Expected costs are therefore the models' own: by the probabilities of each of them in turn.
Applications are taken as independent; a caller who asks again and again makes the intervals too narrow.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from loan_approval.evaluation.costs import Costs, name_errors
from loan_approval.evaluation.metrics import Interval

FEW_FLIPS = 10  # below, an interval of what the flips cost can't be believed
_Z = 1.959964  # of 95 %
_NEEDED = ["probability", "code", "champion_probability", "champion_code"]


@dataclass(frozen=True)
class Expected:
    """Mean expected cost an application by one model's probabilities; `saving` is what the challenger's decisions save
    there, with a 95 % interval by the normal approximation.
    """

    champion: float
    challenger: float
    saving: Interval


@dataclass(frozen=True)
class ShadowReport:
    """One challenger beside one champion on `rows` applications that were answered; shares with Wilson's 95 % interval.

    alike: decided alike.   approved, denied: what only the challenger approves, or denies.   difference: its mean
    probability of approval less the champion's.   by_champion, by_challenger: whose probabilities are believed.
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
    words: tuple[str, ...] = ()


def report_shadow(frame: pd.DataFrame, costs: Costs, meaning: str = "past_decision") -> list[ShadowReport]:
    """Return a report for each challenger and champion that the log has together, the latest last.

    frame: `reading.read_shadow(folder).frame`.   costs: of the decision rule.   meaning: the target's.
    """
    frame = frame.dropna(subset=_NEEDED)
    names = ["model_version", "model_sha256", "champion_sha256"]
    reports = [_report(key, rows, costs, meaning) for key, rows in frame.groupby(names, sort=False)]
    return sorted(reports, key=lambda report: report.end)


def _share(count: int, rows: int) -> Interval:
    interval = binomtest(count, rows).proportion_ci(method="wilson")
    return Interval(count / rows, float(interval.low), float(interval.high))


def _report(key: tuple[str, str, str], rows: pd.DataFrame, costs: Costs, meaning: str) -> ShadowReport:
    p, code, old_p, old_code = (rows[name].to_numpy(float) for name in _NEEDED)
    flips = {"approved": int(np.sum(code > old_code)), "denied": int(np.sum(code < old_code))}
    n = len(rows)
    report = ShadowReport(
        *key,
        rows=n,
        begin=rows["time"].min(),
        end=rows["time"].max(),
        flips=flips,
        alike=_share(n - sum(flips.values()), n),
        approved=_share(flips["approved"], n),
        denied=_share(flips["denied"], n),
        difference=_mean(p - old_p, 1.0),
        by_champion=_expect(old_p, code, old_code, costs),
        by_challenger=_expect(p, code, old_code, costs),
    )
    return replace(report, words=_describe(report, meaning))


def _expect(p: np.ndarray, code: np.ndarray, old_code: np.ndarray, costs: Costs) -> Expected:
    """Return what both models' (n,) codes are expected to cost if (n,) p is the chance that approving is right."""
    new, old = (
        np.where(each == 1, (1 - p) * costs.wrong_approval, p * costs.wrong_denial) for each in (code, old_code)
    )
    return Expected(
        float(old.mean()), float(new.mean()), _mean(old - new, max(costs.wrong_approval, costs.wrong_denial))
    )


def _mean(values: np.ndarray, most: float) -> Interval:
    """Return a mean with its 95 % interval; a single value, at most `most` away from 0, may be anywhere."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, -most, most)
    half = _Z * float(np.std(values, ddof=1)) / np.sqrt(len(values))
    return Interval(mean, mean - half, mean + half)


def _describe(report: ShadowReport, meaning: str) -> tuple[str, ...]:
    name, flips = f"version {report.version}", sum(report.flips.values())
    side = "above" if report.difference.value >= 0 else "below"
    words = [
        f"{name} in the shadow of {report.champion_sha256[:12]}: {report.rows:,} applications from "
        f"{report.begin:%Y-%m-%d %H:%M} to {report.end:%Y-%m-%d %H:%M} UTC",
        f"{_percent(report.alike)} decided alike; {_percent(report.approved)} approved by {name} alone, "
        f"{_percent(report.denied)} denied by it alone",
        f"its probability of approval lies {abs(report.difference.value):.4f} {side} on average, 95 % interval of the "
        f"difference [{report.difference.low:.4f}, {report.difference.high:.4f}]",
        *(
            f"{name_errors(meaning).cost}, by the probabilities of {whose}: {expected.champion:.4f} as decided, "
            f"{expected.challenger:.4f} as {name} decides, saving {expected.saving}"
            for whose, expected in (("the champion", report.by_champion), (name, report.by_challenger))
        ),
        "these costs are what the models expect, not what came: each favours the decisions of its own threshold",
    ]
    if flips < FEW_FLIPS:
        words.append(f"only {flips} applications are decided otherwise: too few to say what that costs")
    return tuple(words)


def _percent(share: Interval) -> str:
    return f"{share.value:.1%} [{share.low:.1%}, {share.high:.1%}]"

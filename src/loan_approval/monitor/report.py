"""The monitor's report: approvals over time, reviews, the challengers against their champion, and the verdict.

For challengers no outcome is known, so expected costs are computed from the probabilities of each model in turn.
Applications are taken as independent; repeated requests of one caller make the intervals too narrow.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from loan_approval.drift.drift import LEVELS, Finding, verdict
from loan_approval.evaluation.costs import Costs, name_errors
from loan_approval.evaluation.metrics import Interval, wilson_interval
from loan_approval.monitor.window import Window
from loan_approval.records.reading import read_shadow

MOST_PERIODS = 60
FEW_FLIPS = 10  # with fewer, the interval of their cost is unreliable
_Z = 1.959964  # of 95 %
_NEEDED = ["probability", "code", "champion_probability", "champion_code"]
_PERIODS = ("1min", "1h", "1D", "7D", "30D")


def approvals_over_time(decisions: pd.DataFrame) -> pd.DataFrame:
    """Return one row a period with decisions: their number, and the share approved with its 95 % interval (Wilson).

    A period is the shortest of a minute, an hour, a day, a week and 30 days of which at most 60 span the window.
    """
    times = decisions["time"]
    span = times.max() - times.min()
    period = next((period for period in _PERIODS if span <= MOST_PERIODS * pd.Timedelta(period)), _PERIODS[-1])
    rows = []
    for begin, made in decisions.groupby(times.dt.floor(period)):
        approved, referred = int((made["code"] == 1).sum()), int((made["band"] == "refer").sum())
        rows.append((begin, len(made), approved / len(made), *wilson_interval(approved, len(made)), referred))
    return pd.DataFrame(rows, columns=["begin", "decisions", "approved", "low", "high", "referred"])


def describe_reviews(window: Window) -> str:
    """Return how many decisions were referred and reviewed, and how often a reviewer decided otherwise."""
    referred = window.decisions[window.decisions["band"] == "refer"]
    last = window.reviews.drop_duplicates("decision_id", keep="last").set_index("decision_id")["outcome"]
    codes = window.decisions.set_index("decision_id")["code"].reindex(last.index)
    words = f"{len(referred):,} of {len(window.decisions):,} decisions were referred to a person"
    if last.empty:
        return f"{words}; no review is recorded."
    reviewed = last.str.lower().str.startswith("approve").astype(int)
    other, done = int((reviewed != codes).sum()), int(referred["decision_id"].isin(last.index).sum())
    low, high = wilson_interval(other, len(last))
    return (
        f"{words}; {done:,} of them are reviewed. Of {len(last):,} reviewed decisions a person decided {other:,} "
        f"otherwise ({other / len(last):.1%} [{low:.1%}, {high:.1%}])."
    )


def describe_shadow(window: Window) -> list[str]:
    """Return what each challenger in the shadow log would have changed; [] if there was none.

    The costs are those of the newest model of the window.
    """
    lines = read_shadow(window.folder, window.begin, window.end).frame
    *_, newest = window.scorers.values()
    costs, meaning = Costs.of_rule(newest.decision_rule), window.reference.contract.target.meaning
    return [sentence for report in report_shadow(lines, costs) for sentence in report.describe(meaning)]


def conclude(findings: Sequence[Finding]) -> list[str]:
    """Return the verdict in words, then the findings it follows from, the worst first."""
    meanings = {
        "stable": "Stable: nothing differs from what the models were trained on by more than chance and trifles.",
        "drift": "Drift: applications or decisions differ from what the models were trained on. Whether that is a "
        "season, the market or a fault, the numbers can't tell: ask, and compare with the same months of last year.",
        "severe": "Severe: something differs so much, or is so new to the models, that their answers may be wrong. "
        "Look upstream first (units, defaults, a form that changed).",
    }
    above = [finding for finding in findings if finding.level != "ok"]
    above.sort(key=lambda finding: LEVELS.index(finding.level), reverse=True)
    reasons = [f"{finding.level}, {finding.kind}: {finding.words}" for finding in above]
    return [meanings[verdict(findings)], *reasons, f"{len(findings):,} comparisons, {len(above):,} above ok."]


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
    counts = {"alike": n - approved - denied, "approved": approved, "denied": denied}
    return ShadowReport(
        *key,
        rows=n,
        begin=rows["time"].min(),
        end=rows["time"].max(),
        flips={"approved": approved, "denied": denied},
        **{name: Interval(count / n, *wilson_interval(count, n)) for name, count in counts.items()},
        difference=_mean(p - old_p, 1.0),
        by_champion=_expect(old_p, code, old_code, costs),
        by_challenger=_expect(p, code, old_code, costs),
    )


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

"""The monitor's report: approvals over time, reviews, the challenger's disagreement, and the verdict."""

from collections.abc import Sequence

import pandas as pd

from loan_approval.drift.drift import LEVELS, Finding, verdict
from loan_approval.evaluation.costs import Costs
from loan_approval.evaluation.metrics import wilson_interval
from loan_approval.monitor.shadow import report_shadow
from loan_approval.monitor.window import Window
from loan_approval.records.reading import read_shadow

MOST_PERIODS = 60
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

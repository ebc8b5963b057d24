"""The monitor's report: approvals over time, reviews, outcomes, the challengers against their champion, the verdict.

For challengers no outcome is known, so expected costs are computed from the probabilities of each model in turn.
Applications are taken as independent; repeated requests of one caller make the intervals too narrow.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from loan_approval.data.csv_files import encode_target
from loan_approval.drift.drift import LEVELS, Finding, verdict
from loan_approval.errors import DataError
from loan_approval.evaluation.auc import auc_interval
from loan_approval.evaluation.costs import Costs, name_errors
from loan_approval.evaluation.intervals import Interval, wilson_interval
from loan_approval.evaluation.metrics import brier_interval
from loan_approval.monitor.window import Window
from loan_approval.records.reading import read_shadow

MOST_PERIODS = 60
FEW_FLIPS = 10  # with fewer, the interval of their cost is unreliable
_NEEDED = ["probability", "code", "champion_probability", "champion_code"]
_PERIODS = ("1min", "1h", "1D", "7D", "30D")
_OUTCOMES = ["decision_id", "outcome"]
FEWEST_ROWS = 30  # of a month, to show its metrics


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
    return (
        f"{words}; {done:,} of them are reviewed. Of {len(last):,} reviewed decisions a person decided {other:,} "
        f"otherwise ({_share(other, len(last))})."
    )


def describe_shadow(window: Window) -> list[str]:
    """Return what each challenger in the shadow log would have changed; [] if there was none.

    The costs are those of the newest model of the window.
    """
    lines = read_shadow(window.folder, window.begin, window.end).frame
    *_, newest = window.scorers.values()
    costs, meaning = Costs.of_rule(newest.decision_rule), window.reference.contract.target.meaning
    return list(chain.from_iterable(report_shadow(lines, costs, meaning)))


def conclude(findings: Sequence[Finding], names: Mapping[str, str]) -> list[str]:
    """Return the verdict in words, then the findings it follows from, the worst first. names: as in `Finding.say`."""
    meanings = {
        "stable": "Stable: nothing differs from what the models were trained on by more than chance and trifles.",
        "drift": "Drift: applications or decisions differ from what the models were trained on. Whether that is a "
        "season, the market or a fault, the numbers can't tell: ask, and compare with the same months of last year.",
        "severe": "Severe: something differs so much, or is so new to the models, that their answers may be wrong. "
        "Look upstream first (units, defaults, a form that changed).",
    }
    above = [finding for finding in findings if finding.level != "ok"]
    above.sort(key=lambda finding: LEVELS.index(finding.level), reverse=True)
    reasons = [f"{finding.level}, {finding.kind}: {finding.say(names)}" for finding in above]
    return [meanings[verdict(findings)], *reasons, f"{len(findings):,} comparisons, {len(above):,} above ok."]


def report_shadow(frame: pd.DataFrame, costs: Costs, meaning: str = "past_decision") -> list[list[str]]:
    """Return sentences on each pair of challenger and champion in the log, the latest last.

    frame: `reading.read_shadow(folder).frame`.   costs: of the decision rule.   meaning: of the contract's target.
    Each pair is compared on its applications: the shares with Wilson's 95 % interval, the mean difference of the
    probabilities, and the expected costs by either model's probabilities.
    """
    groups = frame.dropna(subset=_NEEDED).groupby(["model_version", "model_sha256", "champion_sha256"], sort=False)
    pairs = sorted(groups, key=lambda pair: pair[1]["time"].max())
    return [_describe_pair(*key, rows, costs, name_errors(meaning).cost) for key, rows in pairs]


def _describe_pair(version: str, _: str, champion: str, rows: pd.DataFrame, costs: Costs, cost: str) -> list[str]:
    p, code, old_p, old_code = (rows[name].to_numpy(float) for name in _NEEDED)
    approved, denied, n = int(np.sum(code > old_code)), int(np.sum(code < old_code)), len(rows)
    name, difference = f"version {version}", _mean(p - old_p, 1.0)
    side = "above" if difference.value >= 0 else "below"
    words = [
        f"{name} in the shadow of {champion[:12]}: {n:,} applications from {rows['time'].min():%Y-%m-%d %H:%M} to "
        f"{rows['time'].max():%Y-%m-%d %H:%M} UTC",
        f"{_share(n - approved - denied, n)} decided alike; {_share(approved, n)} approved by {name} alone, "
        f"{_share(denied, n)} denied by it alone",
        f"its probability lies {abs(difference.value):.4f} {side} on average, 95 % interval of "
        f"the difference [{difference.low:.4f}, {difference.high:.4f}]",
    ]
    for whose, believed in (("the champion", old_p), (name, p)):
        old, new, saving = expect_costs(believed, code, old_code, costs)
        expected = f"{old:.4f} as decided, {new:.4f} as {name} decides, saving {saving}"
        words.append(f"{cost}, by the probabilities of {whose}: {expected}")
    words.append(
        "these costs are what the models expect, not what came: each favours the decisions of its own threshold"
    )
    if approved + denied < FEW_FLIPS:
        words.append(f"only {approved + denied} applications are decided otherwise: too few to say what that costs")
    return words


def expect_costs(p: np.ndarray, code: np.ndarray, old_code: np.ndarray, costs: Costs) -> tuple[float, float, Interval]:
    """Return the mean expected cost of the champion's and the challenger's (n,) codes, and what the latter saves.

    p: (n,) the probability that approving is right.
    """
    wrong_approval, wrong_denial = (1 - p) * costs.wrong_approval, p * costs.wrong_denial
    new, old = (np.where(codes == 1, wrong_approval, wrong_denial) for codes in (code, old_code))
    return float(old.mean()), float(new.mean()), _mean(old - new, max(costs.wrong_approval, costs.wrong_denial))


def _mean(values: np.ndarray, most: float) -> Interval:
    """Return a mean with its 95 % interval (t of the values that are not 0); [-most, most] for a single one.

    Of the applications that two models decide alike, none says how far the costs of the others spread.
    """
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, -most, most)
    times = stdtrit(max(1, np.count_nonzero(values) - 1), 0.975)
    half = times * float(np.std(values, ddof=1)) / np.sqrt(len(values))
    return Interval(mean, mean - half, mean + half)


def _share(count: int, rows: int) -> str:
    low, high = wilson_interval(count, rows)
    return f"{count / rows:.1%} [{low:.1%}, {high:.1%}]"


def read_outcomes(path: Path, window: Window) -> pd.DataFrame:
    """Return decision_id, time, probability and outcome (1 = repaid) of the approved decisions whose outcome is known.

    path: a CSV of `decision_id,outcome`, with the target's labels as outcomes; those that the contract's [source] calls
    missing, such as of a loan still open, are left out. Declined applications have no outcome, so the rows are selected
    by the model and say nothing about those.
    Raises DataError, also when the contract's target is a past decision and no repayment.
    """
    target = window.reference.contract.target
    if target.meaning != "repaid":
        raise DataError(f"the target {target.name} means {target.meaning!r}, expected 'repaid' to judge by outcomes")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as err:
        raise DataError(f"{path}: can't be read as CSV, expected {','.join(_OUTCOMES)}") from err
    if list(table.columns) != _OUTCOMES or table["decision_id"].duplicated().any():
        raise DataError(f"{path}: expected the columns {','.join(_OUTCOMES)}, and each decision once")
    codes, faults = encode_target(table["outcome"], window.reference.contract)
    still_open = table["outcome"].isin(window.reference.contract.source.get("missing", {}).get(target.name, ()))
    if unknown := [row for row in faults if not still_open[row]]:
        lines = ", ".join(str(row + 2) for row in unknown[:10])
        raise DataError(f"{path}: no outcome in lines {lines}, expected one of {', '.join(target.labels)}")
    table = table.assign(outcome=codes)[~still_open]
    approved = window.decisions.loc[window.decisions["code"] == 1, ["decision_id", "time", "probability"]]
    return approved.merge(table, on="decision_id")


def performance_over_time(outcomes: pd.DataFrame) -> pd.DataFrame:
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
            row["AUC"] = str(auc_interval(y, p)) if 0 < y.sum() < len(y) else "a single outcome"
            row["Brier"] = str(brier_interval(y, p))
        rows.append(row)
    return pd.DataFrame(rows)


def describe_outcomes(path: str, window: Window) -> tuple[list[str], pd.DataFrame]:
    """Return sentences and the table of performance over time; without a file, that none was given."""
    if not path:
        return ["No outcomes were given: how right the decisions were is not known."], pd.DataFrame()
    outcomes = read_outcomes(Path(path), window)
    approved = int((window.decisions["code"] == 1).sum())
    words = (
        f"Outcomes of {len(outcomes):,} of {approved:,} approved applications. Selected: who was declined has none, "
        "so neither wrong denials nor the ranking of all who apply can be judged by them."
    )
    return [words], performance_over_time(outcomes)

"""The human half of a decision: what a person decided about it, and why."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from loan_approval.errors import LogError
from loan_approval.records.log_files import append_line, changing
from loan_approval.records.logged_decision import find_decision
from loan_approval.records.prediction_log import REVIEWS

OUTCOMES = ("approve", "decline")
LONGEST = 4000  # characters of a reason


def add_review(folder: Path, decision_id: str, outcome: str, reviewer: str, reason: str) -> dict[str, str]:
    """Append a person's outcome of a logged decision and return its line; an earlier one stays, the last one counts.

    Raises LogError when there is no such decision, and for an outcome, reviewer or reason that can't be used.
    """
    reviewer, reason = reviewer.strip(), reason.strip()
    if outcome not in OUTCOMES:
        raise LogError(f"outcome {outcome!r}, expected {' or '.join(OUTCOMES)}")
    for what, text in (("reviewer", reviewer), ("reason", reason)):
        if not 0 < len(text) <= LONGEST or not text.isprintable():
            raise LogError(f"{what}: expected 1 to {LONGEST:,} printable characters")
    with changing(folder):  # the decision can't be erased between the look and the line
        find_decision(folder, decision_id)
        time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        review = {"time": time, "decision_id": decision_id, "reviewer": reviewer, "outcome": outcome, "reason": reason}
        append_line(folder / REVIEWS, review)
    return review


def with_reviews(decisions: pd.DataFrame, reviews: pd.DataFrame) -> pd.DataFrame:
    """Return the decisions with the last review of each in `reviewed`, `reviewer`, `outcome` and `review_reason`.

    `reviewed` is its time; all four are missing where nobody has reviewed the decision.
    """
    names = {"time": "reviewed", "reviewer": "reviewer", "outcome": "outcome", "reason": "review_reason"}
    last = reviews.drop_duplicates("decision_id", keep="last").rename(columns=names)
    return decisions.merge(last[["decision_id", *names.values()]], on="decision_id", how="left")

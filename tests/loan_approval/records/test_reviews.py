import json
from pathlib import Path

import pandas as pd
import pytest

from loan_approval import cli
from loan_approval.errors import LogError
from loan_approval.records.prediction_log import read_decisions, read_reviews
from loan_approval.records.reviews import add_review, with_reviews
from tests.prediction_logs import make_line, write_lines


@pytest.fixture
def ids(tmp_path: Path) -> list[str]:
    lines = [make_line({"n": n}) for n in range(3)]
    write_lines(tmp_path, lines)
    return [line["decision_id"] for line in lines]


def test_the_last_review_of_a_decision_counts(tmp_path: Path, ids: list[str]) -> None:
    add_review(tmp_path, ids[0], "approve", "ana", "income was verified")
    add_review(tmp_path, ids[1], "decline", "ana", "papers are missing")
    add_review(tmp_path, ids[0], "decline", "rui", "the employer denies it")
    reviews = read_reviews(tmp_path).frame
    assert len(reviews) == 3
    joined = with_reviews(read_decisions(tmp_path).frame, reviews).set_index("decision_id")
    assert joined.loc[ids[0], ["outcome", "reviewer", "review_reason"]].tolist() == [
        *("decline", "rui", "the employer denies it")
    ]
    assert joined.loc[ids[1], "outcome"] == "decline"
    assert pd.isna(joined.loc[ids[2], "outcome"])
    assert str(joined["reviewed"].dtype) == str(joined["time"].dtype)


def test_decisions_join_where_nobody_has_reviewed_any(tmp_path: Path, ids: list[str]) -> None:
    joined = with_reviews(read_decisions(tmp_path).frame, read_reviews(tmp_path).frame)
    assert joined["decision_id"].tolist() == ids
    assert joined["outcome"].isna().all()


def test_a_decision_that_is_not_in_the_log_is_not_reviewed(tmp_path: Path, ids: list[str]) -> None:
    with pytest.raises(LogError, match="no decision 'unheard-of'"):
        add_review(tmp_path, "unheard-of", "approve", "ana", "because")
    assert not (tmp_path / "reviews.jsonl").exists()
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("outcome", "reviewer", "reason", "message"),
    [
        ("perhaps", "ana", "because", "outcome 'perhaps', expected approve or decline"),
        ("approve", "  ", "because", "reviewer: expected"),
        ("approve", "ana", "", "reason: expected"),
        ("approve", "ana", "two\nlines", "reason: expected"),
        ("approve", "ana", "a" * 4001, "reason: expected 1 to 4,000"),
    ],
)
def test_a_review_without_outcome_name_or_reason_is_refused(
    tmp_path: Path, ids: list[str], outcome: str, reviewer: str, reason: str, message: str
) -> None:
    with pytest.raises(LogError, match=message):
        add_review(tmp_path, ids[0], outcome, reviewer, reason)


def test_a_log_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="nowhere: not there"):
        add_review(tmp_path / "nowhere", "an-id", "approve", "ana", "because")
    assert not (tmp_path / "nowhere").exists()


def test_a_torn_review_gives_way_to_the_next(tmp_path: Path, ids: list[str]) -> None:
    add_review(tmp_path, ids[0], "approve", "ana", "first")
    path = tmp_path / "reviews.jsonl"
    path.write_bytes(path.read_bytes() + path.read_bytes()[:30])
    add_review(tmp_path, ids[1], "approve", "ana", "second")
    assert read_reviews(tmp_path).frame["reason"].tolist() == ["first", "second"]


def test_a_review_that_lacks_its_newline_only_is_kept(tmp_path: Path, ids: list[str]) -> None:
    add_review(tmp_path, ids[0], "approve", "ana", "first")
    path = tmp_path / "reviews.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    add_review(tmp_path, ids[1], "approve", "ana", "second")
    assert read_reviews(tmp_path).frame["reason"].tolist() == ["first", "second"]


def test_the_command_reviews_as_the_user_who_is_logged_in(
    tmp_path: Path, ids: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOGNAME", "ines")
    cli.main(["review", ids[0], "--outcome", "decline", "--reason", "não paga", "--log", str(tmp_path)])
    assert capsys.readouterr().out == f"{ids[0]}: decline by ines: não paga\n"
    review = json.loads((tmp_path / "reviews.jsonl").read_bytes())
    assert (review["reviewer"], review["outcome"], review["reason"]) == ("ines", "decline", "não paga")

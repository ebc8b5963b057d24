import json
from datetime import timedelta
from pathlib import Path

import pytest

from loan_approval import cli
from loan_approval.errors import LogError
from loan_approval.records.logged_decision import add_review, find_decision
from loan_approval.records.reading import read_reviews
from serve.records.decided import make_decision_id
from tests.prediction_logs import NOON, make_id, make_line, write_lines

DAY = timedelta(days=1)


def test_a_row_of_a_batch_is_found_by_its_number(tmp_path: Path) -> None:
    batch = make_id()
    write_lines(tmp_path, [make_line({"n": n}, decision_id=f"{batch}.{n}") for n in range(12)])
    assert find_decision(tmp_path, f"{batch}.1")["input.n"] == 1
    assert find_decision(tmp_path, f"{batch}.11")["input.n"] == 11
    with pytest.raises(LogError, match="no decision"):
        find_decision(tmp_path, batch)


def test_an_id_in_another_field_is_not_the_decision(tmp_path: Path) -> None:
    wanted = make_line({"n": 2})
    write_lines(tmp_path, [make_line({"n": 1}, label=wanted["decision_id"]), wanted])
    assert find_decision(tmp_path, wanted["decision_id"])["input.n"] == 2


@pytest.mark.parametrize(
    "decision_id",
    [make_decision_id(), "made-by-hand", "ffffffff-ffff-7fff-bfff-ffffffffffff"],
    ids=["of today", "of no time", "of a time to come"],
)
def test_a_decision_is_found_on_whichever_day_it_was_logged(tmp_path: Path, decision_id: str) -> None:
    write_lines(tmp_path, [make_line({}, NOON - 90 * DAY, decision_id=decision_id), make_line({})])
    assert find_decision(tmp_path, decision_id)["decision_id"] == decision_id


def test_the_day_of_the_id_is_looked_through_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = make_line({})
    other, day = write_lines(tmp_path, [make_line({}, NOON - 30 * DAY), wanted])
    opened = []
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: (opened.append(path), read(path))[1])
    find_decision(tmp_path, wanted["decision_id"])
    assert opened == [day]
    assert other != day


def test_a_torn_line_is_no_decision(tmp_path: Path) -> None:
    line = make_line({})
    write_lines(tmp_path, [make_line({})], tail=json.dumps(line)[:-1])
    with pytest.raises(LogError, match="no decision"):
        find_decision(tmp_path, line["decision_id"])


def test_a_decision_on_a_broken_line_is_not_said_to_be_unknown(tmp_path: Path) -> None:
    lines = [make_line({"n": n}) for n in range(3)]
    (path,) = write_lines(tmp_path, lines)
    path.write_bytes(path.read_bytes().replace(b'"input.n":1', b'"input.n":1,,'))
    with pytest.raises(LogError, match=r"w1-000000.jsonl: line 2 is broken"):
        find_decision(tmp_path, lines[1]["decision_id"])
    assert find_decision(tmp_path, lines[2]["decision_id"])["input.n"] == 2


@pytest.fixture
def ids(tmp_path: Path) -> list[str]:
    lines = [make_line({"n": n}) for n in range(3)]
    write_lines(tmp_path, lines)
    return [line["decision_id"] for line in lines]


def test_a_decision_may_be_reviewed_again(tmp_path: Path, ids: list[str]) -> None:
    reviews = [(ids[0], "approve", "ana", "verified"), (ids[1], "decline", "ana", "a"), (ids[0], "decline", "rui", "b")]
    for review in reviews:
        add_review(tmp_path, *review)
    frame = read_reviews(tmp_path).frame
    columns = ["decision_id", "outcome", "reviewer", "reason"]
    assert list(frame[columns].itertuples(index=False, name=None)) == reviews
    assert frame["time"].is_monotonic_increasing


def test_a_decision_that_is_not_in_the_log_is_not_reviewed(tmp_path: Path, ids: list[str]) -> None:
    with pytest.raises(LogError, match="no decision 'unheard-of'"):
        add_review(tmp_path, "unheard-of", "approve", "ana", "because")
    assert not (tmp_path / "reviews.jsonl").exists()
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("reviewer", "reason", "message"),
    [
        ("  ", "because", "reviewer: expected"),
        ("ana", "", "reason: expected"),
        ("ana", "two\nlines", "reason: expected"),
        ("ana", "a" * 4001, "reason: expected 1 to 4,000"),
    ],
)
def test_a_review_without_name_or_reason_is_refused(
    tmp_path: Path, ids: list[str], reviewer: str, reason: str, message: str
) -> None:
    with pytest.raises(LogError, match=message):
        add_review(tmp_path, ids[0], "approve", reviewer, reason)


def test_a_log_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="nowhere: not there"):
        add_review(tmp_path / "nowhere", "an-id", "approve", "ana", "because")
    assert not (tmp_path / "nowhere").exists()


def test_the_command_reviews_as_the_user_who_is_logged_in(
    tmp_path: Path, ids: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOGNAME", "ines")
    cli.main(["review", ids[0], "--outcome", "decline", "--reason", "não paga", "--log", str(tmp_path)])
    assert capsys.readouterr().out == f"{ids[0]}: decline by ines: não paga\n"
    review = json.loads((tmp_path / "reviews.jsonl").read_bytes())
    assert (review["reviewer"], review["outcome"], review["reason"]) == ("ines", "decline", "não paga")

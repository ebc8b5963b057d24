"""Changes to the files of a log: whole lines only, and never under a server that writes."""

import fcntl
from pathlib import Path

import pytest

from loan_approval.errors import LogError
from loan_approval.records.logged_decision import add_review
from loan_approval.records.reading import read_reviews
from loan_approval.records.rewriting import (
    append_line,
    changing,
    finish_files,
    keep_lines,
    remove_decisions,
    remove_folder,
)
from tests.prediction_logs import make_line, write_lines


@pytest.fixture
def ids(tmp_path: Path) -> list[str]:
    lines = [make_line({"n": n}) for n in range(2)]
    write_lines(tmp_path, lines)
    return [line["decision_id"] for line in lines]


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


def test_an_appended_line_is_private_to_the_user(tmp_path: Path) -> None:
    append_line(tmp_path / "reviews.jsonl", {"reason": "não paga"})
    assert (tmp_path / "reviews.jsonl").read_text(encoding="utf-8") == '{"reason":"não paga"}\n'
    assert (tmp_path / "reviews.jsonl").stat().st_mode & 0o777 == 0o600


def test_lines_not_to_keep_and_a_torn_last_line_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "file.jsonl"
    path.write_bytes(b'{"n":1}\n{"n":2}\n{"n":')
    assert keep_lines(path, lambda line: b"1" in line) == 1
    assert path.read_bytes() == b'{"n":1}\n'
    assert keep_lines(tmp_path / "none.jsonl", lambda _line: False) == 0


def test_a_broken_line_is_about_no_decision(tmp_path: Path) -> None:
    path = tmp_path / "file.jsonl"
    path.write_bytes(b'{"decision_id":"a"}\nbroken\n{"decision_id":"b"}\n')
    assert remove_decisions(path, {"a", None}) == 1
    assert path.read_bytes() == b'broken\n{"decision_id":"b"}\n'


def test_a_change_removes_what_a_killed_one_left_and_nothing_else(tmp_path: Path) -> None:
    day = tmp_path / "decisions/2026-11-23"
    day.mkdir(parents=True)
    (day / ".w1-000000.jsonl.0a1b2c3d").touch()
    (day.parent / ".2026-11-22.removed").mkdir()
    (day / ".keep").touch()
    with changing(tmp_path):
        assert sorted(path.name for path in tmp_path.glob("decisions/**/.*")) == [".keep"]


def test_a_file_that_nobody_writes_to_is_finished(tmp_path: Path) -> None:
    (path,) = write_lines(tmp_path, [make_line({})])
    finish_files([path, tmp_path / "none.jsonl"], seconds=0)
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(LogError, match="its server still writes to it after 0 s"):
            finish_files([path], seconds=0)
    assert list(path.parent.iterdir()) == [path]


def test_a_removed_folder_is_gone(tmp_path: Path) -> None:
    write_lines(tmp_path, [make_line({})])
    remove_folder(tmp_path / "decisions/2026-11-23")
    assert list((tmp_path / "decisions").iterdir()) == []

from pathlib import Path

import pytest

from loan_approval.errors import LogError
from loan_approval.project import ROOT
from loan_approval.records.day_files import day_files, parse_line, prediction_log_folder, require_log, split_lines


def test_the_files_of_a_window_of_days_come_in_order_and_other_names_are_ignored(tmp_path: Path) -> None:
    for name in ("2026-11-02/b.jsonl", "2026-11-01/a.jsonl", "2026-11-02/a.jsonl", "2026-11-02/a.new", "notes/a.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    found = [path.relative_to(tmp_path).as_posix() for path in day_files(tmp_path, first="2026-11-02")]
    assert found == ["2026-11-02/a.jsonl", "2026-11-02/b.jsonl"]


@pytest.mark.parametrize(("tail", "lines", "torn"), [(b"", 1, b""), (b'{"b"', 1, b'{"b"'), (b'{"b":2}', 2, b"")])
def test_a_last_line_that_lacks_only_its_newline_is_whole(tmp_path: Path, tail: bytes, lines: int, torn: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a":1}\n' + tail)
    whole, rest = split_lines(path)
    assert (len(whole), rest) == (lines, torn)


@pytest.mark.parametrize("line", [b"", b"{", b"[1]", b'{"a":NaN}'])
def test_a_line_that_is_no_object_is_broken(line: bytes) -> None:
    assert parse_line(line) is None


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"no-log: not there"):
        require_log(tmp_path / "no-log")


def test_the_log_is_where_the_setting_says_or_below_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVE_PREDICTION_LOG", "/log")
    assert prediction_log_folder("mine") == Path("/log")
    monkeypatch.delenv("SERVE_PREDICTION_LOG")
    assert prediction_log_folder("mine") == ROOT / "predictions/mine"

"""Files of a log: whole lines, one day and one writer a file, a lock for as long as it is written to."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from serve.records.log_file import DAY, LogFile
from tests.file_locks import is_locked

NOON = 1_795_435_200.0  # 2026-11-23T12:00:00Z


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def texts(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.rglob("*.jsonl"))]


@pytest.fixture
def now() -> list[float]:
    return [NOON]


@pytest.fixture
def make_log(tmp_path: Path, now: list[float]) -> Iterator[Callable[..., LogFile]]:
    """Make logs below `log`, closed after the test."""
    made = []

    def make(largest: int = 1000) -> LogFile:
        made.append(LogFile(tmp_path / "log", "decisions", largest, lambda: now[0]))
        return made[-1]

    yield make
    for log in made:
        log.close()


def test_nothing_is_made_before_the_first_line(tmp_path: Path, make_log: Callable[..., LogFile]) -> None:
    log = make_log()
    log.tick()
    assert not (tmp_path / "log").exists()


def test_lines_of_a_day_stand_in_one_file_of_that_day(tmp_path: Path, make_log: Callable[..., LogFile]) -> None:
    log = make_log()
    log.append(b"1\n")
    log.append(b"2\n")
    assert texts(tmp_path / "log/decisions/2026-11-23") == [b"1\n2\n"]


def test_folders_and_files_are_private(tmp_path: Path, make_log: Callable[..., LogFile]) -> None:
    make_log().append(b"1\n")
    modes = [path.stat().st_mode & 0o777 for path in sorted((tmp_path / "log").rglob("*"))]
    assert modes == [0o700, 0o700, 0o600]
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o700


def test_next_file_begins_before_one_grows_too_large(tmp_path: Path, make_log: Callable[..., LogFile]) -> None:
    log = make_log(largest=4)
    for line in (b"1\n", b"2\n", b"3\n", b"a line longer than a file\n", b"4\n"):
        log.append(line)
    assert texts(tmp_path) == [b"1\n2\n", b"3\n", b"a line longer than a file\n", b"4\n"]
    assert [name[-12:] for name in names(tmp_path)] == [f"{n:06}.jsonl" for n in (1, 2, 3, 4)]


def test_new_day_begins_a_new_file(tmp_path: Path, make_log: Callable[..., LogFile], now: list[float]) -> None:
    log = make_log()
    log.append(b"1\n")
    now[0] += DAY
    log.append(b"2\n")
    assert texts(tmp_path / "log/decisions/2026-11-23") == [b"1\n"]
    assert texts(tmp_path / "log/decisions/2026-11-24") == [b"2\n"]


def test_line_goes_to_the_day_of_its_own_time(tmp_path: Path, make_log: Callable[..., LogFile]) -> None:
    make_log().append(b"1\n", at=NOON - DAY)
    assert texts(tmp_path / "log/decisions/2026-11-22") == [b"1\n"]


def test_file_of_a_day_that_is_over_is_finished(
    tmp_path: Path, make_log: Callable[..., LogFile], now: list[float]
) -> None:
    log = make_log()
    log.append(b"1\n")
    (path,) = tmp_path.rglob("*.jsonl")
    assert is_locked(path)
    now[0] += DAY
    log.tick()
    assert not is_locked(path)


def test_request_ends_the_file_and_is_taken_away(tmp_path: Path, make_log: Callable[..., LogFile]) -> None:
    log = make_log()
    log.append(b"1\n")
    (path,) = tmp_path.rglob("*.jsonl")
    request = path.with_name(f"{path.name}.rotate")
    request.touch()
    log.tick()
    assert not is_locked(path)
    assert not request.exists()
    log.append(b"2\n")
    assert texts(tmp_path) == [b"1\n", b"2\n"]


def test_file_that_was_taken_away_is_begun_anew(tmp_path: Path, make_log: Callable[..., LogFile]) -> None:
    log = make_log()
    log.append(b"1\n")
    (path,) = tmp_path.rglob("*.jsonl")
    path.unlink()
    log.tick()
    log.append(b"2\n")
    assert texts(tmp_path) == [b"2\n"]


def test_two_writers_have_files_of_their_own(tmp_path: Path, make_log: Callable[..., LogFile]) -> None:
    for log, line in ((make_log(), b"1\n"), (make_log(), b"2\n")):
        log.append(line)
    assert sorted(texts(tmp_path)) == [b"1\n", b"2\n"]


def test_nothing_of_a_write_that_was_cut_short_remains(
    tmp_path: Path, make_log: Callable[..., LogFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    log, write = make_log(), os.write
    log.append(b"1\n")
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:3]))
    with pytest.raises(OSError, match="No space"):
        log.append(b"a long line\n")
    monkeypatch.undo()
    log.append(b"2\n")
    assert texts(tmp_path) == [b"1\n", b"2\n"]


def test_torn_line_that_cannot_be_cut_off_is_the_last_of_its_file(
    tmp_path: Path, make_log: Callable[..., LogFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_file: int, _size: int) -> None:
        raise OSError(errno.EIO, "broken")

    log, write = make_log(), os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:3]))
    monkeypatch.setattr(os, "ftruncate", refuse)
    with pytest.raises(OSError, match="No space"):
        log.append(b"a long line\n")
    monkeypatch.undo()
    log.append(b"2\n")
    assert texts(tmp_path) == [b"a l", b"2\n"]


def test_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file")
    with pytest.raises(OSError, match="Not a directory"):
        LogFile(tmp_path / "log", "decisions", 1000).append(b"1\n")


def test_file_without_a_line_is_taken_away(
    tmp_path: Path, make_log: Callable[..., LogFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = make_log()
    monkeypatch.setattr(os, "write", lambda _file, _data: 0)
    with pytest.raises(OSError, match="No space"):
        log.append(b"1\n")
    log.close()
    assert names(tmp_path) == []

"""An applicant and old days are removed from a log, whole lines only, and never under a server that writes."""

import fcntl
import io
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from loan_approval import cli
from loan_approval.errors import LogError
from loan_approval.records import rewriting
from loan_approval.records.logged_decision import add_review
from loan_approval.records.reading import read_decisions, read_refusals, read_reviews, read_shadow
from loan_approval.records.rewriting import (
    append_line,
    changing,
    erase,
    finish_files,
    keep_lines,
    remove_decisions,
    remove_folder,
    retain,
)
from serve.records.applicant import hash_applicant
from tests.prediction_logs import NOON, live_writer, make_line, write_lines, write_time
from tests.waiting import wait_until

SECRET = b"0123456789abcdef"
ANA, RUI = (hash_applicant(SECRET, key) for key in (b"ana", b"rui"))
NOW = datetime.now(UTC)
AGES = (0, 9, 10, 11, 40)  # days
YOUNG = (0, 9, 10)
KINDS = ("decisions", "shadow", "refusals", "reviews")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Two files of decisions about Ana, Rui and somebody unnamed, all scored by a challenger and reviewed."""
    for writer in ("w1-000000", "w2-000000"):
        lines = [make_line({"n": n}, NOON, applicant=who) for n, who in enumerate((ANA, RUI, None))]
        scores = [{"time": line["time"], "decision_id": line["decision_id"], "code": 1} for line in lines]
        write_lines(tmp_path, lines, writer=writer)
        write_lines(tmp_path, scores, "shadow", writer)
        for line in lines:
            add_review(tmp_path, line["decision_id"], "approve", "eva", "because")
    return tmp_path


def ids(log: Path) -> list[set[str]]:
    """Return the ids that decisions, challengers' scores and reviews are about."""
    return [set(read(log).frame["decision_id"]) for read in (read_decisions, read_shadow, read_reviews)]


def test_an_applicant_goes_from_decisions_scores_and_reviews_and_nobody_else_does(log: Path) -> None:
    frame = read_decisions(log).frame
    others = set(frame["decision_id"][frame["applicant"] != ANA])
    assert erase(log, SECRET, "ana") == 2
    assert ids(log) == [others] * 3
    assert ANA not in "".join(path.read_text() for path in log.rglob("*.jsonl"))


def test_the_lines_that_stay_keep_their_bytes_and_the_file_its_permissions(log: Path) -> None:
    (path, untouched) = sorted((log / "decisions").glob("*/*"))
    untouched.write_bytes(b"".join(untouched.read_bytes().splitlines(keepends=True)[1:]))
    path.chmod(0o600)
    before = path.read_bytes().splitlines(keepends=True), untouched.stat().st_ino
    erase(log, SECRET, "ana")
    assert path.read_bytes() == b"".join(before[0][1:])
    assert path.stat().st_mode & 0o777 == 0o600
    assert untouched.stat().st_ino == before[1]


def test_an_erasure_is_recorded_without_key_or_hash(log: Path) -> None:
    erase(log, SECRET, "ana")
    text = (log / "erasures.jsonl").read_text()
    begun, done = map(json.loads, text.splitlines())
    assert begun.keys() == done.keys() == {"time", "by", "event", "decisions"}
    assert (begun["event"], done["event"], begun["decisions"], done["decisions"]) == ("begun", "done", 2, 2)
    assert "ana" not in text
    assert ANA not in text


@pytest.mark.parametrize("key", ["", "é", "a,b", "a" * 257])
def test_what_can_not_be_a_key_is_refused_without_showing_it(log: Path, key: str) -> None:
    with pytest.raises(LogError, match="the applicant's key: expected 1 to 256 printable") as caught:
        erase(log, SECRET, key)
    assert not key or key not in str(caught.value).replace("a comma", "")
    assert not (log / "erasures.jsonl").exists()


def test_a_torn_line_may_be_anybodys_and_goes_too(log: Path) -> None:
    (path, _) = sorted((log / "decisions").glob("*/*"))
    path.write_bytes(path.read_bytes() + b'{"time":"2026-11-23T12:00:00Z","input.n":7')
    erase(log, SECRET, "nobody")
    assert len(read_decisions(log).frame) == 6
    assert read_decisions(log).torn == 0


@pytest.mark.parametrize("step", range(7))  # its record, 2 files of scores, reviews, 2 of decisions, its record
def test_an_erasure_that_was_killed_is_completed_by_the_next(
    log: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = read_decisions(log).frame
    others = set(frame["decision_id"][frame["applicant"] != ANA])
    left = iter(range(step, -1, -1))

    def dies_at_step(real: Callable[..., int]) -> Callable[..., int]:
        def run(path: Path, *rest: object) -> int:
            if next(left) == 0:
                path.with_name(f".{path.name}.0a1b2c3d").write_text(ANA)  # what a kill leaves beside
                raise KeyboardInterrupt
            return real(path, *rest)

        return run

    with monkeypatch.context() as patch:
        patch.setattr(rewriting, "write_atomically", dies_at_step(rewriting.write_atomically))
        with pytest.raises(KeyboardInterrupt):
            erase(log, SECRET, "ana")
    assert all(some >= others for some in ids(log))
    erase(log, SECRET, "ana")
    assert ids(log) == [others] * 3
    assert not [path for path in log.rglob(".*") if path.name != ".lock"]


def test_a_server_goes_on_in_a_new_file_and_loses_nothing(tmp_path: Path) -> None:
    lines = [make_line({"n": n}, decision_id=f"early-{n}", applicant=(RUI, ANA)[n % 2]) for n in range(10)]
    with live_writer(tmp_path, lines) as live:
        erase(tmp_path, SECRET, "ana")
        assert {line["decision_id"] for line in lines if line["applicant"] == RUI} | {"late-0"} == ids(tmp_path)[0]
        assert live.exists()
        assert len(list(live.parent.glob("*"))) == 2  # and no request is left


@pytest.mark.parametrize("kind", ["decisions", "shadow"])
def test_a_server_that_does_not_go_on_is_named_and_nothing_is_removed(log: Path, kind: str) -> None:
    before = ids(log)
    path = min((log / kind).glob("*/*"))
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(LogError, match=rf"{path}: its server still writes to it after 0\.1 s"):
            erase(log, SECRET, "ana", seconds=0.1)
    assert ids(log) == before
    assert not list(log.rglob("*.rotate"))


def test_a_reader_sees_old_or_new_files_whole(log: Path) -> None:
    seen: list[int] = []
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            seen.append(len(read_decisions(log).frame))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(5):
        write_lines(log, [make_line({"n": 0}, applicant=ANA) for _ in range(200)], writer="w3-000000")
        erase(log, SECRET, "ana")
    ended.set()
    reader.join()
    assert set(seen) <= {4, 5, 6, *range(4, 207)}


def test_a_log_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="nowhere: not there"):
        erase(tmp_path / "nowhere", SECRET, "ana")


def test_the_erase_command_reads_the_key_from_a_pipe_and_the_secret_from_the_log(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (log / "applicant.secret").write_bytes(SECRET + b"\n")
    monkeypatch.delenv("SERVE_APPLICANT_SECRET_FILE", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO("ana\n"))
    cli.main(["erase", "--log", str(log)])
    assert ": 2 decisions erased" in capsys.readouterr().out


def test_a_log_without_a_secret_is_named(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SERVE_APPLICANT_SECRET_FILE", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO("ana\n"))
    with pytest.raises(SystemExit, match=r"applicant\.secret: "):
        cli.main(["erase", "--log", str(log)])


@pytest.fixture
def aged(tmp_path: Path) -> Path:
    """A log of decisions of these ages, each scored by a challenger, refused beside and reviewed."""
    for age in AGES:
        time = NOW - timedelta(days=age)
        line = make_line({"age": age}, time)
        score = {"time": line["time"], "decision_id": line["decision_id"], "code": age}
        minute = write_time(time)[:16] + "Z"
        write_lines(tmp_path, [line])
        write_lines(tmp_path, [score], "shadow")
        write_lines(tmp_path, [{"minute": minute, "route": "", "field": "", "kind": "k", "count": age}], "refusals")
        add_review(tmp_path, line["decision_id"], "approve", "ana", f"age {age}")
    return tmp_path


def kept(aged: Path) -> dict[str, tuple[int, ...]]:
    """Return the ages of what is there of each kind."""
    reviews = [int(reason[4:]) for reason in read_reviews(aged).frame["reason"]]
    decisions, scores = read_decisions(aged).frame["input.age"], read_shadow(aged).frame["code"]
    ages = (decisions, scores, read_refusals(aged).frame["count"], reviews)
    return dict(zip(KINDS, map(tuple, map(sorted, ages)), strict=True))


def test_days_older_than_the_limit_go_with_all_that_belongs_to_them(aged: Path) -> None:
    gone, decisions, reviews = retain(aged, 10)
    assert kept(aged) == dict.fromkeys(KINDS, YOUNG)
    assert (len(gone), decisions, reviews) == (2, 2, 2)
    assert gone == sorted(f"{NOW - timedelta(days=age):%Y-%m-%d}" for age in (11, 40))
    assert len(list(aged.glob("*/*"))) == 9


def test_a_log_of_young_days_stays(aged: Path) -> None:
    before = kept(aged)
    assert retain(aged, 365) == ([], 0, 0)
    assert kept(aged) == before


def test_less_than_a_day_is_refused(aged: Path) -> None:
    with pytest.raises(LogError, match="days 0, expected at least 1"):
        retain(aged, 0)
    assert len(kept(aged)["decisions"]) == len(AGES)


@pytest.mark.parametrize("step", range(8))  # reviews and three folders, twice
@pytest.mark.parametrize("dies_within", [False, True])
def test_a_retention_that_was_killed_is_completed_by_the_next(
    aged: Path, step: int, dies_within: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter(range(step, -1, -1))

    def dies_at_step(real: Callable[..., object]) -> Callable[..., object]:
        def run(path: Path, *rest: object) -> object:
            if next(left) > 0:
                return real(path, *rest)
            if dies_within and path.is_dir():
                path.rename(path.with_name(f".{path.name}.removed"))
            raise KeyboardInterrupt

        return run

    with monkeypatch.context() as patch:
        for name in ("remove_decisions", "remove_folder"):
            patch.setattr(rewriting, name, dies_at_step(getattr(rewriting, name)))
        with pytest.raises(KeyboardInterrupt):
            retain(aged, 10)
    assert all(set(ages) >= set(YOUNG) for ages in kept(aged).values())
    retain(aged, 10)
    assert kept(aged) == dict.fromkeys(KINDS, YOUNG)
    assert not list(aged.glob("*/.*"))


def test_a_server_that_still_writes_to_an_old_day_is_asked_to_leave_it(aged: Path) -> None:
    oldest = min((aged / "decisions").glob("*/*.jsonl"))
    request = oldest.with_name(f"{oldest.name}.rotate")
    with oldest.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(LogError, match=rf"{oldest}: its server still writes to it after 0\.1 s"):
            retain(aged, 10, seconds=0.1)
        assert not request.exists()
        assert len(kept(aged)["decisions"]) == len(AGES)
        with ThreadPoolExecutor(1) as pool:
            retaining = pool.submit(retain, aged, 10)
            wait_until(lambda: request.exists() or retaining.done())
            assert not retaining.done()
            fcntl.flock(file, fcntl.LOCK_UN)
            assert retaining.result()[1] == 2


def test_the_retain_command_says_what_went(aged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["retain", "--days", "20", "--log", str(aged)])
    assert "removed 1 days" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="LogError: days -1"):
        cli.main(["retain", "--days", "-1", "--log", str(aged)])


@pytest.fixture
def decision_ids(tmp_path: Path) -> list[str]:
    lines = [make_line({"n": n}) for n in range(2)]
    write_lines(tmp_path, lines)
    return [line["decision_id"] for line in lines]


def test_a_torn_review_gives_way_to_the_next(tmp_path: Path, decision_ids: list[str]) -> None:
    add_review(tmp_path, decision_ids[0], "approve", "ana", "first")
    path = tmp_path / "reviews.jsonl"
    path.write_bytes(path.read_bytes() + path.read_bytes()[:30])
    add_review(tmp_path, decision_ids[1], "approve", "ana", "second")
    assert read_reviews(tmp_path).frame["reason"].tolist() == ["first", "second"]


def test_a_review_that_lacks_its_newline_only_is_kept(tmp_path: Path, decision_ids: list[str]) -> None:
    add_review(tmp_path, decision_ids[0], "approve", "ana", "first")
    path = tmp_path / "reviews.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    add_review(tmp_path, decision_ids[1], "approve", "ana", "second")
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

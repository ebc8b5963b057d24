import fcntl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from loan_approval import cli
from loan_approval.errors import LogError
from loan_approval.records import retention
from loan_approval.records.prediction_log import read_decisions, read_refusals, read_reviews, read_shadow
from loan_approval.records.retention import retain
from loan_approval.records.reviews import add_review
from tests.prediction_logs import make_line, write_lines, write_time
from tests.waiting import wait_until

NOW = datetime.now(UTC)
AGES = (0, 9, 10, 11, 40)  # days
YOUNG = (0, 9, 10)
KINDS = ("decisions", "shadow", "refusals", "reviews")


@pytest.fixture
def log(tmp_path: Path) -> Path:
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


def kept(log: Path) -> dict[str, tuple[int, ...]]:
    """Return the ages of what is there of each kind."""
    reviews = [int(reason[4:]) for reason in read_reviews(log).frame["reason"]]
    decisions, scores = read_decisions(log).frame["input.age"], read_shadow(log).frame["code"]
    ages = (decisions, scores, read_refusals(log).frame["count"], reviews)
    return dict(zip(KINDS, map(tuple, map(sorted, ages)), strict=True))


def test_days_older_than_the_limit_go_with_all_that_belongs_to_them(log: Path) -> None:
    gone = retain(log, 10)
    assert kept(log) == dict.fromkeys(KINDS, YOUNG)
    assert (len(gone.days), gone.decisions, gone.reviews) == (2, 2, 2)
    assert gone.days == tuple(sorted(f"{NOW - timedelta(days=age):%Y-%m-%d}" for age in (11, 40)))
    assert len(list(log.glob("*/*"))) == 9


def test_a_log_of_young_days_stays(log: Path) -> None:
    before = kept(log)
    assert retain(log, 365).days == ()
    assert kept(log) == before


def test_less_than_a_day_is_refused(log: Path) -> None:
    with pytest.raises(LogError, match="days 0, expected at least 1"):
        retain(log, 0)
    assert len(kept(log)["decisions"]) == len(AGES)


@pytest.mark.parametrize("step", range(8))  # reviews and three folders, twice
@pytest.mark.parametrize("dies_within", [False, True])
def test_a_retention_that_was_killed_is_completed_by_the_next(
    log: Path, step: int, dies_within: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter(range(step, -1, -1))

    def dies_at_last(real: Callable[..., object]) -> Callable[..., object]:
        def run(path: Path, *rest: object) -> object:
            if next(left) > 0:
                return real(path, *rest)
            if dies_within and path.is_dir():
                path.rename(path.with_name(f".{path.name}.removed"))
            raise KeyboardInterrupt

        return run

    with monkeypatch.context() as patch:
        for name in ("keep_lines", "remove_folder"):
            patch.setattr(retention, name, dies_at_last(getattr(retention, name)))
        with pytest.raises(KeyboardInterrupt):
            retain(log, 10)
    assert all(set(ages) >= set(YOUNG) for ages in kept(log).values())
    retain(log, 10)
    assert kept(log) == dict.fromkeys(KINDS, YOUNG)
    assert not list(log.glob("*/.*"))


def test_a_server_that_still_writes_to_an_old_day_is_asked_to_leave_it(log: Path) -> None:
    oldest = min((log / "decisions").glob("*/*.jsonl"))
    request = oldest.with_name(f"{oldest.name}.rotate")
    with oldest.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(LogError, match=rf"{oldest}: its server still writes to it after 0\.1 s"):
            retain(log, 10, seconds=0.1)
        assert not request.exists()
        assert len(kept(log)["decisions"]) == len(AGES)
        with ThreadPoolExecutor(1) as pool:
            retaining = pool.submit(retain, log, 10)
            wait_until(lambda: request.exists() or retaining.done())
            assert not retaining.done()
            fcntl.flock(file, fcntl.LOCK_UN)
            assert retaining.result().decisions == 2


def test_the_command_says_what_went(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["retain", "--days", "20", "--log", str(log)])
    assert "removed 1 days" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="LogError: days -1"):
        cli.main(["retain", "--days", "-1", "--log", str(log)])

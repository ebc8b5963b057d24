"""Erasures and retentions that are killed at any moment, with a server that goes on: nothing lost, all completed."""

import random
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from loan_approval.project import ROOT
from loan_approval.records.logged_decision import add_review
from loan_approval.records.reading import read_decisions, read_reviews
from loan_approval.records.rewriting import erase, retain
from serve.records.applicant import hash_applicant
from tests.prediction_logs import live_writer, make_line, write_lines

pytestmark = pytest.mark.hard
SECRET = b"0123456789abcdef"
FILES, LINES, KILLS = 8, 200, 4
# Says when it begins, so that a kill hits the work and not the imports.
ERASE = "from pathlib import Path; from loan_approval.records.rewriting import erase; print(flush=True); "
ERASE += f"erase(Path({{log!r}}), {SECRET!r}, {{key!r}})"
RETAIN = "from pathlib import Path; from loan_approval.records.rewriting import retain; print(flush=True); "
RETAIN += "retain(Path({log!r}), 4)"


def kill_within(code: str, seconds: float) -> bool:
    """Run code in a process and kill it so many seconds after it has begun; whether it was still running."""
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return True
    assert process.returncode == 0
    return False


def time_of(code: str) -> float:
    """Run code in a process; return how many seconds it took after it had begun."""
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        begun = time.monotonic()
        assert process.wait() == 0
    return time.monotonic() - begun


def fill(log: Path, applicants: list[str], now: datetime) -> None:
    for number in range(FILES):
        day = now - timedelta(days=number)
        lines = [make_line({"n": n}, day, applicant=applicants[n % len(applicants)]) for n in range(LINES)]
        write_lines(log, lines)
        scores = [{"time": line["time"], "decision_id": line["decision_id"], "code": 1} for line in lines]
        write_lines(log, scores, "shadow")
        add_review(log, lines[0]["decision_id"], "approve", "eva", "because")


def test_whatever_is_killed_nobody_else_is_lost_and_the_next_one_completes_it(tmp_path: Path) -> None:
    keys = [f"key-{number}" for number in range(KILLS)]
    hashes = [hash_applicant(SECRET, key.encode()) for key in keys]
    now = datetime.now(UTC)
    log = tmp_path / "log"
    fill(log, [*hashes, "stays"], now)
    clock, killed = random.Random(5), 0
    fill(tmp_path / "copy", [*hashes, "stays"], now)
    erasing = time_of(ERASE.format(log=str(tmp_path / "copy"), key=keys[0]))
    retaining = time_of(RETAIN.format(log=str(tmp_path / "copy")))
    with live_writer(log, [make_line({}, now, decision_id="early", applicant="stays")]):
        staying = set(read_decisions(log).frame.query("applicant == 'stays'")["decision_id"])
        for key, applicant in zip(keys, hashes, strict=True):
            killed += kill_within(ERASE.format(log=str(log), key=key), clock.uniform(0, erasing))
            assert staying <= set(read_decisions(log).frame["decision_id"])
            erase(log, SECRET, key)
            assert applicant not in set(read_decisions(log).frame["applicant"])
        young = set(read_decisions(log, now - timedelta(days=3)).frame["decision_id"])
        for _ in range(2):
            killed += kill_within(RETAIN.format(log=str(log)), clock.uniform(0, retaining))
            assert young <= set(read_decisions(log).frame["decision_id"])
        retain(log, 4)
    frame = read_decisions(log).frame
    assert set(frame["applicant"]) == {"stays"}
    assert frame["time"].min() >= now - timedelta(days=5)
    assert set(read_reviews(log).frame["decision_id"]) <= set(frame["decision_id"])
    assert killed >= 2, "too few kills hit anything"

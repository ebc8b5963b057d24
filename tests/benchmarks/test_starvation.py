import json
import math
import os
import shutil
from pathlib import Path

import pytest

from tests.benchmarks import wire
from tests.benchmarks.load import Point, flooding
from tests.benchmarks.model import Made, make_questions
from tests.benchmarks.process import LOAD_CORE, PATH, SERVER_CORE, NoAnswer, running
from tests.benchmarks.servers import Server, ours
from tests.benchmarks.starvation import Felt, felt_by, felt_table, largest_batch, make_flood
from tests.load import Load
from tests.raw_http import RawAnswer
from tests.waiting import wait_until

needs_two_cores = pytest.mark.skipif(
    not {int(LOAD_CORE), int(SERVER_CORE)} <= os.sched_getaffinity(0), reason="needs two cores"
)
needs_wrk = pytest.mark.skipif(not shutil.which("wrk", path=PATH), reason="needs wrk")
LIMITED = Server("limited", ours(SERVE_MAX_BATCH_ROWS="700"))


def answer(status: int) -> RawAnswer:
    return RawAnswer(b"HTTP/1.1 %d" % status, b"")


def test_times_are_of_answers_with_success_and_the_rest_has_failed() -> None:
    calm = Load([answer(200)] * 99 + [answer(503), answer(200)], [0.001] * 99 + [9.0, 0.5], ["closed"])
    assert felt_by(calm) == Felt(answers=100, failed=2, p50_ms=1.0, p99_ms=500.0)


def test_a_caller_that_got_no_answer_has_no_time_and_that_is_not_averaged_away() -> None:
    nobody = felt_by(Load([], [], ["closed"]))
    assert (nobody.answers, nobody.failed) == (0, 1)
    assert math.isnan(nobody.p99_ms)
    well = Felt(10, 0, 1.0, 2.0)
    flood = Point(400, 100.0, 0.0, 1.0, 1.0, 1.0, 150, 100)
    rows = felt_table(
        {"nothing": [well] * 2, "much": [Felt(10, 0, 3.0, 8.0, flood), Felt(0, 1, *[math.nan] * 2, flood)]}
    )
    assert rows.splitlines()[2:] == [
        "| nothing | – | – | 20 | 0 | 1.00 | 1.0 | 2.00 | 1.0 |",
        "| much | 75.0 | 200 | 10 | 1 | – | – | – | – |",
    ]


def test_ratios_are_of_each_round_to_its_own_caller_alone() -> None:
    alone = [Felt(10, 0, 1.0, 2.0), Felt(10, 0, 2.0, 4.0), Felt(10, 0, 4.0, 8.0)]
    beside = [Felt(10, 0, 3.0, 20.0), Felt(10, 0, 12.0, 160.0), Felt(10, 0, 8.0, 56.0)]
    row = felt_table({"nothing": alone, "much": beside}).splitlines()[-1]
    assert row.endswith("| 8.00 | 3.0 | 56.0 | 10 |")


@needs_two_cores
@pytest.mark.parametrize("kind", [wire.RECORDS, wire.CSV], ids=lambda kind: kind.name)
def test_the_largest_batch_is_what_the_server_still_takes(logistic: Made, tmp_path: Path, kind: wire.Wire) -> None:
    questions = make_questions(logistic, 1_000)
    with running(LIMITED, logistic, tmp_path / "run", wire.APPLICATION.encode(questions.rows[:1])) as server:
        assert largest_batch(server.port, kind, questions) == 700
        assert largest_batch(server.port, kind, questions.first(300)) == 300
        with pytest.raises(NoAnswer, match="1000 rows: 404"):
            largest_batch(server.port, wire.TENSOR, questions)


@needs_two_cores
@needs_wrk
def test_a_flood_lasts_until_its_block_ends_and_tells_how_it_was_answered(logistic: Made, tmp_path: Path) -> None:
    questions = make_questions(logistic, 1_000)
    with running(LIMITED, logistic, tmp_path / "run", wire.APPLICATION.encode(questions.rows[:1])) as server:
        for kind in (wire.DECISION, wire.RECORDS):
            flood = make_flood(server.port, kind, questions, tmp_path)
            before = server.cpu_seconds()
            with flooding(server, kind, flood.bodies, 4) as points:
                wait_until(lambda: server.cpu_seconds() > before + 0.2)  # noqa: B023
                assert points == []
            (point,) = points
            assert point.requests > 0
            assert point.refused == 0
    lines = (tmp_path / f"bodies of {wire.RECORDS.name}").read_bytes().splitlines()
    assert [len(json.loads(line)) for line in lines] == [700]

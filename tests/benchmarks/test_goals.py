import math

import pytest

from tests.benchmarks.goals import GOALS, Goal, goals_table, judge, passed
from tests.benchmarks.servers import RAW_ASGI, THIS, UNCALIBRATED
from tests.benchmarks.table import Sample
from tests.benchmarks.test_table import make_sample


def samples(this: Sample, uncalibrated: Sample, raw: Sample) -> dict:
    return {THIS: [this], UNCALIBRATED: [uncalibrated], RAW_ASGI: [raw]}


def verdicts(ratios: dict[Goal, float]) -> list[bool]:
    return [passed(goal, ratio) for goal, ratio in ratios.items()]


@pytest.mark.parametrize(
    ("per_second", "expected"),
    [(4500, [True, True, True, True]), (4499, [False, True, True, True]), (3999, [False, False, False, False])],
)
def test_each_goal_is_judged_by_the_ratio_to_its_peer(per_second: float, expected: list[bool]) -> None:
    ratios = judge(samples(make_sample(per_second), make_sample(100), make_sample(4000)))
    assert list(ratios) == list(GOALS)
    assert verdicts(ratios) == expected


@pytest.mark.parametrize("broken", [Sample(problem="no answer"), make_sample(9000, failed=1)])
def test_a_server_that_did_not_answer_everything_reaches_no_goal(broken: Sample) -> None:
    ratios = judge(samples(broken, make_sample(100), make_sample(4000)))
    assert all(map(math.isnan, ratios.values()))
    assert not any(verdicts(ratios))


def test_a_goal_whose_peer_was_left_out_is_not_judged() -> None:
    ratios = judge({THIS: [make_sample(9000)], RAW_ASGI: [make_sample(4000)]})
    assert {goal.peer for goal in ratios} == {RAW_ASGI}


def test_the_table_says_what_was_wanted_what_was_measured_and_the_verdict() -> None:
    goal = Goal(RAW_ASGI, 16, 2)
    lines = goals_table({goal: 1.999, Goal(RAW_ASGI, 64, 2): 2.5}).splitlines()[2:]
    assert [line.split(" | ")[1:] for line in lines] == [
        ["x 2", "x 1.999", "**failed** |"],
        ["x 2", "x 2.500", "passed |"],
    ]

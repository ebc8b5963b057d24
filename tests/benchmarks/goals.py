"""How fast this server has to be: ratios to peers of the same run, which is what carries over to other machines."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.benchmarks.servers import RAW_ASGI, THIS, UNCALIBRATED, Server
from tests.benchmarks.table import Samples, markdown, number, speed


@dataclass(frozen=True)
class Goal:
    """This server answers at least `ratio` times as many requests a second as `peer`."""

    peer: Server
    connections: int
    ratio: float


GOALS = (Goal(UNCALIBRATED, 16, 45), Goal(UNCALIBRATED, 64, 40), Goal(RAW_ASGI, 16, 1), Goal(RAW_ASGI, 64, 1))


def judge(samples: Samples) -> dict[Goal, float]:
    """Return the ratio of each goal whose servers both took part; NaN where one of them has no round to count.

    A round counts for a load under which every request was answered with success.
    """
    return {
        goal: _speed(samples, THIS, goal.connections) / _speed(samples, goal.peer, goal.connections)
        for goal in GOALS
        if THIS in samples and goal.peer in samples
    }


def _speed(samples: Samples, server: Server, connections: int) -> float:
    counted = [s for s in samples[server] if connections in s.points and not s.points[connections].failed]
    return speed(counted, connections)


def passed(goal: Goal, ratio: float) -> bool:
    """Return whether a goal is reached. What was not measured is not reached."""
    return ratio >= goal.ratio


def goals_table(ratios: Mapping[Goal, float]) -> str:
    """Return the table of goals."""
    rows = [
        [
            f"requests/s to {goal.peer.name}, {goal.connections} conn.",
            f"x {goal.ratio}",
            f"x {number(ratio, 4)}",
            "passed" if passed(goal, ratio) else "**failed**",
        ]
        for goal, ratio in ratios.items()
    ]
    return markdown(["goal of this server", "at least", "measured", "verdict"], rows)

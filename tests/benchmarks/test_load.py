import math

from tests.benchmarks.load import read_point

PRINTED = """Running 1s test @ http://127.0.0.1:8000/
  10 requests in 2.00s
{"requests": %d, "seconds": 2.0, "refused": 3, "broken": 1, "p50_ms": 1.0, "p99_ms": 9.5}
"""


def test_rates_come_from_what_was_answered_and_the_time_that_went_by() -> None:
    point = read_point(PRINTED % 1000, cpu_seconds=1.5)
    assert (point.per_second, point.cpu_us, point.busy, point.p99_ms) == (500, 1500, 0.75, 9.5)


def test_refusals_and_broken_connections_both_count_as_failed() -> None:
    point = read_point(PRINTED % 1000, cpu_seconds=1.5)
    assert (point.refused, point.failed) == (3, 4)


def test_no_answer_at_all_has_no_cost_a_request() -> None:
    assert math.isnan(read_point(PRINTED % 0, cpu_seconds=1.5).cpu_us)

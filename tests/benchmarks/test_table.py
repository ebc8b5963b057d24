import math

import pytest

from tests.benchmarks import wire
from tests.benchmarks.load import Batch, Point
from tests.benchmarks.servers import LOGISTIC, Server, Start
from tests.benchmarks.table import Sample, batches_table, disturbances, number, singles_table


def make_server(name: str, **rest: object) -> Server:
    return Server(name, lambda *_: Start([]), **rest)


def make_sample(per_second: float, failed: int = 0, busy: float = 1.0, **rest: object) -> Sample:
    point = Point(int(per_second), per_second, 1e6 / per_second, busy, 1.0, 2.0, failed)
    return Sample(first_answer=0.5, points=dict.fromkeys((1, 16, 64), point), rss=80.0, pss=60.0, **rest)


def cells(table: str, name: str) -> dict[str, str]:
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    (row,) = [row for row in rows if row[0] == name]
    return dict(zip(head, row, strict=True))


def single(samples: list[Sample]) -> dict[str, str]:
    usual, ours = make_server("usual"), make_server("ours")
    plain = make_server("plain")
    every = {usual: [make_sample(100.0)], plain: [make_sample(200.0)], ours: samples}
    return cells(singles_table(every, {"usual": {LOGISTIC: usual}, "plain": {LOGISTIC: plain}}), "ours")


def test_a_row_shows_the_median_of_its_rounds() -> None:
    row = single([make_sample(300.0), make_sample(5000.0), make_sample(1000.0)])
    assert row["req/s, 16 conn."] == "1,000"


def test_ratios_are_to_each_baseline_under_the_same_load_and_of_cpu_to_the_first() -> None:
    row = single([make_sample(1000.0)])
    assert row["x usual, 1 / 16 / 64"] == "10 / 10 / 10"
    assert row["x plain, 1 / 16 / 64"] == "5.0 / 5.0 / 5.0"
    assert row["x less CPU"] == "10"


def test_a_model_without_a_baseline_of_that_name_has_a_dash() -> None:
    usual, boosted = make_server("usual", model="boosting"), make_server("boosted", model="boosting")
    every = {usual: [make_sample(100.0)], boosted: [make_sample(300.0)]}
    row = cells(singles_table(every, {"usual": {"boosting": usual}, "plain": {LOGISTIC: usual}}), "boosted")
    assert (row["x usual, 1 / 16 / 64"], row["x plain, 1 / 16 / 64"]) == ("3.0 / 3.0 / 3.0", "– / – / –")


def test_failed_answers_are_shown_not_hidden() -> None:
    assert single([make_sample(1000.0, failed=4)])["failed"] == "**12 answers**"


def test_a_round_that_broke_is_shown_and_the_others_count() -> None:
    row = single([make_sample(1000.0), Sample(problem="no answer")])
    assert row["failed"] == "**1 of 2 rounds**"
    assert row["req/s, 16 conn."] == "1,000"


def test_a_server_that_never_came_up_has_a_row_of_dashes() -> None:
    row = single([Sample(problem="no answer")])
    assert row["failed"] == "**1 of 1 rounds**"
    assert row["req/s, 1 conn."] == row["RSS MB"] == "–"


def test_a_server_that_did_not_have_its_core_is_named() -> None:
    samples = {make_server("calm"): [make_sample(9.0)], make_server("robbed"): [make_sample(9.0, busy=0.6)]}
    (sentence,) = disturbances(samples)
    assert "robbed" in sentence
    assert "calm" not in sentence


def test_a_calm_run_has_nothing_to_say_about_cores() -> None:
    assert disturbances({make_server("calm"): [make_sample(9.0)]}) == []


def test_batches_are_compared_with_the_baseline_and_the_floor_of_the_same_body() -> None:
    peer, ours = make_server("peer", batches=(wire.SPLIT,)), make_server("ours", batches=(wire.COLUMNS,))
    samples = {
        peer: [make_sample(1.0, batches={"dataframe_split": Batch(200_000, 5.0)})],
        ours: [make_sample(1.0, batches={"JSON columns": Batch(1_000_000, 1.0)})],
    }
    table = batches_table(samples, [{"JSON columns": Batch(2_000_000, 0.5)}], ("peer", "dataframe_split"))
    row = cells(table, "ours")
    assert (row["rows/s"], row["x dataframe_split"], row["of the floor"]) == ("1,000,000", "5.0", "0.50")


def test_a_refused_batch_is_shown() -> None:
    ours = make_server("ours", batches=(wire.COLUMNS,))
    samples = {ours: [make_sample(1.0, batches={"JSON columns": "413 too large\nmore"})]}
    row = cells(batches_table(samples, [], ("peer", "dataframe_split")), "ours")
    assert (row["rows/s"], row["failed"]) == ("–", "**413 too large**")


@pytest.mark.parametrize(
    ("value", "text"), [(31478.2, "31,500"), (0.5312, "0.531"), (8.0, "8.00"), (0, "0.00"), (math.nan, "–")]
)
def test_numbers_have_three_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text

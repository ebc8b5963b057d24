import asyncio
import itertools

from serve.http.share import TURN_SECONDS, Shares
from tests.waiting import wait_until


def test_put_off_work_shares_a_bounded_time_of_each_turn(server, monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr("serve.http.share.time.perf_counter", lambda: next(ticks) * TURN_SECONDS / 2.5)
    order = []

    def begin() -> None:
        for number in range(7):
            server.front.shares.put_off(lambda number=number: do(number))
        server.loop.call_soon(mark)

    def do(number: int) -> None:
        order.append(number)
        if number == 0:
            server.front.shares.put_off(lambda: do(7))  # work that puts off more is called no more often for it

    def mark() -> None:
        order.append("others")
        if len(order) < 12:
            server.loop.call_soon(mark)

    server.on_loop(begin)
    wait_until(lambda: 7 in order and order[-1] == "others")
    turns = [len([*group]) for is_work, group in itertools.groupby(order, lambda each: each != "others") if is_work]
    assert turns == [3, 3, 2]
    assert [each for each in order if each != "others"] == [*range(8)]


def test_the_caller_that_has_sent_most_of_its_body_sends_on_first():
    read: list[int] = []

    async def wait_for_reads() -> None:
        shares = Shares(asyncio.get_running_loop())
        for held in (1, 5, 3, 5):
            shares.read_later(held, lambda held=held: read.append(held))
        for turn in range(1, 5):
            await asyncio.sleep(0)
            assert len(read) == turn  # one in each turn of the loop

    asyncio.run(wait_for_reads())
    assert read == [5, 5, 3, 1]

import gc
import threading
import tracemalloc

import pytest
from werkzeug.exceptions import RequestEntityTooLarge, ServiceUnavailable

from serve import strict_json
from serve.api import room
from serve.api.room import Room, discard, weigh
from tests.waiting import wait_until


def repeat(item: str, times: int = 40_000, ends: str = "[]") -> bytes:
    """Return JSON of many items; each `#` in one becomes its number."""
    return (ends[0] + ",".join(item.replace("#", f"{n:x}") for n in range(times)) + ends[1]).encode()


BODIES = {
    **{"numbers": repeat("1.5"), "whole numbers": repeat("1234567890"), "nulls": repeat("null"), "empty": repeat("{}")},
    **{"texts": repeat('"#"'), "wide texts": repeat('"#a long text 😀"'), "accents": repeat('"#ã"')},
    **{"names": repeat('"#":1', 9000, "{}"), "records": repeat('{"a":1.5,"b":2.5,"c":3.5}'), "lists": repeat("[]")},
    **{"unknown names": repeat('{"a#":1.5,"b#":2.5,"c#":3.5}'), "one name": repeat('{"#":0}')},
    **{"lists of one": repeat("[1.5]"), "two levels": repeat('{"#":[[1.5]]}')},
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_parsed_body_takes_no_more_memory_than_was_estimated(body):
    strict_json.loads_in_pieces(body)  # what the first parse of a process sets up is no part of a body
    tracemalloc.start()
    try:
        strict_json.loads_in_pieces(body)
        assert tracemalloc.get_traced_memory()[1] <= weigh(body)
    finally:
        tracemalloc.stop()


def test_what_needs_more_than_all_the_room_is_too_large():
    with pytest.raises(RequestEntityTooLarge, match="too many values"), Room(100).hold(101):
        pass


def test_a_request_waits_until_there_is_room():
    shared, entered = Room(100), threading.Event()

    def second() -> None:
        with shared.hold(60):
            entered.set()

    waiting = threading.Thread(target=second)
    with shared.hold(60):
        waiting.start()
        wait_until(lambda: shared._changed._waiters)
        assert not entered.is_set()
    waiting.join(60)
    assert entered.is_set()


def test_a_request_without_room_in_time_is_asked_to_come_again(monkeypatch):
    monkeypatch.setattr(room, "WAIT_SECONDS", 0.0)
    shared = Room(100)
    with shared.hold(60), pytest.raises(ServiceUnavailable) as refused, shared.hold(60):
        pass
    assert refused.value.retry_after == 1


def test_the_garbage_collector_rests_only_while_a_large_request_is_served():
    shared = Room(3 * room.LARGE)
    with shared.hold(room.LARGE - 1):
        assert gc.isenabled()
        with shared.hold(room.LARGE):
            assert not gc.isenabled()
            with shared.hold(room.LARGE):
                pass
            assert not gc.isenabled()
        assert gc.isenabled()


def test_room_is_free_again_after_an_error():
    shared = Room(100)
    with pytest.raises(KeyError), shared.hold(100):
        raise KeyError
    with shared.hold(100):
        pass


def test_discarding_empties_lists_and_objects_and_ignores_anything_else():
    inner = [[1]] * 5000
    whole = {"a": inner, "b": {"c": [2]}, "d": 1}
    discard(whole)
    discard("text")
    assert (whole, inner) == ({}, [])

import uuid

import pytest

from serve.records import decided


@pytest.mark.parametrize("random", [bytes(10), b"\xff" * 10])
def test_decision_ids_sort_by_time_whatever_is_random_in_them(monkeypatch, random):
    milliseconds = [0, 1, 1_800_000_000_000, 2**48 - 1]
    monkeypatch.setattr(decided.os, "urandom", lambda _size: random)
    ids = []
    for now in milliseconds:
        monkeypatch.setattr(decided.time, "time_ns", lambda now=now: now * 1_000_000)
        ids.append(uuid.UUID(decided.make_decision_id()))
    assert ids == sorted(ids)
    assert [decision.int >> 80 for decision in ids] == milliseconds
    assert {(decision.version, decision.variant) for decision in ids} == {(7, uuid.RFC_4122)}

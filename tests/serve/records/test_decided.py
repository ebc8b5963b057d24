"""Decisions as they are handed over, with their ids, times, parts and groups."""

import uuid
from datetime import UTC, datetime
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from serve.records import decided
from serve.records.decided import Decided, Row, group_rows, show_times
from serve.records.log_file import DAY
from serve.store.live import Loaded

AT = 1795435200.25  # 2026-11-23T12:00:00.250Z


@pytest.fixture
def loaded() -> Loaded:
    return SimpleNamespace()


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


@pytest.mark.parametrize("at", [AT, float(int(AT)), int(AT) + 0.000001, int(AT) + 0.999999])
def test_time_has_six_digits_of_a_second(at: float) -> None:
    expected = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert msgspec.json.decode(msgspec.json.encode(show_times([at]))) == [expected]


def test_parts_of_a_batch_are_its_rows_in_order_with_their_ids(loaded: Loaded) -> None:
    X, region = np.arange(10.0).reshape(5, 2), np.arange(5.0)
    p, codes = [0.1, 0.2, 0.3, 0.4, 0.5], [0, 0, 1, 1, 1]
    batch = Decided(AT, "id", "/", loaded, X, p, codes, 0.1, many=True, monitored={"region": region})
    parts = [*batch.split(2)]
    assert [len(part.p) for part in parts] == [2, 2, 1]
    assert [each for part in parts for each in part.ids()] == batch.ids() == [f"id.{row}" for row in range(5)]
    assert [each for part in parts for each in part.p] == p
    assert [each for part in parts for each in part.codes] == codes
    assert np.array_equal(np.concatenate([part.X for part in parts]), X)
    assert np.array_equal(np.concatenate([part.monitored["region"] for part in parts]), region)


def test_one_decision_keeps_its_id(loaded: Loaded) -> None:
    one = Decided(AT, "id", "/", loaded, b"", [0.5], [1], 0.1)
    assert [*one.split(1)] == [one]
    assert one.ids() == ["id"]


@pytest.mark.parametrize(
    ("models_and_days", "sizes"),
    [([], []), (["a0", "a0"], [2]), (["a0", "b0", "a0"], [1, 1, 1]), (["a0", "a0", "a1", "b1", "b1"], [2, 1, 2])],
)
def test_group_of_rows_has_one_model_and_one_day(models_and_days: list[str], sizes: list[int]) -> None:
    models = {"a": SimpleNamespace(), "b": SimpleNamespace()}  # equal, but not the same
    rows: list[Row] = [
        (AT + int(day) * DAY, "", "", models[model], b"", 0.5, 1, 0.1, None) for model, day in models_and_days
    ]
    groups = group_rows(rows)
    assert [len(group) for group in groups] == sizes
    assert [row for group in groups for row in group] == rows

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from serve.model.scorer import name_band
from serve.records.decided import Decided, Row
from serve.records.lines import LineWriter
from serve.store.live import LiveModel, Loaded
from tests.serve.conftest import Shelf

AT = 1795435200.25  # 2026-11-23T12:00:00.250Z


@pytest.fixture
def load(shelf: Shelf) -> Callable[[str], Loaded]:
    def load(name: str) -> Loaded:
        shelf.promote(name, version="7")
        live = LiveModel(shelf.store)
        live.refresh()
        return live.current

    return load


def hash_key(key: bytes) -> str:
    return f"hash of {key.decode()}"


def make_rows(loaded: Loaded) -> list[Row]:
    """Return rows with every feature at either end and missing where it may be, on both sides of the review band."""
    features = loaded.scorer.contract.scored
    low, high = loaded.scorer.review_band
    ends = [[0, len(each.values) - 1] if each.is_category else [each.min, each.max] for each in features]
    missing = [math.nan if feature.missing else end[0] for feature, end in zip(features, ends, strict=True)]
    X = np.array([*np.transpose(ends), missing, np.mean(ends, axis=1).round()], dtype=float)
    chances = [low / 2, low, math.nextafter(high, 0), high]
    return [
        (AT + n, f"id-{n}", f"/route/{n % 2}", loaded, x.tobytes(), p, n % 2, 0.0001234567, b"k" if n else None)
        for n, (x, p) in enumerate(zip(X, chances, strict=True))
    ]


def expected(row: Row, **more: Any) -> dict[str, Any]:
    at, decision_id, route, loaded, X, p, code, seconds, key = row
    contract = loaded.scorer.contract
    values = zip(contract.scored, np.frombuffer(X).tolist(), strict=True)
    return {
        "time": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        **{"decision_id": decision_id, "route": route, "model_name": loaded.pointer.name, "model_version": "7"},
        **{"model_sha256": loaded.scorer.sha256, "contract": contract.fingerprint},
        **{f"input.{feature.name}": feature.decode(number) for feature, number in values},
        **{"probability": p, "code": code, "label": contract.label(code)},
        **{"band": name_band(p, *loaded.scorer.review_band), "reasons": None},
        **{"applicant": None if key is None else hash_key(key), "latency_ms": round(seconds * 1000, 3)},
    } | more


def read(lines: bytes) -> list[tuple[list[str], dict[str, Any]]]:
    """Return each line's keys in their order, and its document; types included, so that 1 differs from 1.0."""
    assert lines.endswith(b"\n")
    documents = [json.loads(line) for line in lines.splitlines()]
    return [(list(line), {name: (type(value), value) for name, value in line.items()}) for line in documents]


def as_read(lines: list[dict[str, Any]]) -> list[tuple[list[str], dict[str, Any]]]:
    return read("".join(json.dumps(line) + "\n" for line in lines).encode())


@pytest.mark.parametrize("model", ["loans", "mixed"])
def test_row_has_the_expected_line_alone_and_among_others(load: Callable[[str], Loaded], model: str) -> None:
    rows = make_rows(loaded := load(model))
    writer, lines = LineWriter(loaded, hash_key), as_read([expected(row) for row in rows])
    assert read(writer.write_rows(rows)) == lines
    assert [read(writer.write_one(row)) for row in rows] == [[line] for line in lines]


@pytest.mark.parametrize("model", ["loans", "mixed"])
def test_batch_has_the_expected_lines(load: Callable[[str], Loaded], model: str) -> None:
    rows = make_rows(loaded := load(model))
    X = np.frombuffer(b"".join(row[4] for row in rows)).reshape(len(rows), -1)
    p, codes = [row[5] for row in rows], [row[6] for row in rows]
    reasons = [["AGE"] * (n % 3) for n in range(len(rows))]
    batch = Decided(AT, "batch", "/batch", loaded, X, p, codes, 0.0001234567, b"k", many=True, reasons=reasons)
    same = (AT, "batch", "/batch", loaded)
    lines = [
        expected((*same, *row[4:8], b"k"), decision_id=f"batch.{n}", reasons=reasons[n]) for n, row in enumerate(rows)
    ]
    writer = LineWriter(loaded, hash_key)
    assert read(writer.write(batch)) == as_read(lines)
    assert b"".join(map(writer.write, batch.split(3))) == writer.write(batch)


@pytest.mark.parametrize("second", [AT, float(int(AT)), int(AT) + 0.000001, int(AT) + 0.999999])
def test_time_in_a_line_has_six_digits_of_a_second(load: Callable[[str], Loaded], second: float) -> None:
    row = (second, *make_rows(loaded := load("mixed"))[0][1:])
    (line,) = LineWriter(loaded, hash_key).write_rows([row]).splitlines()
    assert json.loads(line)["time"] == datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

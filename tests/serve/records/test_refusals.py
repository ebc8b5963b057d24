"""Counts of refused requests: by minute, route, field and kind, and nothing that a caller wrote."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from serve.records.log_file import LogFile
from serve.records.refusals import Refusals
from tests.serve.conftest import Shelf

NOON = 1_795_435_200.0  # 2026-11-23T12:00:00Z
PREDICT, BATCH = "/api/v2/predict", "/api/v2/predict/batch"


def lines(folder: Path) -> list[dict[str, Any]]:
    files = sorted((folder / "refusals").rglob("*.jsonl"))
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


@pytest.fixture
def refusals(tmp_path: Path) -> Iterator[Refusals]:
    made = Refusals(LogFile(tmp_path, "refusals", 10_000, lambda: NOON))
    yield made
    made.close()


def test_counts_of_a_minute_are_written_once_it_is_over(tmp_path: Path, refusals: Refusals) -> None:
    for second in (0, 59.9):
        refusals.count(PREDICT, {("Age", "out of range"): 1}, NOON + second)
    refusals.write(NOON + 59.9)
    assert lines(tmp_path) == []
    refusals.write(NOON + 60)
    refusals.write(NOON + 61)
    line = {"minute": "2026-11-23T12:00Z", "route": PREDICT, "field": "Age", "kind": "out_of_range", "count": 2}
    assert lines(tmp_path) == [line]


def test_counts_wait_for_a_disk_that_refuses(
    tmp_path: Path, refusals: Refusals, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals.count(PREDICT, {("Age", "missing"): 1}, NOON)
    monkeypatch.setattr("serve.records.log_file.os.write", lambda _file, _data: 0)
    with pytest.raises(OSError, match="No space"):
        refusals.write(NOON + 60)
    monkeypatch.undo()
    refusals.write(NOON + 60)
    assert [line["count"] for line in lines(tmp_path)] == [1]


@pytest.fixture
def app(shelf: Shelf, make_app: Callable[..., Flask], tmp_path: Path) -> Iterator[Flask]:
    shelf.promote("mixed")
    app = make_app(prediction_log=tmp_path, max_batch_rows=1000)
    yield app
    app.extensions["prediction_log"].close()


RIGHT = {"amount": 10, "home": "own"}


@pytest.mark.parametrize(
    ("status", "path", "request_", "expected"),
    [
        (422, PREDICT, {"json": RIGHT | {"amount": 101}}, {("amount", "out_of_range"): 1}),
        (422, PREDICT, {"json": {}}, {("amount", "missing"): 1}),
        (422, PREDICT, {"json": RIGHT | {"amount": "8512"}}, {("amount", "not_a_number"): 1}),
        (422, PREDICT, {"json": RIGHT | {"home": "tent", "region": 7}},
         {("home", "unknown_category"): 1, ("region", "not_text"): 1}),
        (422, PREDICT, {"json": RIGHT | {"Maria da Silva": 1, "x": 2}}, {("(unknown)", "unknown_field"): 2}),
        (422, PREDICT, {"json": [RIGHT]}, {("", "shape"): 1}),
        (400, PREDICT, {"data": "{", "content_type": "application/json"}, {("", "malformed"): 1}),
        (415, PREDICT, {"data": "{}"}, {("", "content_type"): 1}),
        (422, BATCH, {"json": [RIGHT, RIGHT | {"amount": 101}, RIGHT | {"amount": 102, "y": 1}, 7]},
         {("amount", "out_of_range"): 2, ("(unknown)", "unknown_field"): 1, ("", "not_an_object"): 1}),
        (422, BATCH, {"json": {"amount": [1, 2], "home": ["own"], "z": []}},
         {("home", "uneven"): 1, ("(unknown)", "unknown_field"): 1}),
        (422, BATCH, {"data": "amount,amount\n1,2\n", "content_type": "text/csv"},
         {("amount", "repeated_column"): 1}),
        (422, BATCH, {"json": [RIGHT | {"amount": 101}] * 200}, {("amount", "out_of_range"): 200}),
        (413, BATCH, {"json": [RIGHT] * 1001}, {("", "too_large"): 1}),
        (400, "/invocations", {"json": {}}, {("", "malformed"): 1}),
        (400, "/v2/models/mixed_model/infer", {"json": {}}, {("", "malformed"): 1}),
        (404, "/v2/models/none/infer", {"json": {}}, {}),
        (200, PREDICT, {"json": RIGHT}, {}),
    ],
)  # fmt: skip
def test_refused_request_is_counted_by_field_and_kind(
    app: Flask,
    tmp_path: Path,
    status: int,
    path: str,
    request_: dict[str, Any],
    expected: dict[tuple[str, str], int],
) -> None:
    assert app.test_client().post(path, **request_).status_code == status
    app.extensions["prediction_log"].close()
    assert {(line["field"], line["kind"]): line["count"] for line in lines(tmp_path)} == expected
    rule = path.replace("mixed_model", "<name>")
    assert {line["route"] for line in lines(tmp_path)} <= {rule}

"""Which lines a decision leaves in the log, and what happens when they can't be written."""

import errno
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from serve.api.lane import ROUTE, TARGET, Lane
from serve.model.scorer import name_band
from serve.records import prediction_log
from serve.records.applicant import hash_applicant
from serve.store.live import Loaded
from tests.serve.conftest import Shelf

SECRET = b"sixteen bytes and more"
MIXED = {"amount": 10, "home": "own"}


def lines(folder: Path, kind: str = "decisions") -> list[dict[str, Any]]:
    files = sorted((folder / kind).rglob("*.jsonl"))
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def make_logged(
    shelf: Shelf, make_app: Callable[..., Flask], folder: Path, tmp_path: Path
) -> Iterator[Callable[..., Flask]]:
    """Make applications that log, and end their logs after the test."""
    made = []
    (tmp_path / "secret").write_bytes(SECRET + b"\n")

    def make(model: str = "loans", **settings: Any) -> Flask:
        shelf.promote(model, version="7")
        app = make_app(prediction_log=folder, applicant_secret_file=tmp_path / "secret", **settings)
        made.append(app)
        return app

    yield make
    for app in made:
        app.extensions["prediction_log"].close()


def logged_by(app: Flask, kind: str = "decisions") -> list[dict[str, Any]]:
    """Return the lines once everything is written."""
    app.extensions["prediction_log"].close()
    return lines(app.extensions["settings"].prediction_log, kind)


def lane_of(app: Flask) -> Lane:
    return Lane(app.extensions["live_model"], app.extensions["observer"], None, app.extensions["prediction_log"])


def predict(lane: Lane, body: bytes, headers: Mapping[bytes, bytes] | None = None) -> bytes | None:
    answer = lane(b"POST", TARGET, {b"content-type": b"application/json", **(headers or {})})
    return answer(body) if answer else None


def answers(app: Flask, application: dict[str, Any], way: str) -> bool:
    """Return whether the lane, or Flask, answers an application."""
    if way == "lane":
        return predict(lane_of(app), json.dumps(application).encode()) is not None
    return app.test_client().post(ROUTE, json=application).status_code == 200


def records(app: Flask) -> dict[str, int]:
    text = app.extensions["observer"].expose().decode()
    counts = re.findall(r'loan_prediction_log_records_total\{result="(\w+)"\} ([\d.]+)', text)
    return {result: int(float(count)) for result, count in counts}


def refuse_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_file: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("serve.records.log_file.os.write", refuse)


@pytest.mark.parametrize("mode", ["drop", "required"])
def test_line_says_what_was_decided_about_whom_by_which_model(
    make_logged: Callable[..., Flask], application: dict[str, Any], mode: str
) -> None:
    app = make_logged(prediction_log_mode=mode)
    answer = app.test_client().post("/api/v2/decision", json=application, headers={"X-Applicant-Key": "customer 7"})
    (line,) = logged_by(app)
    loaded: Loaded = app.extensions["live_model"].current
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line.pop("time"))
    assert line.pop("latency_ms") > 0
    assert line == {
        "decision_id": answer.headers["X-Decision-Id"],
        "route": "/api/v2/decision",
        "model_name": "loan_approval_model",
        "model_version": "7",
        "model_sha256": loaded.scorer.sha256,
        "contract": loaded.scorer.contract.fingerprint,
        **{f"input.{name}": value for name, value in application.items()},
        "probability": answer.json["probability"],
        "code": answer.json["prediction_code"],
        "label": answer.json["prediction"],
        "band": answer.json["band"],
        "reasons": [reason["code"] for reason in answer.json["reasons"]],
        "applicant": hash_applicant(SECRET, b"customer 7"),
    }


def test_lane_and_flask_write_the_same_line(make_logged: Callable[..., Flask], application: dict[str, Any]) -> None:
    app, body = make_logged(), json.dumps(application).encode()
    assert predict(lane_of(app), body, {b"x-applicant-key": b"k"})
    app.test_client().post(ROUTE, data=body, content_type="application/json", headers={"X-Applicant-Key": "k"})
    own = {"time", "decision_id", "latency_ms"}
    one, other = ({name: line[name] for name in line if name not in own} for line in logged_by(app))
    assert one == other
    assert (one["reasons"], one["route"]) == (None, ROUTE)


def test_missing_value_is_null_and_a_monitored_one_that_is_not_given_is_absent(
    make_logged: Callable[..., Flask],
) -> None:
    app = make_logged("mixed")
    client = app.test_client()
    for more in ({}, {"home": None}, {"region": "south"}, {"region": None}):
        assert client.post(ROUTE, json=MIXED | more).status_code == 200
    values = [
        {name: line[name] for name in line if name.startswith(("input.", "monitored."))} for line in logged_by(app)
    ]
    plain = {"input.amount": 10.0, "input.home": "own"}
    assert values == [plain, plain | {"input.home": None}, plain | {"monitored.region": "south"}, plain]


RECORDS = [MIXED | {"region": "south"}, {"amount": 20, "home": None}]
SPLIT = {"columns": ["home", "amount", "region"], "data": [["own", 10, "south"], [None, 20, None]]}
COLUMNS = {"amount": [10, 20], "home": ["own", None], "region": ["south", None]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v2/predict/batch", RECORDS),
        ("/api/v2/predict/batch", [RECORDS[0], RECORDS[1] | {"region": None}]),
        ("/api/v2/predict/batch", COLUMNS),
        ("/api/v2/predict/batch", "amount,home,region\n10,own,south\n20,,\n"),
        ("/invocations", "amount,home,region\n10,own,south\n20,,\n"),
        ("/invocations", {"dataframe_records": RECORDS}),
        ("/invocations", {"dataframe_split": SPLIT}),
        ("/invocations", {"instances": RECORDS}),
        ("/invocations", {"inputs": COLUMNS}),
    ],
)
def test_each_row_of_a_batch_has_its_line_whatever_its_form(
    make_logged: Callable[..., Flask], path: str, body: object
) -> None:
    app = make_logged("mixed")
    request = {"data": body, "content_type": "text/csv"} if isinstance(body, str) else {"json": body}
    answer = app.test_client().post(path, **request)
    assert answer.status_code == 200
    first, second = logged_by(app)
    batch = answer.headers["X-Decision-Id"]
    assert [line["decision_id"] for line in (first, second)] == [f"{batch}.0", f"{batch}.1"]
    assert {line["route"] for line in (first, second)} == {path}
    assert [(line["input.amount"], line["input.home"]) for line in (first, second)] == [(10, "own"), (20, None)]
    assert (first["monitored.region"], second.get("monitored.region", "absent")) == ("south", "absent")


def test_tensors_are_logged_as_values_of_the_contract(make_logged: Callable[..., Flask]) -> None:
    app = make_logged("mixed")
    tensor = {"name": "X", "datatype": "FP64", "shape": [2, 2], "data": [10, 0, 20, None]}
    answer = app.test_client().post("/v2/models/mixed_model/infer", json={"inputs": [tensor]})
    assert answer.status_code == 200
    assert [(line["input.amount"], line["input.home"]) for line in logged_by(app)] == [(10, "own"), (20, None)]


def test_long_batch_is_written_in_order_and_whole(make_logged: Callable[..., Flask]) -> None:
    app, n = make_logged("mixed"), 3 * prediction_log.PIECE + 1
    amounts = [number % 101 for number in range(n)]
    homes = [("own", "rent", None)[number % 3] for number in range(n)]
    columns = {"amount": amounts, "home": homes, "region": [None, *["south"] * (n - 1)]}
    answer = app.test_client().post("/api/v2/predict/batch", json=columns)
    logged = logged_by(app)
    assert [line["decision_id"] for line in logged] == [f"{answer.headers['X-Decision-Id']}.{i}" for i in range(n)]
    assert [(line["input.amount"], line["input.home"]) for line in logged] == list(zip(amounts, homes, strict=True))
    assert [line.get("monitored.region") for line in logged] == columns["region"]
    assert [line["code"] for line in logged] == answer.json["prediction_code"]
    band = app.extensions["live_model"].current.scorer.review_band
    assert {line["band"] for line in logged} == {name_band(line["probability"], *band) for line in logged}


def test_lines_of_two_models_name_each_its_own(
    make_logged: Callable[..., Flask], shelf: Shelf, application: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_log, "FLUSH_SECONDS", 600)  # both lines wait in one queue
    app = make_logged()
    client = app.test_client()
    client.post(ROUTE, json=application)
    shelf.promote("mixed", version="8")
    app.extensions["live_model"].refresh()
    client.post(ROUTE, json=MIXED)
    assert [(line["model_version"], line.get("input.amount")) for line in logged_by(app)] == [("7", None), ("8", 10.0)]


def test_rows_of_the_lane_go_to_the_files_of_their_model_and_day(
    make_logged: Callable[..., Flask], shelf: Shelf, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_log, "FLUSH_SECONDS", 600)  # all wait in one queue
    app = make_logged("mixed")
    lane, midnight = lane_of(app), 1_795_478_400.0  # 2026-11-24T00:00:00Z
    for version, at in (("7", midnight - 0.5), ("8", midnight - 0.25), ("8", midnight + 0.5)):
        shelf.promote("mixed", version=version)
        app.extensions["live_model"].refresh()
        monkeypatch.setattr("serve.api.lane.time", lambda at=at: at)
        assert predict(lane, json.dumps(MIXED).encode())
    logged = [(line["model_version"], line["time"]) for line in logged_by(app)]
    assert [version for version, _ in logged] == ["7", "8", "8"]
    days = {day.name: day for day in (folder / "decisions").iterdir()}
    assert set(days) == {"2026-11-23", "2026-11-24"}
    for day, path in days.items():
        text = "".join(each.read_text() for each in path.iterdir())
        assert all(json.loads(line)["time"].startswith(day) for line in text.splitlines())
    assert [time[:10] for _, time in logged] == ["2026-11-23", "2026-11-23", "2026-11-24"]


@pytest.mark.parametrize("key", ["", "k" * 257, "tab\there", "São Paulo", "one, two"])
def test_what_cannot_be_an_applicants_key_is_refused_without_repeating_it(
    make_logged: Callable[..., Flask], application: dict[str, Any], key: str
) -> None:
    app = make_logged()
    answer = app.test_client().post(ROUTE, json=application, headers={"X-Applicant-Key": key})
    assert answer.status_code == 400
    assert answer.json == {"error": "X-Applicant-Key: expected 1 to 256 printable ASCII characters without a comma"}
    assert predict(lane_of(app), json.dumps(application).encode(), {b"x-applicant-key": key.encode("latin-1")}) is None
    assert logged_by(app) == []
    assert [line["kind"] for line in logged_by(app, "refusals")] == ["malformed"]


def test_a_key_is_judged_without_a_log_too(client: FlaskClient, application: dict[str, Any]) -> None:
    for key, status in (("k" * 256, 200), ("k" * 257, 400)):
        assert client.post(ROUTE, json=application, headers={"X-Applicant-Key": key}).status_code == status


@pytest.mark.parametrize("way", ["lane", "flask"])
def test_disk_that_refuses_costs_records_and_one_line_when_it_begins_and_ends(
    make_logged: Callable[..., Flask],
    application: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    way: str,
) -> None:
    monkeypatch.setattr(prediction_log, "FLUSH_SECONDS", 600)
    app = make_logged()
    with monkeypatch.context() as patch:
        refuse_writes(patch)
        for _ in range(3):
            assert answers(app, application, way)
            app.extensions["prediction_log"].flush()
    assert answers(app, application, way)
    assert len(logged_by(app)) == 1
    assert records(app) == {"logged": 1, "dropped": 3, "refused": 0}
    messages = [record.getMessage() for record in caplog.records if record.name == "serve.records.prediction_log"]
    assert messages == [
        "the prediction log can't be written: No space left on device",
        "the prediction log goes on, records missing: 3",
    ]


@pytest.mark.parametrize("way", ["lane", "flask"])
def test_full_queue_drops_the_decisions_that_come_next(
    make_logged: Callable[..., Flask], application: dict[str, Any], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(prediction_log, "QUEUE_ROWS", 3)
    monkeypatch.setattr(prediction_log, "FLUSH_SECONDS", 600)  # nobody empties it
    app = make_logged()
    for _ in range(5):
        assert answers(app, application, way)
    assert records(app) == {"logged": 0, "dropped": 2, "refused": 0}
    assert len(logged_by(app)) == 3


def test_more_rows_than_a_piece_are_written_in_order_and_whole(
    make_logged: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_log, "FLUSH_SECONDS", 600)
    app, n = make_logged("mixed"), 3 * prediction_log.FEWEST + 1
    lane = lane_of(app)
    for number in range(n):
        assert predict(lane, json.dumps(MIXED | {"amount": number % 101}).encode())
    assert [line["input.amount"] for line in logged_by(app)] == [number % 101 for number in range(n)]
    assert records(app) == {"logged": n, "dropped": 0, "refused": 0}


def test_batch_larger_than_the_queue_is_taken_by_an_empty_one(
    make_logged: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_log, "QUEUE_ROWS", 3)
    app = make_logged("mixed")
    app.test_client().post("/api/v2/predict/batch", json=[MIXED] * 5)
    assert len(logged_by(app)) == 5


@pytest.mark.parametrize("path", [ROUTE, "/api/v2/decision", "/api/v2/predict/batch"])
def test_required_record_that_cannot_be_written_is_503_and_no_decision(
    make_logged: Callable[..., Flask], application: dict[str, Any], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_logged(prediction_log_mode="required")
    with monkeypatch.context() as patch:
        refuse_writes(patch)
        body = [application] if path.endswith("batch") else application
        answer = app.test_client().post(path, json=body)
        assert predict(lane_of(app), json.dumps(application).encode()) is None
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json == {"error": "the decision can't be put on record, try again later"}
    assert "X-Decision-Id" not in answer.headers
    assert records(app) == {"logged": 0, "dropped": 0, "refused": 1}
    decisions = re.findall(r"loan_decisions_total\{.*\} (.*)", app.extensions["observer"].expose().decode())
    assert set(decisions) == {"0.0"}
    assert logged_by(app) == []


def test_required_record_is_written_before_the_answer(
    make_logged: Callable[..., Flask], application: dict[str, Any], folder: Path
) -> None:
    app = make_logged(prediction_log_mode="required")
    answer = app.test_client().post(ROUTE, json=application)
    assert [line["decision_id"] for line in lines(folder)] == [answer.headers["X-Decision-Id"]]
    assert predict(lane_of(app), json.dumps(application).encode())
    assert len(lines(folder)) == 2


def test_decisions_around_midnight_lie_in_the_folder_of_their_own_day(
    make_logged: Callable[..., Flask], application: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_logged()
    midnight = 1_795_478_400.0  # 2026-11-24T00:00:00Z
    for at in (midnight - 0.5, midnight + 0.5):
        monkeypatch.setattr("serve.api.recording.time.time", lambda at=at: at)
        app.test_client().post(ROUTE, json=application)
    monkeypatch.undo()
    app.extensions["prediction_log"].close()
    days = {
        day.name: [json.loads(path.read_text())["time"] for path in day.iterdir()]
        for day in (folder / "decisions").iterdir()
    }
    assert days == {"2026-11-23": ["2026-11-23T23:59:59.500000Z"], "2026-11-24": ["2026-11-24T00:00:00.500000Z"]}


def test_secret_that_is_lost_drops_records_with_a_key_only(
    make_logged: Callable[..., Flask], application: dict[str, Any], tmp_path: Path
) -> None:
    app = make_logged()
    (tmp_path / "secret").unlink()
    client, log = app.test_client(), app.extensions["prediction_log"]
    client.post(ROUTE, json=application, headers={"X-Applicant-Key": "k"})
    log.flush()
    client.post(ROUTE, json=application)
    assert [line["applicant"] for line in logged_by(app)] == [None]
    assert records(app)["dropped"] == 1


def test_file_is_one_write_of_whole_lines(make_logged: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch) -> None:
    written, write = [], os.write
    app = make_logged("mixed", prediction_log_mode="required")
    monkeypatch.setattr("serve.records.log_file.os.write", lambda file, data: written.append(data) or write(file, data))
    app.test_client().post("/api/v2/predict/batch", json=[MIXED] * 600)
    monkeypatch.undo()
    assert [data.count(b"\n") for data in written] == [600]

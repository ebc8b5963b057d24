"""Spans of a real server at a collector's endpoint."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve.contract.contract import Contract
from serve.metrics.tracing import make_tracer
from serve.store.store import Store
from tests.model_files import LOANS, good_files
from tests.otlp_receiver import Receiver, attributes_of, receiving
from tests.server_process import promote, running_server
from tests.waiting import wait_until

EXAMPLE = Contract.from_dict(LOANS).example()
PREDICT = "/api/v2/predict"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
JSON = {"Content-Type": "application/json"}
# Nothing is sent before the end, unless so many spans wait.
AT_THE_END = {"OTEL_BSP_SCHEDULE_DELAY": "3600000"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def store(tmp_path) -> Path:
    """The path of a store with the `loans` model."""
    store = Store(tmp_path / "store")
    promote(store, good_files()["loans"], version="7")
    return store.path


@pytest.mark.parametrize("query", ["", "?"], ids=["lane", "Flask"])
def test_a_request_makes_a_span_below_its_caller_s_without_a_value_of_the_applicant(tmp_path, store, receiver, query):
    headers = JSON | {"traceparent": TRACE, "tracestate": "a=1", "X-Applicant-Key": "somebody"}
    body = json.dumps(EXAMPLE | {"Annual_Income": 4987123.25}).encode()
    with running_server(tmp_path, store, **receiver.environment) as server:
        answer = server.request("POST", PREDICT + query, body, headers)
        (span,) = wait_until(lambda: [span for span in receiver.spans if span.name == f"POST {PREDICT}"])
    assert (span.kind, span.status.code) == (2, 0)  # of a server, not set
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE[3:35], TRACE[36:52])
    assert span.trace_state == "a=1"
    assert attributes_of(span) == {
        "http.request.method": "POST",
        "http.route": PREDICT,
        "http.response.status_code": 200,
        "loan.decision_id": answer.headers["X-Decision-Id"],
        "loan.model_version": "7",
    }
    assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano
    assert receiver.services == {"loan-approval"}
    assert not [word for word in (b"4987123", b"somebody", b"Annual_Income") if word in b"".join(receiver.bodies)]


def test_each_worker_sends_its_spans_the_last_ones_at_its_end(tmp_path, store, receiver):
    environment = receiver.environment | AT_THE_END | {"OTEL_SERVICE_NAME": "lab"}
    with running_server(tmp_path, store, SERVE_WORKERS="2", **environment) as server:
        answers = [server.request("POST", PREDICT, EXAMPLE) for _ in range(30)]
        assert server.stop() == 0
    ids = {attributes_of(span).get("loan.decision_id") for span in receiver.spans}
    assert {answer.headers["X-Decision-Id"] for answer in answers} <= ids
    assert receiver.services == {"lab"}
    assert "spans are sent to OpenTelemetry's collector" in server.log.read_text()


def test_a_parent_that_is_not_sampled_is_respected_and_a_request_without_one_begins_a_trace(tmp_path, store, receiver):
    with running_server(tmp_path, store, **(receiver.environment | AT_THE_END)) as server:
        server.request("GET", "/api/v2/model", headers={"traceparent": TRACE.replace("-01", "-00")})
        server.request("GET", "/docs/")
        assert server.stop() == 0
    spans = {span.name: span for span in receiver.spans if "health" not in span.name}
    assert set(spans) == {"GET /docs/"}
    assert spans["GET /docs/"].parent_span_id == b""


def test_a_failure_of_ours_is_an_error_and_a_caller_s_is_not(tmp_path, receiver):
    with running_server(tmp_path, tmp_path / "empty", **(receiver.environment | AT_THE_END)) as server:
        assert server.request("POST", PREDICT, EXAMPLE).status == 503
        assert server.request("GET", "/nothing").status == 404
        assert server.stop() == 0
    codes = {span.name: span.status.code for span in receiver.spans if "health" not in span.name}
    assert codes == {f"POST {PREDICT}": 2, "GET none": 0}


def test_a_collector_that_does_not_answer_holds_up_neither_an_answer_nor_the_end(tmp_path, store, receiver):
    receiver.answers.clear()
    small = {"OTEL_BSP_MAX_QUEUE_SIZE": "8", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4", "OTEL_EXPORTER_OTLP_TIMEOUT": "60"}
    with running_server(tmp_path, store, SERVE_DRAIN_SECONDS="0.1", **receiver.environment, **small) as server:
        for _ in range(50):  # more than may wait
            assert server.request("POST", PREDICT, EXAMPLE).status == 200
        assert wait_until(lambda: receiver.bodies)
        assert server.stop() == 0  # the SDK itself would wait until the supervisor loses its patience


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_each_variable_of_an_endpoint_asks_for_a_tracer(monkeypatch, variable):
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    tracer = make_tracer({variable: "http://127.0.0.1:9"})
    assert tracer is not None
    tracer.close()


def test_a_variable_that_the_sdk_refuses_is_logged_and_the_server_runs(monkeypatch, caplog):
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-1")
    assert make_tracer({"OTEL_TRACES_EXPORTER": "otlp"}) is None
    assert caplog.messages[-1].startswith("no spans are sent: a variable of OpenTelemetry: ")

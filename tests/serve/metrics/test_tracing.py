import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve.api.service import Service
from serve.http import wsgi
from serve.metrics.tracing import make_tracer
from serve.settings import Settings
from tests.waiting import wait_until

EXPORTER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
HAS_PACKAGES = pytest.mark.usefixtures("packages")
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
INCOME = 4987123.25
ASKED = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


@pytest.fixture
def packages() -> None:
    """Skip in an environment with the server's requirements alone."""
    pytest.importorskip(EXPORTER)


@pytest.fixture
def receiver(monkeypatch, packages) -> Iterator["Receiver"]:  # noqa: F821 (its module needs the packages)
    from tests.otlp_receiver import receiving

    with receiving() as receiver:
        for name, value in receiver.environment.items():
            monkeypatch.setenv(name, value)
        yield receiver


@pytest.fixture
def service(shelf, receiver) -> Iterator[Service]:
    shelf.promote("loans", version="7")
    service = Service(Settings(store=shelf.store.path, poll_seconds=3600))
    yield service
    service.close()


def ask(service: Service, application: object, query: bytes = b"", **headers: bytes) -> dict[str, str]:
    """Return the headers of the response, by the lane unless there is a query."""
    target, body = b"/api/v2/predict" + query, json.dumps(application).encode()
    sent = {b"host": b"x", b"content-type": b"application/json"}
    sent |= {name.replace("_", "-").encode(): value for name, value in headers.items()}
    answer = service.short_cut(b"POST", target, sent)
    rest = answer(body) if answer else None
    assert (rest is None) is bool(query)
    if rest is None:
        _, rest = wsgi.call(service.application, wsgi.Request(b"POST", target, sent, body, True, "1.1"), ("x", 80))
    return dict(line.split(": ", 1) for line in rest.partition(b"\r\n\r\n")[0].decode().split("\r\n"))


@pytest.mark.parametrize("query", [b"", b"?"], ids=["lane", "Flask"])
def test_a_request_makes_a_span_below_its_caller_s_without_a_value_of_the_applicant(
    service, receiver, application, query
):
    from tests.otlp_receiver import attributes_of

    headers = {"traceparent": TRACE.encode(), "tracestate": b"a=1", "x_applicant_key": b"somebody"}
    answer = ask(service, application | {"Annual_Income": INCOME}, query, **headers)
    (span,) = wait_until(lambda: receiver.spans)
    assert (span.name, span.kind, span.status.code) == ("POST /api/v2/predict", 2, 0)
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE[3:35], TRACE[36:52])
    assert span.trace_state == "a=1"
    assert attributes_of(span) == {
        "http.request.method": "POST",
        "http.route": "/api/v2/predict",
        "http.response.status_code": 200,
        "loan.decision_id": answer["X-Decision-Id"],
        "loan.model_version": "7",
    }
    assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano
    assert receiver.services == {"loan-approval"}
    assert not any(word in receiver.bodies[0] for word in (b"4987123", b"somebody", b"Annual_Income"))


def test_a_request_without_a_trace_begins_one_and_a_parent_that_is_not_sampled_is_respected(
    service, receiver, application
):
    ask(service, application, traceparent=TRACE.replace("-01", "-00").encode())
    ask(service, application)
    service.close()  # sends what waits
    (span,) = receiver.spans
    assert span.parent_span_id == b""


def test_a_failure_of_ours_is_an_error_and_a_caller_s_is_not(service, receiver):
    from tests.otlp_receiver import attributes_of

    service.application.__self__.add_url_rule("/broken", view_func=lambda: 1 / 0)
    for target in (b"/nothing", b"/broken"):
        request = wsgi.Request(b"GET", target, {b"host": b"x"}, b"", True, "1.1")
        wsgi.call(service.application, request, ("x", 80))
    assert wait_until(lambda: len(receiver.spans) == 2)
    spans = {attributes_of(span)["http.response.status_code"]: span for span in receiver.spans}
    assert {status: (span.name, span.status.code) for status, span in spans.items()} == {
        404: ("GET none", 0),
        500: ("GET /broken", 2),
    }


def test_a_collector_that_does_not_answer_holds_up_neither_an_answer_nor_the_end(
    monkeypatch, service, receiver, application
):
    receiver.answers.clear()
    for _ in range(3000):  # more than may wait
        assert ask(service, application)["Content-Length"]
    assert wait_until(lambda: receiver.bodies)
    closing = threading.Thread(target=service.close)
    closing.start()
    closing.join(20)  # the SDK itself waits for half a minute
    assert not closing.is_alive()


def test_a_package_that_is_missing_is_named_once_and_the_server_runs(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, EXPORTER, None)  # in an environment without the packages, the first one is named
    assert make_tracer(ASKED) is None
    (line,) = caplog.messages
    assert re.fullmatch(r"no spans are sent: opentelemetry[\w.]* is not installed, expected .* locks/otel.txt", line)


@pytest.mark.parametrize(
    ("environment", "messages"),
    [
        ({}, []),
        ({"OTEL_SERVICE_NAME": "loans"}, []),
        (ASKED | {"OTEL_TRACES_EXPORTER": "none"}, []),
        (ASKED | {"OTEL_SDK_DISABLED": "True"}, []),
        (
            ASKED | {"OTEL_TRACES_EXPORTER": "console"},
            ["no spans are sent: OTEL_TRACES_EXPORTER: expected otlp or none"],
        ),
    ],
)
def test_there_is_no_tracer_unless_one_is_asked_for(caplog, environment, messages):
    caplog.set_level(logging.INFO)
    assert make_tracer(environment) is None
    assert caplog.messages == messages


@HAS_PACKAGES
@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_each_variable_of_an_endpoint_asks_for_a_tracer(monkeypatch, variable):
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    tracer = make_tracer({variable: "http://127.0.0.1:9"})
    assert tracer is not None
    tracer.close()


@HAS_PACKAGES
def test_a_variable_that_the_sdk_refuses_is_logged_and_the_server_runs(monkeypatch, caplog):
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-1")
    assert make_tracer(ASKED) is None
    assert caplog.messages[-1].startswith("no spans are sent: a variable of OpenTelemetry: ")


def test_without_the_variables_nothing_of_opentelemetry_is_imported(tmp_path):
    code = (
        "import sys; from pathlib import Path; from serve.settings import Settings;"
        "from serve.api.service import Service; Service(Settings(store=Path('none'))).close();"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"

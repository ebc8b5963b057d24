"""What holds without OpenTelemetry's packages; with them: tests/end_to_end/test_tracing.py."""

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from serve.metrics.tracing import make_tracer

ASKED = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


def test_a_package_that_is_missing_is_named_once_and_the_server_runs(monkeypatch, caplog):
    # Where none is installed, the first one is missed before this one.
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
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

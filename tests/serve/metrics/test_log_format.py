import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from serve.metrics.log_format import JSONFormatter

ROOT = Path(__file__).parents[3]


def format_line(message: str, *args: object, fields: dict | None = None, err: BaseException | None = None) -> str:
    info = (type(err), err, None) if err else None
    record = logging.LogRecord("serve.x", logging.WARNING, __file__, 1, message, args, info)
    if fields:
        record.fields = fields
    return JSONFormatter().format(record)


def test_a_line_has_time_level_logger_process_and_message():
    line = json.loads(format_line("%d models", 2, fields={"route": "/"}))
    assert list(line) == ["time", "level", "logger", "pid", "message", "route"]
    assert line["time"][10] == "T"
    assert line["time"].endswith("Z")
    del line["time"]
    expected = {"level": "warning", "logger": "serve.x", "pid": os.getpid(), "message": "2 models", "route": "/"}
    assert line == expected


@pytest.mark.parametrize(
    "nasty", ["\n", "\r\n", '"}\n{"', "\x85", "\u2028", "\x1b[2J", "\x9b2J", "\x00", "\udc80", "\\n"]
)
def test_no_text_ends_the_line_or_moves_the_cursor(nasty):
    text = f'a{nasty}{{"level": "info"}}'
    line = format_line("%s", text, fields={"route": text})
    assert len(line.splitlines()) == 1
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["message"] == json.loads(line)["route"] == text


def test_a_field_does_not_replace_the_message_or_level():
    assert json.loads(format_line("true", fields={"message": "forged", "level": "debug"}))["message"] == "true"


def test_only_the_class_of_an_exception_is_logged():
    line = format_line("it failed", err=ValueError("Annual_Income 85125"))
    assert json.loads(line)["exception"] == "ValueError"
    assert "85125" not in line


@pytest.mark.parametrize(
    ("code", "exception"),
    [
        ("raise ValueError('85125')", "ValueError"),
        ("import threading; t = threading.Thread(target=lambda: int('85125x')); t.start(); t.join()", "ValueError"),
        ("import warnings; warnings.warn('careful')", None),
    ],
    ids=["uncaught", "in a thread", "warning"],
)
def test_uncaught_exceptions_and_warnings_are_json_lines(code, exception):
    program = f"from serve.metrics.log_format import log_as_json; log_as_json()\n{code}"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    (line,) = result.stderr.splitlines()
    assert json.loads(line).get("exception") == exception
    assert "85125" not in line

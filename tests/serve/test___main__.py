import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def start(**environment: str) -> tuple[int, list[dict[str, object]]]:
    """Run a server that can't start; return its exit code and its log."""
    inherited = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "serve"]
    result = subprocess.run(command, env=inherited | environment, capture_output=True, text=True, timeout=60)
    return result.returncode, [json.loads(line) for line in result.stderr.splitlines()]


@pytest.mark.parametrize(
    ("variable", "text", "reason"),
    [
        ("PORT", "http", "serve: PORT='http': expected int from 0 to 65535"),
        ("SERVE_API_KEYS_FILE", __file__, "serve: test___main__.py line 1: expected name:sha256"),
        ("SERVE_TLS_CERTIFICATE", __file__, "serve: SERVE_TLS_CERTIFICATE, SERVE_TLS_KEY: "),
        ("SERVE_PUBLIC_KEY_FILE", __file__, "serve: SERVE_PUBLIC_KEY_FILE="),
    ],
)
def test_a_setting_that_can_not_be_used_ends_the_start_with_its_reason(variable, text, reason):
    code, (line,) = start(**{variable: text})
    assert (code, line["level"]) == (1, "critical")
    assert line["message"].startswith(reason)


def test_an_address_that_is_taken_ends_the_start():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, (line,) = start(PORT=str(port))
    assert code == 1
    assert line["message"].startswith(f"serve: can't listen on 127.0.0.1:{port}: Address already in use")

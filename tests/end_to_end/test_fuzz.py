"""Anything at all is sent to the real process: it never fails, and every refusal has one shape.

FUZZ_SECONDS (4 if not set) is how long each of the two goes on.
"""

import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serve.store.store import Store
from tests.load import EXAMPLE
from tests.model_files import good_files
from tests.raw_http import RawAnswer, exchange, post
from tests.server_process import Server, promote, running_server

SECONDS = float(os.environ.get("FUZZ_SECONDS", "4"))
LONG = "FUZZ_SECONDS" in os.environ
# All but one: a schema can't say that a tensor has as many values as its shape, or columns one length.
CHECKS = ("--checks", "all", "--exclude-checks", "positive_data_acceptance")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the `loans` model; its log may hold no error when all is done."""
    folder = tmp_path_factory.mktemp("fuzz")
    store = Store(folder / "store")
    promote(store, good_files()["loans"])
    with running_server(folder, store.path) as server:
        yield server
        assert server.stop() == 0
    log = server.log.read_text()
    assert "Traceback" not in log
    assert '"level": "error"' not in log


def refuse_constant(name: str) -> Any:
    raise AssertionError(f"{name} came out")


def check_answer(answer: RawAnswer) -> None:
    """Check that an answer is strict JSON, no failure, and in the shape of an error where it is one."""
    document = json.loads(answer.body, parse_constant=refuse_constant)
    assert answer.header("content-type") == "application/json"
    if answer.status == 200:
        assert set(document) == {"prediction", "prediction_code"}
        return
    assert answer.status in (400, 404, 405, 408, 413, 415, 422, 431)
    assert set(document) in ({"error"}, {"error", "fields"})
    assert isinstance(document["error"], str)
    assert all(isinstance(text, str) for text in document.get("fields", {}).values())


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([1e308, -0.0, 2**64, math.nan]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
APPLICATIONS = st.dictionaries(st.sampled_from([*EXAMPLE, "Wealth", "\ud800", "\0"]), VALUES, max_size=9).map(
    lambda changes: EXAMPLE | changes
)
BODIES = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")),
    (APPLICATIONS | VALUES).map(lambda value: json.dumps(value).encode()),
    (APPLICATIONS | VALUES).map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")),
)
HEADERS = st.lists(
    st.sampled_from(
        [
            *("Content-Type: text/plain", "Content-Type: application/json;charset=x", "Content-Encoding: br"),
            *("traceparent: x", "Accept: text/html", "Connection: close", "Expect: x", "Host: a b", "X: \x80\xff"),
        ]
    ),
    max_size=2,
    unique_by=lambda header: header.split(":")[0],
)
PATHS = st.just("/api/v2/predict") | st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20).map(
    lambda text: f"/{text}"
)


def test_any_body_is_decided_or_refused_in_one_shape(server):
    deadline = time.monotonic() + SECONDS
    seen: set[int] = set()

    @settings(max_examples=400, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(body=BODIES, headers=HEADERS, path=PATHS)
    def ask(body: bytes, headers: list[str], path: str) -> None:
        closing = [header for header in headers if not header.startswith("Connection")]
        data = post(body, "Connection: close", *closing, path=path.split("#")[0] or "/")
        answers = [answer for answer in exchange(server.port, data) if answer.status != 100]
        assert len(answers) == 1
        if path == "/api/v2/predict" or answers[0].status != 200:
            check_answer(answers[0])
        seen.add(answers[0].status)

    while time.monotonic() < deadline:  # each time from another seed
        ask()
    assert {200, 400, 404, 415, 422} <= seen


def test_the_server_keeps_to_its_own_openapi_document(server, tmp_path):
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{server.port}/openapi.json"),
        *(*CHECKS, "--mode", "all", "--no-color"),
        # A bound of work for every day, one of time for the long run: a slow machine tests no fewer operations.
        *(["--max-examples", "30", "--max-time", str(int(SECONDS))] if LONG else ["--max-examples", "2"]),
    ]
    told = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    ended = subprocess.run(command, cwd=tmp_path, env=told, capture_output=True, text=True, timeout=3600, check=False)
    print(ended.stdout[-1500:])
    every = re.search(r"Selected: (\d+)/\1\n +Tested: \1\n", ended.stdout)
    assert every, ended.stdout[-6000:]
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]

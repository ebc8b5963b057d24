"""`python -m serve.registry`: how the process starts, what it logs, and when it ends."""

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve.store.store import Store
from tests.fake_registry import FakeRegistry, fake_registry
from tests.server_process import promote
from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]
DEADLINE = 30  # seconds
COMMAND = [sys.executable, "-m", "serve.registry"]
SECRET = "not-for-the-log"  # noqa: S105 (nobody's)
# Starts the process, waits for the first line of its log, and ends without stopping it.
CARELESS_PARENT = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-m", "serve.registry"], stderr=subprocess.PIPE, pass_fds=[int(sys.argv[1])])
child.stderr.readline()
os._exit(0)
"""


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with fake_registry() as registry:
        yield registry


@pytest.fixture
def environment(registry, tmp_path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "MLFLOW_TRACKING_URI": registry.address.replace("//", f"//somebody:{SECRET}@"),
        "SERVE_STORE": str(tmp_path / "store"),
        "SERVE_REGISTRY_POLL_SECONDS": "0.05",
    }


def test_the_process_installs_logs_no_secret_and_ends_at_sigterm(registry, environment, model_file):
    registry.register("1", model_file("loans"))
    store = Store(Path(environment["SERVE_STORE"]))
    process = subprocess.Popen(COMMAND, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: store.pointer() is not None)
        registry.faults["alias"] = lambda handler: handler.send(401, SECRET.encode())
        wait_until(lambda: registry.asked.count("alias") >= 5)
        process.terminate()
        _, log = process.communicate(timeout=DEADLINE)
    finally:
        process.kill()
    assert process.returncode == 0
    assert registry.authorizations[0].startswith("Basic ")
    assert f"following loan_approval_model@production at {registry.address}" in log
    assert log.count("answered 401") == 1
    assert SECRET not in log


def test_the_process_ends_when_its_parent_has_ended(environment):
    read_end, write_end = os.pipe()
    try:
        command = [sys.executable, "-c", CARELESS_PARENT, str(write_end)]
        subprocess.run(command, env=environment, pass_fds=[write_end], timeout=DEADLINE, check=True)
        os.close(write_end)
        ended, _, _ = select.select([read_end], [], [], DEADLINE)  # end of file: no process holds the other end
        assert ended
    finally:
        os.close(read_end)


def test_the_process_does_not_start_without_an_http_address(environment):
    environment["MLFLOW_TRACKING_URI"] = "sqlite:///mlflow.db"
    refused = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert refused.returncode == 1
    assert "MLFLOW_TRACKING_URI names no http or https address" in refused.stderr


def test_the_process_does_not_start_on_a_store_of_another_model(environment, model_file):
    pointer = promote(Store(Path(environment["SERVE_STORE"])), model_file("mixed"))
    environment["SERVE_MODEL_NAME"] = "loan_approval_model"
    refused = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert refused.returncode == 1
    assert f"holds the model '{pointer.name}'" in refused.stderr

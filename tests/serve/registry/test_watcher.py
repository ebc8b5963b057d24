"""The process that follows an alias: how it begins, goes on and ends."""

import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve.registry.watcher import watch
from serve.settings import Settings
from serve.store.store import Store
from tests.fake_registry import FakeRegistry, fake_registry
from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]
DEADLINE = 30
SECRET = "not-for-the-log"  # noqa: S105 (nobody's)
# Starts the process, waits for its first word, and dies without a word to it.
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
    told = {
        "MLFLOW_TRACKING_URI": registry.address.replace("//", f"//somebody:{SECRET}@"),
        "SERVE_STORE": str(tmp_path / "store"),
        "SERVE_REGISTRY_POLL_SECONDS": "0.05",
    }
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)} | told


def test_the_alias_is_followed_and_reported_until_it_is_told_to_stop(registry, environment, model_file):
    settings = Settings.from_environment(environment)
    store, stopping, reports, beats = Store(settings.store), threading.Event(), [], []
    registry.register("1", model_file("loans"))
    thread = threading.Thread(target=watch, args=(settings, stopping, reports.append, lambda: beats.append(1)))
    thread.start()
    try:
        wait_until(lambda: store.pointer() is not None)
        registry.register("2", model_file("loans_strict"))
        wait_until(lambda: store.pointer().version == "2")
        wait_until(lambda: reports and reports[-1].version == "2")
    finally:
        stopping.set()
        thread.join(DEADLINE)
    assert not thread.is_alive()
    assert beats


def test_it_ends_soon_when_it_is_told_to_stop_in_a_long_wait(environment):
    settings = Settings.from_environment(environment | {"SERVE_REGISTRY_POLL_SECONDS": "3600"})
    stopping, reports = threading.Event(), []
    thread = threading.Thread(target=watch, args=(settings, stopping, reports.append))
    thread.start()
    wait_until(lambda: reports)
    stopping.set()
    thread.join(DEADLINE)
    assert not thread.is_alive()


def test_as_a_process_it_installs_logs_no_secret_and_ends_at_sigterm(registry, environment, model_file):
    registry.register("1", model_file("loans"))
    store = Store(Path(environment["SERVE_STORE"]))
    command = [sys.executable, "-m", "serve.registry"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
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


def test_it_ends_when_its_parent_is_gone(environment):
    read_end, write_end = os.pipe()
    try:
        command = [sys.executable, "-c", CARELESS_PARENT, str(write_end)]
        subprocess.run(command, env=environment, pass_fds=[write_end], timeout=DEADLINE, check=True)
        os.close(write_end)
        ended, _, _ = select.select([read_end], [], [], DEADLINE)  # end of file: nobody holds the other end any more
        assert ended
    finally:
        os.close(read_end)


def test_without_an_address_over_http_it_does_not_start(environment):
    command = [sys.executable, "-m", "serve.registry"]
    told = environment | {"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"}
    refused = subprocess.run(command, env=told, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert refused.returncode == 1
    assert "MLFLOW_TRACKING_URI names no http or https address" in refused.stderr

"""From a real `mlflow server` to an answer: promoted by the project's own code; watcher and server are processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from loan_approval.registry import tracking
from loan_approval.registry.promotion import promote, rollback
from serve.contract.contract import Contract
from serve.registry.follower import Follower
from serve.settings import Settings
from serve.store.store import Store
from tests.mlflow_server import MLflowServer, mlflow_server
from tests.model_files import LOANS
from tests.registered import new_name, register
from tests.server_process import ROOT, running_server
from tests.waiting import wait_until

DEADLINE = 120
EXAMPLE = Contract.from_dict(LOANS).example()


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MLflowServer]:
    """One server for the module; MLFLOW_TRACKING_URI names it meanwhile."""
    with mlflow_server(tmp_path_factory.mktemp("mlflow_server")) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", server.uri)
        yield server


@pytest.fixture
def name(mlflow: MLflowServer) -> str:
    return new_name()


@pytest.fixture
def environment(name: str, mlflow: MLflowServer, tmp_path: Path) -> dict[str, str]:
    return {
        "MLFLOW_TRACKING_URI": mlflow.uri,
        "SERVE_MODEL_NAME": name,
        "SERVE_STORE": str(tmp_path / "store"),
        "SERVE_REGISTRY_POLL_SECONDS": "0.1",
    }


@pytest.fixture
def store(environment: dict[str, str]) -> Store:
    return Store(Path(environment["SERVE_STORE"]))


@pytest.fixture
def follower(environment: dict[str, str]) -> Follower:
    return Follower(Settings.from_environment(environment))


@contextmanager
def watcher(environment: dict[str, str], log: Path) -> Iterator[None]:
    """Run `python -m serve.registry` until the block ends."""
    inherited = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    with log.open("wb") as output:
        command = [sys.executable, "-m", "serve.registry"]
        process = subprocess.Popen(command, env=inherited | environment, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        process.wait(DEADLINE)


def test_what_is_promoted_on_one_machine_answers_on_another_through_good_and_bad(
    name: str, mlflow: MLflowServer, environment: dict[str, str], store: Store, tmp_path: Path
) -> None:
    elsewhere, log = Store(tmp_path / "elsewhere"), tmp_path / "watcher.log"
    register(name, 1.0)
    register(name, -1.0, "failed")
    register(name, -1.5)
    with watcher(environment, log), running_server(tmp_path, store.path, SERVE_MODEL_NAME=name) as server:

        def answering() -> str | None:
            return server.request("POST", "/api/v2/predict", EXAMPLE).headers.get("X-Model-Version")

        promote(name, "1", elsewhere)
        wait_until(lambda: answering() == "1", DEADLINE)
        assert store.pointer_path.read_bytes() == elsewhere.pointer_path.read_bytes()
        assert server.request("POST", "/api/v2/predict", EXAMPLE).json["prediction_code"] == 1

        tracking.set_alias(name, "production", "2")  # as anybody can in MLflow's UI
        wait_until(lambda: f"version 2 of {name} is not taken, version 1 goes on" in log.read_text(), DEADLINE)
        assert answering() == "1"

        mlflow.stop()
        wait_until(lambda: f"can't follow {name}, version 1 goes on" in log.read_text(), DEADLINE)
        assert answering() == "1"
        mlflow.start()
        tracking.set_alias(name, "production", "3")
        wait_until(lambda: answering() == "3", DEADLINE)
        assert server.request("POST", "/api/v2/predict", EXAMPLE).json["prediction_code"] == 0

        rollback(name, elsewhere)
        wait_until(lambda: answering() == "1", DEADLINE)
    assert log.read_text().count("is not taken") <= 2  # once a change; the registry came back in between


def test_a_promotion_on_the_same_machine_and_the_watcher_write_the_same_pointer(
    name: str, follower: Follower, store: Store
) -> None:
    for bias, verdict in ((1.0, "passed"), (0.5, "failed")):
        register(name, bias, verdict)
    for number, reason in (("1", None), ("2", "the committee agreed"), ("1", None)):
        promote(name, number, store, reason)
        written = store.pointer_path.stat().st_mtime_ns
        for _ in range(2):
            follower.step()
        assert follower.status.error == ""
        assert store.pointer().version == number
        assert store.pointer_path.stat().st_mtime_ns == written


def test_a_watcher_never_turns_back_what_a_promotion_does_meanwhile(
    name: str, environment: dict[str, str], store: Store, tmp_path: Path
) -> None:
    for bias in (1.0, 0.5):
        register(name, bias)
    with watcher(environment | {"SERVE_REGISTRY_POLL_SECONDS": "0.05"}, tmp_path / "watcher.log"):
        for number in ["1", "2"] * 3:
            promote(name, number, store)
            assert store.pointer().version == number
    assert "goes on" not in (tmp_path / "watcher.log").read_text()


def test_a_version_that_was_registered_without_the_server_is_fetched_through_it(
    name: str, mlflow: MLflowServer, follower: Follower, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow.database)  # its artifacts are then files, not the server's
    version = register(name, 1.0)
    tracking.set_alias(name, "production", version.number)
    assert tracking.connect().get_model_version_download_uri(name, version.number).startswith("file:")
    follower.step()
    assert store.pointer().sha256 == version.sha256


def test_a_model_and_an_alias_that_mlflow_does_not_have_are_told(name: str, follower: Follower) -> None:
    follower.step()
    assert follower.status.error == "alias"
    register(name, 1.0)
    follower.step()
    assert follower.status.error == "alias"
    tracking.set_alias(name, "production", "1")
    follower.step()
    assert follower.status.error == ""

"""The registry on real services: MLflow on PostgreSQL and S3, and what happens when they go away at a bad moment."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest

from loan_approval import cli, project
from loan_approval.data.datasets import dataset_folder, load_contract
from loan_approval.registry import history, tracking
from serve.store.store import Store
from tests.mlflow_server import MLflowServer
from tests.postgres_server import postgres_server
from tests.s3_server import S3Server, s3_server
from tests.server_process import find_free_port, running_server
from tests.waiting import wait_until

pytestmark = pytest.mark.hard
NAME = "loan_approval_model"


@dataclass
class Stack:
    mlflow: MLflowServer
    s3: S3Server
    store: Store


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """MLflow on PostgreSQL and S3; this process's commands use it, with a store and reports of their own."""
    folder = tmp_path_factory.mktemp("stack")
    for name in ("s3", "mlflow"):
        (folder / name).mkdir()
    with (
        postgres_server() as database,
        s3_server(folder / "s3") as s3,
        pytest.MonkeyPatch.context() as patch,
    ):
        with pytest.MonkeyPatch.context() as briefly:
            for name, value in s3.environment.items():
                briefly.setenv(name, value)
            boto3.client("s3").create_bucket(Bucket="mlflow")
        # MLflow alone knows S3: whoever asks it needs no key.
        storage = {"database": database, "artifacts": "s3://mlflow/artifacts", "environment": s3.environment}
        mlflow = MLflowServer(folder / "mlflow", find_free_port(), **storage)
        try:
            mlflow.start()
            patch.setenv("MLFLOW_TRACKING_URI", mlflow.uri)
            patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
            patch.setenv("SERVE_STORE", str(folder / "store"))
            patch.setattr(project, "REPORTS", folder / "reports")
            yield Stack(mlflow, s3, Store(folder / "store"))
        finally:
            mlflow.stop()


@pytest.fixture(scope="module")
def two_versions(stack: Stack) -> Stack:
    """Version 1 in production, version 2 validated against it: trained, judged and promoted through the stack."""
    for model in ("logistic_regression", "hist_gradient_boosting"):
        cli.main(["train", "--dataset", "loans", "--model-name", model])
        cli.main(["validate", "--dataset", "loans"])
        if model == "logistic_regression":
            cli.main(["promote", "--dataset", "loans"])
    return stack


def test_the_line_runs_and_a_server_on_another_machine_follows(two_versions: Stack, tmp_path: Path) -> None:
    stack = two_versions
    example = load_contract(dataset_folder("loans")).example()
    environment = {"MLFLOW_TRACKING_URI": stack.mlflow.uri, "SERVE_REGISTRY_POLL_SECONDS": "0.2"}
    with running_server(tmp_path, tmp_path / "its_store", **environment) as server:

        def answering() -> str | None:
            return server.request("POST", "/api/v2/predict", example).headers.get("X-Model-Version")

        wait_until(lambda: answering() == "1")

        stack.mlflow.stop()
        assert answering() == "1"
        with pytest.raises(SystemExit, match="MLflow at http"):
            cli.main(["promote", "--dataset", "loans", "--version", "2"])
        stack.mlflow.start()
        assert stack.store.pointer().version == "1"
        cli.main(["promote", "--dataset", "loans", "--version", "2"])
        wait_until(lambda: answering() == "2")
    # Whoever asks MLflow may not know the address by which MLflow knows S3.
    assert "/presigned/" not in (stack.mlflow.folder / "server.log").read_text()


def test_without_s3_a_rollback_fails_whole_and_later_it_goes_through(two_versions: Stack) -> None:
    stack = two_versions
    cli.main(["promote", "--dataset", "loans", "--version", "2"])
    before, events = stack.store.pointer(), history.read(NAME)

    stack.s3.stop()
    with pytest.raises(SystemExit, match="they can't be reached"):
        cli.main(["rollback", "--dataset", "loans"])
    assert stack.store.pointer() == before
    assert tracking.version_of_alias(NAME, "production").number == "2"
    assert history.read(NAME) == events

    stack.s3.start()
    cli.main(["rollback", "--dataset", "loans"])
    assert stack.store.pointer().version == "1"
    assert tracking.version_of_alias(NAME, "production").number == "1"

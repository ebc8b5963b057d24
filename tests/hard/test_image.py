"""The image, really built and run, hardened; skipped where no container engine answers."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from loan_approval.project import ROOT
from serve.store import Store
from tests.model_files import LOANS, good_files
from tests.server_process import DEADLINE, find_free_port, promote

pytestmark = pytest.mark.hard
TAG = "loan-approval-api:test"
HARDENED = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--memory", "512m"]


def docker(*arguments: str) -> str:
    run = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    return run.stdout.strip()


@pytest.fixture(scope="module")
def image() -> str:
    """Build the image; BASE_IMAGE may name another base."""
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        pytest.skip("no container engine answers `docker info`")
    base = os.environ.get("BASE_IMAGE", "python:3.11-slim-bookworm")
    docker("build", "--network", "host", "--build-arg", f"BASE_IMAGE={base}", "-t", TAG, str(ROOT))
    return TAG


@pytest.fixture
def container(image: str, tmp_path: Path) -> Iterator[tuple[str, int]]:
    """Run the image on a mounted store; yields its name and port."""
    promote(Store(tmp_path / "store"), good_files()["loans"])
    port, name = find_free_port(), f"loan-approval-{os.getpid()}"
    volume = f"{tmp_path / 'store'}:/store:ro"
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)  # the container's user is another one
    docker("run", "-d", "--name", name, "--network", "host", "-e", f"PORT={port}", "-v", volume, *HARDENED, image)
    try:
        wait_until_ready(port)
        yield name, port
    finally:
        docker("rm", "-f", name)


def wait_until_ready(port: int) -> None:
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        try:
            urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5).close()
        except (URLError, OSError):
            time.sleep(0.2)
        else:
            return
    raise AssertionError("the container is not ready")


def test_a_hardened_container_answers_and_ends_with_zero(container: tuple[str, int]) -> None:
    name, port = container
    example = {feature["name"]: feature["example"] for feature in LOANS["feature"]}
    address = f"http://127.0.0.1:{port}/api/v2/predict"
    request = Request(address, json.dumps(example).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=DEADLINE) as answer:
        assert json.loads(answer.read()) == {"prediction": "Approved", "prediction_code": 1}
    assert docker("exec", name, "id", "-u") == "10001"
    docker("stop", "-t", "20", name)
    assert docker("inspect", "-f", "{{.State.ExitCode}}", name) == "0"


@pytest.mark.parametrize("module", ["sklearn", "pandas", "mlflow", "onnx", "loan_approval", "pip"])
def test_the_image_holds_no_training_library(image: str, module: str) -> None:
    run = subprocess.run(
        ["docker", "run", "--rm", "--entrypoint", "python", image, "-c", f"import {module}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert f"No module named '{module}'" in run.stderr

"""The image, really built and run, hardened; skipped where no container engine answers."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from loan_approval.project import ROOT
from serve.store.store import Store
from tests.fake_registry import fake_registry
from tests.load import PREDICT
from tests.model_files import LOANS, good_files
from tests.raw_http import connect, read_answers
from tests.server_process import DEADLINE, find_free_port, promote
from tests.waiting import wait_until

pytestmark = pytest.mark.hard
TAG = "loan-approval-api:test"
BASE = os.environ.get("BASE_IMAGE", "python:3.11-slim-bookworm")
# What a checkout may hold by chance, and no image may.
SECRETS = (
    "data/secret.csv",
    "secret.env",
    ".env",
    "serve/secret.env",
    "serve/.env",
    "serve/api/static/.env",
    "deploy/.env",
)
HARDENED = [
    *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "10001:10001"),
    *("--memory", "512m", "--pids-limit", "100"),
]


def docker(*arguments: str) -> str:
    run = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    return run.stdout.strip()


@pytest.fixture(scope="module")
def engine() -> None:
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        pytest.skip("no container engine answers `docker info`")


def build(tag: str, context: Path, *options: str) -> str:
    """Build the image; BASE_IMAGE may name another base."""
    docker("build", "--network", "host", "--build-arg", f"BASE_IMAGE={BASE}", *options, "-t", tag, str(context))
    return tag


@pytest.fixture(scope="module")
def image(engine: None) -> str:
    return build(TAG, ROOT)


@contextmanager
def running(image: str, *options: str) -> Iterator[tuple[str, int, float]]:
    """Run an image hardened; yields its name, port, and the seconds until it was ready."""
    port, name = find_free_port(), f"loan-approval-{os.getpid()}"
    docker("run", "-d", "--name", name, "--network", "host", "-e", f"PORT={port}", *options, *HARDENED, image)
    try:
        begun = time.monotonic()
        wait_until(lambda: is_ready(port))
        yield name, port, time.monotonic() - begun
    finally:
        docker("rm", "-f", name)


@pytest.fixture
def container(image: str, tmp_path: Path) -> Iterator[tuple[str, int]]:
    """Run the image on a mounted store; yields its name and port."""
    promote(Store(tmp_path / "store"), good_files()["loans"])
    for folder in [each for each in (tmp_path, *tmp_path.parents) if "pytest-of-" in str(each)]:
        folder.chmod(0o755)  # the container's user is another one
    with running(image, "-v", f"{tmp_path / 'store'}:/store:ro") as (name, port, _):
        yield name, port


def predict(port: int) -> dict[str, object]:
    example = {feature["name"]: feature["example"] for feature in LOANS["feature"]}
    address = f"http://127.0.0.1:{port}/api/v2/predict"
    request = Request(address, json.dumps(example).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=DEADLINE) as answer:
        return json.loads(answer.read())


def test_a_hardened_container_answers_and_ends_with_zero(container: tuple[str, int]) -> None:
    name, port = container
    assert predict(port) == {"prediction": "Approved", "prediction_code": 1}
    assert docker("exec", name, "id", "-u") == "10001"
    assert subprocess.run(["docker", "exec", name, "touch", "/app/probe"], capture_output=True).returncode
    docker("stop", "-t", "20", name)
    assert docker("inspect", "-f", "{{.State.ExitCode}} {{.State.OOMKilled}}", name) == "0 false"


def test_docker_stop_lets_a_request_in_flight_be_answered(container: tuple[str, int]) -> None:
    name, port = container
    with connect(port) as sending:
        sending.sendall(PREDICT[:-5])
        stopping = subprocess.Popen(["docker", "stop", "-t", "20", name], stdout=subprocess.DEVNULL)
        wait_until(lambda: not is_ready(port))
        sending.sendall(PREDICT[-5:])
        (answer,) = read_answers(sending.makefile("rb"))
    assert answer.status == 200
    assert stopping.wait(DEADLINE) == 0
    assert docker("inspect", "-f", "{{.State.ExitCode}}", name) == "0"


def is_ready(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def is_healthy(name: str) -> bool:
    return docker("inspect", "-f", "{{.State.Health.Status}}", name) == "healthy"


def test_the_engines_own_health_check_finds_it_healthy(container: tuple[str, int]) -> None:
    wait_until(lambda: is_healthy(container[0]))


def test_a_new_volume_takes_the_prediction_log(image: str) -> None:
    volume = f"loan-approval-log-{os.getpid()}"
    told = [("SERVE_PREDICTION_LOG", "/predictions"), ("SERVE_PREDICTION_LOG_MODE", "required")]
    options = [word for name, value in told for word in ("-e", f"{name}={value}")]
    try:
        with fake_registry() as registry:
            registry.register("7", good_files()["loans"])
            options += ["-e", f"MLFLOW_TRACKING_URI={registry.address}", "--tmpfs", "/store:uid=10001,gid=10001"]
            with running(image, "-v", f"{volume}:/predictions", *options) as (name, port, _):
                assert predict(port) == {"prediction": "Approved", "prediction_code": 1}
                assert "decisions" in docker("exec", name, "ls", "/predictions").split()
    finally:
        docker("volume", "rm", volume)


def test_a_start_compiles_no_module(container: tuple[str, int]) -> None:
    # One worker that compiled everything took three times as long until its first answer.
    listing = (
        "import os, sys, serve.__main__, serve.api.service, serve.http.worker, uvloop\n"
        "cached = [getattr(module, '__cached__', None) for module in sys.modules.values()]\n"
        "print(len(cached), *(each for each in cached if each and not os.path.exists(each)))"
    )
    count, *missing = docker("exec", container[0], "python", "-c", listing).split()
    assert int(count) > 300
    assert missing == []


def test_the_added_layers_stay_below_200_mb(image: str) -> None:
    sizes = [int(docker("image", "inspect", "-f", "{{.Size}}", each)) for each in (image, BASE)]
    print(f"image {sizes[0] / 1e6:.0f} MB, base {sizes[1] / 1e6:.0f} MB")
    assert sizes[0] - sizes[1] < 200e6


def context_with(store: Path, folder: Path) -> Path:
    """Return a build context as a checkout has it, with a promoted store and with what must stay out."""
    for name in ("Dockerfile", ".dockerignore", "locks", "serve"):
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, folder / name)
    shutil.copytree(store, folder / "store" / "loan_approval_model")
    for name in SECRETS:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("1")
    return folder


def test_a_model_baked_in_answers_without_a_volume_and_nothing_else_is_in_it(engine: None, tmp_path: Path) -> None:
    store = Store(tmp_path / "source")
    promote(store, good_files()["mixed"], "1")
    pointer = promote(store, good_files()["loans"], "2")
    (tmp_path / "context").mkdir()
    context = context_with(store.path, tmp_path / "context")
    image = build(TAG + "-baked", context, "--build-arg", "MODEL=store/loan_approval_model")
    with running(image) as (name, port, seconds):
        assert predict(port) == {"prediction": "Approved", "prediction_code": 1}
        kept = docker("exec", name, "ls", "/store").split()
        print(f"ready {seconds:.2f} s after docker run returned")
    # With the mark of the file's verification, or each start of the read-only image would verify it again.
    assert sorted(kept) == sorted(
        ["production.json", *(f"{pointer.sha256}.{end}" for end in ("json", "onnx", "verified"))]
    )
    search = ("/app", "/store", "-name", "*secret*", "-o", "-name", ".env")
    assert docker("run", "--rm", "--network", "none", "--entrypoint", "find", image, *search) == ""


def test_a_store_whose_file_is_broken_stops_the_build(engine: None, tmp_path: Path) -> None:
    store = Store(tmp_path / "source")
    pointer = promote(store, good_files()["loans"])
    with (store.path / f"{pointer.sha256}.onnx").open("ab") as file:
        file.write(b"x")
    (tmp_path / "context").mkdir()
    context = context_with(store.path, tmp_path / "context")
    with pytest.raises(AssertionError, match="another hash"):
        build(TAG + "-broken", context, "--build-arg", "MODEL=store/loan_approval_model")


def test_a_model_behind_an_alias_is_fetched(image: str) -> None:
    with fake_registry() as registry:
        registry.register("7", good_files()["loans"])
        options = ["-e", f"MLFLOW_TRACKING_URI={registry.address}", "--tmpfs", "/store:uid=10001,gid=10001"]
        with running(image, *options) as (_, port, _):
            with urlopen(f"http://127.0.0.1:{port}/api/v2/model", timeout=DEADLINE) as answer:
                assert json.loads(answer.read())["version"] == "7"
            assert predict(port) == {"prediction": "Approved", "prediction_code": 1}


def test_the_list_of_what_is_in_the_image_is_right(image: str, tmp_path: Path) -> None:
    installed = docker(
        *("run", "--rm", "--entrypoint", "python", image, "-c"),
        "import importlib.metadata as m; print(*(f'{d.name}=={d.version}'.lower() for d in m.distributions()))",
    )
    listing = tmp_path / "sbom.json"
    command = [Path(sys.executable).with_name("cyclonedx-py"), "requirements", "--of", "JSON", "-o", listing]
    subprocess.run([*command, ROOT / "locks/serve.txt"], check=True, capture_output=True)
    listed = {f"{part['name']}=={part['version']}" for part in json.loads(listing.read_text())["components"]}
    # A name may be written with _ or - (PEP 503).
    assert {name.replace("_", "-") for name in installed.split()} <= {name.lower().replace("_", "-") for name in listed}


def test_labels_say_what_it_is(image: str) -> None:
    labels = json.loads(docker("image", "inspect", "-f", "{{json .Config.Labels}}", image))
    assert labels["org.opencontainers.image.title"] == "loan-approval-api"
    assert docker(
        "image", "inspect", "-f", "{{json .Config.ExposedPorts}} {{json .Config.Entrypoint}} {{.Config.User}}", image
    ) == ('{"8000/tcp":{}} ["python","-m","serve"] 10001:10001')


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

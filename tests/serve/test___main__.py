import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path

import pytest

from serve.settings import Settings
from serve.store.store import Store
from tests.server_process import Server, find_free_port, promote, running_server
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
SHARED = Path("/dev/shm")  # noqa: S108 (where servers count)


def start(*arguments: str, **environment: str) -> tuple[int, list[dict[str, object]]]:
    """Run a server that can't start; return its exit code and its log."""
    inherited = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "serve", *arguments]
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


@pytest.mark.parametrize(("told", "port"), [({}, 8080), ({"SAGEMAKER_BIND_TO_PORT": "9871"}, 9871)])
def test_as_sagemaker_starts_it_the_server_listens_on_the_port_of_sagemaker_and_not_on_the_images(told, port):
    with ExitStack() as taken:  # by this test, unless it is already: the start ends, and says where it would listen
        with suppress(OSError):
            taken.enter_context(socket.create_server(("127.0.0.1", port)))
        code, (line,) = start("serve", PORT="0", **told)
    assert code == 1
    assert f"can't listen on 127.0.0.1:{port}: " in line["message"]


@pytest.fixture(scope="module")
def filled(tmp_path_factory, model_file) -> Store:
    """A store with a model."""
    store = Store(tmp_path_factory.mktemp("filled") / "store")
    promote(store, model_file("mixed"))
    return store


def test_a_store_of_another_model_than_the_given_one_ends_the_start_with_both_names_and_the_folder(filled):
    code, (line,) = start(SERVE_STORE=str(filled.path), SERVE_MODEL_NAME="somebody_elses")
    assert code == 1
    assert line["message"] == (
        f"serve: SERVE_MODEL_NAME='somebody_elses': the store {filled.path} holds the model "
        f"'{filled.pointer().name}', expected the same name in both"
    )


@pytest.mark.parametrize("is_given", [True, False])
def test_a_store_answers_under_its_own_name_where_that_is_given_or_none_is(tmp_path, filled, is_given):
    name = filled.pointer().name
    assert name != Settings.model_name
    environment = {"SERVE_MODEL_NAME": name} if is_given else {}
    with running_server(tmp_path, filled.path, **environment) as server:
        wait_until(lambda: server.request("GET", "/health/ready").status == 200, log=server.log)
        assert server.request("GET", "/").json["model_name"] == name
        assert "holds no model" not in server.log.read_text()


@pytest.mark.parametrize("made", [True, False])
def test_an_empty_store_is_told_of_once_at_the_start_with_what_to_do(tmp_path, made):
    store = tmp_path / "store"
    if made:
        store.mkdir()
    with running_server(tmp_path, store, SERVE_WORKERS="2") as server:
        assert server.stop() == 0
    told = [line for line in map(json.loads, server.log.read_text().splitlines()) if "no model" in line["message"]]
    assert [line["level"] for line in told] == ["warning"]
    (message,) = [line["message"] for line in told]
    for part in (str(store), "'production'", "503", "promote", "MLFLOW_TRACKING_URI"):
        assert part in message


def kill(server: Server) -> None:
    """Kill the whole server at once, as a machine does that runs out of memory."""
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait()


def counts() -> set[Path]:
    """Return the folders in which servers of this machine count, whoever started them."""
    return set((SHARED if os.access(SHARED, os.W_OK) else Path(tempfile.gettempdir())).glob("serve-*-*"))


def start_counting(folder: Path) -> AbstractContextManager[Server]:
    folder.mkdir(exist_ok=True)
    return running_server(folder, folder / "store", SERVE_METRICS_ADDRESS=f"127.0.0.1:{find_free_port()}")


def test_what_killed_servers_left_is_removed_at_the_next_start_and_what_others_use_is_not(tmp_path):
    with start_counting(tmp_path / "running") as running, start_counting(tmp_path / "killed") as killed:
        in_use, left = (
            {path for path in counts() if path.name.startswith(f"serve-{server.process.pid}-")}
            for server in (running, killed)
        )
        assert (len(in_use), len(left)) == (1, 1)
        kill(killed)
        store = tmp_path / "killed" / "store"
        store.mkdir()
        (store / ".model.onnx.0123abcd").write_bytes(b"half")
        os.utime(store / ".model.onnx.0123abcd", (0, 0))
        with start_counting(tmp_path / "killed"):
            assert not left & counts()
            assert in_use <= counts()
            assert list(store.iterdir()) == []
    with start_counting(tmp_path / "last"):  # the first one was killed at the end of its block
        assert not in_use & counts()


def test_the_parent_process_imports_nothing_that_its_workers_alone_need():
    listing = "import sys, serve.__main__; print(*sys.modules)"
    command = [sys.executable, "-c", listing]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    loaded = set(result.stdout.split())
    assert "serve.http.supervisor" in loaded
    assert loaded & {"asyncio", "flask", "msgspec", "numpy", "onnxruntime", "ssl", "uvloop", "_hashlib"} == set()
    assert loaded & {"argparse", "difflib", "shutil", "tempfile"} == set()  # what an argument or the metrics need

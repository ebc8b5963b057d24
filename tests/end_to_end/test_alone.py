"""The server asks nobody outside for anything, writes nothing at home, and needs to write nothing but memory."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from serve.store.store import Store
from tests.model_files import good_files
from tests.server_process import DEADLINE, ROOT, promote

# What runs inside: start the server, ask it once, stop it; the answer's status is the last line.
SCRIPT = """
import http.client, json, os, signal, socket, subprocess, sys, time
server = subprocess.Popen([sys.executable, "-m", "serve"])
for attempt in range(600):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["PORT"]), timeout=60)
        connection.request("POST", "/api/v2/predict", sys.argv[1], {"Content-Type": "application/json"})
        print("answer", connection.getresponse().status)
        break
    except OSError:
        time.sleep(0.05)
metrics = http.client.HTTPConnection("127.0.0.1", 8001, timeout=60)
metrics.request("GET", "/metrics")
print("metrics", metrics.getresponse().status)
server.send_signal(signal.SIGTERM)
print("ended", server.wait(60))
"""
BODY = '{"Loan_Amount": 25000, "Loan_Duration_Years": 10}'
AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
STRACE = ("strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmsg", "-o")


@pytest.fixture
def told(tmp_path: Path) -> dict[str, str]:
    """The environment of a server in a namespace of its own; nothing in it says that this is a test machine."""
    store = Store(tmp_path / "store")
    promote(store, good_files()["loans"])
    (tmp_path / "home").mkdir()
    return {
        **{"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT), "PORT": "8000"},
        **{"SERVE_STORE": str(store.path), "SERVE_METRICS_ADDRESS": "127.0.0.1:8001", "SERVE_WORKERS": "2"},
    }


def run_without_network(command: list[str], folder: Path, told: dict[str, str]) -> str:
    """Run in an empty network namespace with loopback alone, and return what was printed. Skips where that can't be."""
    if subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no network namespace can be made here")
    inside = ["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *command]
    ended = subprocess.run(inside, cwd=folder, env=told, capture_output=True, text=True, timeout=DEADLINE, check=False)
    if "ip: not found" in ended.stderr:
        pytest.skip("no `ip` here to bring loopback up")
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stdout


def test_without_a_network_it_answers_and_writes_nothing_at_home(tmp_path, told):
    said = run_without_network([sys.executable, "-c", SCRIPT, BODY], tmp_path, told)
    assert said.split("\n")[:3] == ["answer 200", "metrics 200", "ended 0"]
    assert list((tmp_path / "home").rglob("*")) == []


def test_it_calls_nobody(tmp_path, told):
    if not shutil.which("strace"):
        pytest.skip("no strace here")
    trace = tmp_path / "trace"
    command = [*STRACE, str(trace), sys.executable, "-c", SCRIPT, BODY]
    if subprocess.run([*STRACE, str(trace), "true"], capture_output=True, check=False).returncode:
        pytest.skip("strace can't trace here")
    assert "answer 200" in run_without_network(command, tmp_path, told)
    calls = [line for line in trace.read_text().splitlines() if "AF_INET" in line]
    assert calls  # the client's own
    assert [line for line in calls if '"127.0.0.1"' not in line] == []


def test_as_nobody_on_a_tree_that_it_may_not_write_it_answers(tmp_path, told):
    if os.geteuid():
        pytest.skip("only root can become somebody else")
    tree = tmp_path / "tree"
    shutil.copytree(ROOT / "serve", tree / "serve")
    shutil.copytree(told["SERVE_STORE"], tree / "store")
    subprocess.run(["chmod", "-R", "a-w,a+rX", tree], check=True)
    for folder in [each for each in (tmp_path, *tmp_path.parents) if "pytest-of-" in str(each)]:  # closed to others
        folder.chmod(0o755)
    python_path = f"{tree}:{sysconfig.get_path('purelib')}"
    told |= {"PYTHONPATH": python_path, "SERVE_STORE": str(tree / "store"), "HOME": "/nonexistent"}
    python = find_python_for_nobody(python_path)
    inside = [
        "unshare",
        "-n",
        "sh",
        "-c",
        'ip link set lo up && exec "$@"',
        "sh",
        *AS_NOBODY,
        python,
        "-c",
        SCRIPT,
        BODY,
    ]
    ended = subprocess.run(inside, cwd=tree, env=told, capture_output=True, text=True, timeout=DEADLINE, check=False)
    if "unshare failed" in ended.stderr or "ip: not found" in ended.stderr:
        pytest.skip("no network namespace can be made here")
    assert ended.stdout.split("\n")[:3] == ["answer 200", "metrics 200", "ended 0"], ended.stderr
    assert "Traceback" not in ended.stderr


def find_python_for_nobody(python_path: str) -> str:
    """Return an interpreter that nobody may run; it may lie in root's home. Skips where there is none."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    probe = "import os, subprocess, sys, onnxruntime; subprocess.run([sys.executable, '-c', ''], check=True)"
    for python in (sys.executable, f"/usr/bin/{name}", f"/usr/local/bin/{name}"):
        command = [*AS_NOBODY, python, "-c", probe]
        told = {
            "PYTHONPATH": python_path,
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "ORT_DISABLE_TELEMETRY": "1",
        }
        if not subprocess.run(command, env=told, capture_output=True, check=False).returncode:
            return python
    pytest.skip("nobody may run a Python with these packages")

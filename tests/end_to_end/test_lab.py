"""`make lab` starts a JupyterLab in which a notebook runs top to bottom."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import nbformat
import pytest
import websocket

from loan_approval.project import ROOT
from tests.server_process import DEADLINE, _kill_group, find_free_port

TOKEN = uuid.uuid4().hex


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """Start `make lab`; return its address once it answers."""
    port = find_free_port()
    options = f"--no-browser --port={port} --ServerApp.port_retries=0 --IdentityProvider.token={TOKEN}"
    ready = f"{sys.prefix}/.ready"  # this very environment is set up already
    command = ["make", "-o", ready, "lab", f"VENV={sys.prefix}", f"LAB_OPTIONS={options}"]
    environment = os.environ | {"HOME": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path / "config")}
    with (tmp_path / "lab.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        address = f"127.0.0.1:{port}"
        wait_for(address, process, tmp_path / "lab.log")
        yield address
    finally:
        _kill_group(process)


def wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            ask(address, "GET", "/api")
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


def ask(address: str, method: str, path: str, body: dict | None = None) -> dict:
    data = json.dumps(body).encode() if body else None
    request = Request(f"http://{address}{path}", data, {"Authorization": f"token {TOKEN}"}, method=method)
    with urlopen(request, timeout=DEADLINE) as answer:
        return json.loads(answer.read() or b"{}")


def run_cell(channels: websocket.WebSocket, source: str) -> dict:
    """Send a cell as JupyterLab does, and return the kernel's reply."""
    identity = uuid.uuid4().hex
    header = {"msg_id": identity, "msg_type": "execute_request", "session": "test", "username": "", "version": "5.3"}
    content = {"code": source, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    channels.send(json.dumps(message))
    while True:
        reply = json.loads(channels.recv())
        if reply["parent_header"].get("msg_id") == identity and reply["msg_type"] == "execute_reply":
            return reply["content"]


def test_jupyterlab_opens_where_one_starts(lab: str) -> None:
    with urlopen(Request(f"http://{lab}/", headers={"Authorization": f"token {TOKEN}"}), timeout=DEADLINE) as answer:
        assert answer.url == f"http://{lab}/lab/tree/notebooks/01_explore.ipynb"


def test_the_explore_notebook_runs_in_jupyterlab(
    lab: str, make_data_set: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = make_data_set("lab")
    notebook = {"name": "", "path": "notebooks/01_explore.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
    session = ask(lab, "POST", "/api/sessions", notebook)
    content = ask(lab, "GET", "/api/contents/notebooks/01_explore.ipynb")["content"]
    channels = websocket.create_connection(
        f"ws://{lab}/api/kernels/{session['kernel']['id']}/channels?token={TOKEN}", timeout=DEADLINE
    )
    for cell in nbformat.from_dict(content).cells:
        if cell.cell_type == "code":
            source = cell.source
            if "parameters" in cell.metadata.get("tags", []):
                source = f"dataset = {str(folder)!r}\nreports = {str(tmp_path)!r}"  # as typed into the cell
            reply = run_cell(channels, source)
            assert reply["status"] == "ok", reply
    channels.close()
    assert (tmp_path / "lab" / "sweetviz_target.html").is_file()

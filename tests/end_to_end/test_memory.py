"""The worst bodies that the limits allow, on every route at once, against the real process and the manifests' limit."""

import gzip
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from serve.settings import Settings
from serve.store.store import Store
from tests.cgroups import limited
from tests.load import EXAMPLE, worker_pids
from tests.model_files import good_files
from tests.server_process import ROOT, Server, promote, running_server
from tests.waiting import wait_until

MANIFESTS = [
    *("deploy/kubernetes/base/deployment.yaml", "deploy/kubernetes/overlays/production/model-from-image.yaml"),
    "deploy/cloud/cloud-run.yaml",
]
LIMIT = min(int(re.findall(r"memory: (\d+)Mi", (ROOT / name).read_text())[-1]) for name in MANIFESTS)  # MiB
BATCH, INVOCATIONS, INFER = "/api/v2/predict/batch", "/invocations", "/v2/models/loan_approval_model/infer"
JSON, CSV = "application/json", "text/csv"
NAMES, VALUES = list(EXAMPLE), list(EXAMPLE.values())
GZIP = b"\x1f\x8b"  # how its bodies begin
ROWS, LARGEST = Settings.max_batch_rows, Settings.max_batch_bytes


def repeat(item: str, ends: str = "[]", times: int = ROWS) -> bytes:
    """Return JSON of so many items; each `#` in one becomes its number."""
    return (ends[0] + ",".join(item.replace("#", f"{number:x}") for number in range(times)) + ends[1]).encode()


def rows_of(item: str, rows: int = ROWS) -> str:
    return ",".join([item] * rows)


def worst_bodies() -> dict[str, tuple[str, str, bytes]]:
    """Return path, content type and body by name."""
    record = json.dumps(EXAMPLE, separators=(",", ":"))
    escaped = record.replace("Age", "\\u0041ge")
    values = json.dumps(VALUES, separators=(",", ":"))
    line = ",".join(map(str, VALUES))
    long_line = ",".join(f"{value:.17f}" for value in VALUES)
    columns = ",".join(f'"{name}":[{rows_of(json.dumps(value))}]' for name, value in EXAMPLE.items())
    tensors = ",".join(
        f'{{"name":"{name}","shape":[{ROWS},1],"datatype":"FP64","data":[{rows_of(f"[{value}]")}]}}'
        for name, value in EXAMPLE.items()
    )
    matrix = f'{{"name":"X","shape":[{ROWS},{len(NAMES)}],"datatype":"FP64","data":[{rows_of(values)}]}}'
    split = f'{{"dataframe_split":{{"columns":{json.dumps(NAMES)},"data":[{rows_of(values)}]}}}}'
    names = ",".join(f'"{number:x}"' for number in range(700_000))
    header, quoted = ",".join(NAMES), '"Age"' + ",".join(NAMES)[3:]
    return {
        "records": (BATCH, JSON, f"[{rows_of(record)}]".encode()),
        "records with escapes": (BATCH, JSON, f"[{rows_of(escaped, 98_000)}]".encode()),
        "columns": (BATCH, JSON, f"{{{columns}}}".encode()),
        "csv": (BATCH, CSV, f"{header}\n{(line + chr(10)) * ROWS}".encode()),
        "csv with quotes": (BATCH, CSV, f"{quoted}\n{(long_line + chr(10)) * 90_000}".encode()),
        "csv with wide characters": (BATCH, CSV, f"{header}\n{(line + ',😀' + chr(10)) * 90_000}".encode()),
        "csv header": (BATCH, CSV, b",".join(b"%x" % number for number in range(1_400_000))[:LARGEST]),
        "one object": (BATCH, JSON, repeat('"#":1', "{}", 1_400_000)),
        "unknown names": (BATCH, JSON, repeat("{" + ",".join(f'"{letter}#":1' for letter in "abcdefg") + "}")),
        "texts": (BATCH, JSON, repeat('"#😀"', times=1_000_000)),
        "split": (INVOCATIONS, JSON, split.encode()),
        "split names": (INVOCATIONS, JSON, f'{{"dataframe_split":{{"columns":[{names}],"data":[[]]}}}}'.encode()),
        "tensors": (INFER, JSON, f'{{"inputs":[{tensors}]}}'.encode()),
        "matrix": (INFER, JSON, f'{{"inputs":[{matrix}]}}'.encode()),
        "decision": ("/api/v2/decision", JSON, repeat('"#":1', "{}", 5000)),
    }


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    store = Store(tmp_path / "store")
    promote(store, good_files()["loans"])
    settings = {"SERVE_PREDICTION_LOG": str(tmp_path / "log"), "SERVE_RECEIVE_SECONDS": "60"}
    with running_server(tmp_path, store.path, **settings) as server:
        yield server


def peak(pid: int) -> float:
    """Return the most memory that a process ever had, in MiB."""
    return int(re.search(r"VmHWM:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux: /proc tells a process's peak memory")
def test_the_worst_bodies_of_all_routes_at_once_stay_within_the_memory_that_the_manifests_give(server):
    bodies = worst_bodies()
    assert all(len(body) <= LARGEST for _, _, body in bodies.values())
    for name in ("records", "tensors", "texts"):  # a small body in gzip becomes a large one
        path, kind, content = bodies[name]
        bodies[f"{name} in gzip"] = (path, kind, gzip.compress(content, 1))
    workers = worker_pids(server.process.pid)

    def send(body: tuple[str, str, bytes]) -> int:
        """Send a body again and again until it is answered with anything but 503: there is too much to do."""
        path, kind, content = body
        encoding = "gzip" if content.startswith(GZIP) else "identity"
        headers = {"Content-Type": kind, "Content-Encoding": encoding, "Accept-Encoding": "gzip"}
        ask = partial(server.request, "POST", path, content, headers)
        return wait_until(lambda: (answer := ask()).status != 503 and answer.status, seconds=240)

    with limited([server.process.pid, *workers], LIMIT) as peak_of_all, ThreadPoolExecutor(len(bodies)) as pool:
        answers = dict(zip(bodies, pool.map(send, bodies.values()), strict=True))
        if peak_of_all:
            print(f"peak {int(peak_of_all.read_text()) / 2**20:.0f} MiB of {LIMIT}")
    legal = {"records", "records with escapes", "columns", "csv", "csv with quotes", "split", "tensors", "matrix"}
    legal |= {"records in gzip", "tensors in gzip"}
    assert {name for name, status in answers.items() if status == 200} == legal
    assert {status for name, status in answers.items() if name not in legal} <= {400, 413, 422}
    assert worker_pids(server.process.pid) == workers  # none was killed
    # Each process at its own peak, and pages that they share counted in each: more than the limit would count.
    assert sum(map(peak, [server.process.pid, *workers])) < LIMIT
    assert server.request("POST", "/api/v2/predict", EXAMPLE).status == 200

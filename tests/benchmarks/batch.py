"""`python -m tests.benchmarks.batch --rows N`: batch scoring beside a bare loop over the same Parquet; Markdown.

Each way is a process of its own, started anew in every round, one way after the other; the time is from its start to
its end. CPU time is what a busy machine adds least to. Memory is the sum over the process and its children.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
from pyarrow import parquet as pq

from loan_approval.data.datasets import load_dataset
from loan_approval.data.simulate import make_applicants
from loan_approval.training.background import make_background
from loan_approval.training.export import export
from loan_approval.training.fit import Recipe, fit
from tests.benchmarks.batch_bare import HIGH, LOW, THRESHOLD
from tests.benchmarks.facts import describe_machine

SEED = 7
ROWS_AT_A_TIME = 2**20
MISSING = 0.03  # share of Annual_Income that is null
OURS = ("-m", "loan_approval", "score", "in.parquet", "out", "--model", "./model.onnx")
WAYS = {
    "bare loop": ("-m", "tests.benchmarks.batch_bare", "model.onnx", "in.parquet", "out.parquet"),
    "score, 1 worker": (*OURS, "--workers", "1"),
    "score, 2 workers": (*OURS, "--workers", "2"),
    "score, 8 workers": (*OURS, "--workers", "8"),
    "score, Dask with 2": (*OURS, "--workers", "2", "--engine", "dask"),
}


@dataclass(frozen=True)
class Run:
    """Seconds, CPU seconds, and MB at most."""

    seconds: float
    cpu: float
    memory: float


def main() -> None:
    """Measure each way and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="batch-") as name:
        folder = Path(name)
        (folder / "model.onnx").write_bytes(_make_model())
        _write_input(folder / "in.parquet", options.rows)
        runs: dict[str, list[Run]] = {way: [] for way in WAYS}
        for _ in range(options.rounds):
            for way, arguments in WAYS.items():
                runs[way].append(measure(arguments, folder))
    print(f"{describe_machine()}, {options.rows:,} rows, {options.rounds} rounds, load average before it {load:.1f}\n")
    print(_table(runs, options.rows))


def _make_model() -> bytes:
    dataset, recipe = load_dataset("loans"), Recipe("hist_gradient_boosting", "median_imputer_with_scaler", SEED)
    decision = {"threshold": THRESHOLD, "review_band": [LOW, HIGH]}
    pipeline = fit(recipe, dataset)
    return export(pipeline, recipe, dataset.contract, decision, {}, make_background(dataset, pipeline, THRESHOLD))


def _write_input(path: Path, rows: int) -> None:
    rng = np.random.default_rng(SEED)
    writer = None
    for begin in range(0, rows, ROWS_AT_A_TIME):
        frame = make_applicants(min(ROWS_AT_A_TIME, rows - begin), rng)
        frame.loc[rng.random(len(frame)) < MISSING, "Annual_Income"] = None
        table = pa.Table.from_pandas(frame, preserve_index=False)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    writer.close()


def measure(arguments: Sequence[str], folder: Path) -> Run:
    """Run Python in a folder, whose `out` goes before."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    peaks: list[float] = [0.0]
    watcher = threading.Thread(target=_watch, args=(process.pid, peaks))
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with status {process.returncode}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, peaks[0])


def _watch(pid: int, peaks: list[float]) -> None:
    """Keep the largest sum of resident memory of a process and its children, until it ends."""
    try:
        root = psutil.Process(pid)
        while root.status() != psutil.STATUS_ZOMBIE:
            resident = 0
            for process in (root, *root.children(recursive=True)):
                try:
                    resident += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            peaks[0] = max(peaks[0], resident / 2**20)
            time.sleep(0.05)
    except psutil.NoSuchProcess:
        return


def _table(runs: Mapping[str, Sequence[Run]], rows: int) -> str:
    bare = statistics.median(run.seconds for run in runs["bare loop"])
    lines = ["| way | rows/s | x the bare loop | seconds | CPU s | MB at most |", "|---|---:|---:|---:|---:|---:|"]
    for way, every in runs.items():
        seconds, cpu = (statistics.median(getattr(run, name) for run in every) for name in ("seconds", "cpu"))
        memory = max(run.memory for run in every)
        lines.append(
            f"| {way} | {rows / seconds:,.0f} | {bare / seconds:.2f} | {seconds:.1f} | {cpu:.1f} | {memory:.0f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()

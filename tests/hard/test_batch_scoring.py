"""Batch scoring under force: killed again and again, on S3, on Dask, with workers that die at work."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import psutil
import pyarrow as pa
import pytest
from distributed import LocalCluster
from pyarrow import csv
from pyarrow import parquet as pq

from loan_approval.batch.files import list_inputs, list_names, open_file, read_whole
from loan_approval.batch.scoring import Batch, score_batch
from loan_approval.batch.workers import MOST_WORKERS
from loan_approval.errors import BatchError
from serve.contract.contract import Contract
from tests.batches import make_columns, write_csv, write_parquet
from tests.benchmarks.batch import measure
from tests.model_files import LOANS, good_files
from tests.s3_server import S3Server, s3_server
from tests.server_process import ROOT
from tests.waiting import wait_until

pytestmark = pytest.mark.hard
FILES, ROWS = 30, 20_000
MOST_MEMORY = 600  # MB, of all processes together


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty files of Parquet, with rows that break the contract, and the model file beside them."""
    folder = tmp_path_factory.mktemp("batch")
    (folder / "model.onnx").write_bytes(good_files()["loans_reviewed"])
    contract = Contract.from_dict(LOANS)
    for number in range(FILES):
        columns = make_columns(contract, ROWS, seed=number)
        columns["Age"][:10] = [17] * 10
        write_parquet(folder / "in" / f"{number:03d}.parquet", columns | {"id": list(range(ROWS))})
    return folder


@pytest.fixture(scope="module")
def whole(source: Path) -> pa.Table:
    """The decisions of a run that nobody disturbed, in one process."""
    batch = Batch(str(source / "in"), str(source / "whole"), ("id",), workers=1)
    assert score_batch(batch, (source / "model.onnx").read_bytes())["rejected"] == 10 * FILES
    return read(str(source / "whole"))


def read(output: str) -> pa.Table:
    """Return all decisions as one table, in order."""
    parts = sorted(list_names(f"{output}/decisions"))
    tables = [pq.read_table(open_file(f"{output}/decisions/{part}")) for part in parts if part[0] != "."]
    return pa.concat_tables(tables).unify_dictionaries()


def start(source: str | Path, output: str | Path, model: Path, *options: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "loan_approval", "score", str(source), str(output), "--model", str(model)]
    return subprocess.Popen([*command, "--keep", "id", *options], cwd=ROOT, stderr=subprocess.DEVNULL)


def parts(output: str) -> int:
    return len([name for name in list_names(f"{output}/decisions") if name.startswith("part")])


def wait_for_parts(process: subprocess.Popen, output: str, more: int) -> None:
    """Wait until a run has added some parts, or has ended."""
    enough = parts(output) + more
    wait_until(lambda: parts(output) >= enough or process.poll() is not None, seconds=120)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_nothing_is_lost_or_doubled_by_a_run_that_is_killed_again_and_again(tmp_path, source, whole, workers):
    output, kills = tmp_path / "out", 0
    while True:
        process = start(source / "in", output, source / "model.onnx", "--workers", workers)
        wait_for_parts(process, str(output), 4)
        if process.poll() is not None:
            break
        assert not (output / "_summary.json").exists()
        process.kill()  # its workers are left to find out by themselves
        process.wait()
        kills += 1
    assert process.returncode == 0
    assert kills >= 3
    assert read(str(output)).equals(whole)
    assert not list(output.glob("*/.*"))


@pytest.fixture(scope="module")
def large(source: Path) -> Path:
    """Two million rows with an id, as one Parquet file and as one CSV with quotes, and the model file beside them."""
    table = pa.concat_tables([pq.read_table(source / "in/000.parquet")] * 100)
    table = table.set_column(table.column_names.index("id"), "id", pa.array(map(str, range(len(table)))))
    pq.write_table(table, source / "large.parquet")
    csv.write_csv(table, source / "large.csv", csv.WriteOptions(quoting_style="all_valid"))
    return source


@pytest.mark.parametrize("name", ["large.parquet", "large.csv"])
@pytest.mark.parametrize("engine", ["local", "dask"])
def test_memory_is_bounded_with_as_many_workers_as_there_may_be(large, name, engine, monkeypatch):
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    command = ("-m", "loan_approval", "score", name, "out", "--model", "./model.onnx", "--keep", "id")
    run = measure((*command, "--engine", engine, "--workers", str(MOST_WORKERS)), large)
    assert run.memory < MOST_MEMORY


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 with a bucket, in this process's environment."""
    with s3_server(tmp_path_factory.mktemp("s3")) as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        # To anybody at all, this server grants uploads without a checksum at their end only.
        patch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "WHEN_REQUIRED")
        boto3.client("s3").create_bucket(Bucket="batches")
        yield server


@pytest.fixture(scope="module")
def uploaded(s3: S3Server, source: Path) -> str:
    client = boto3.client("s3")
    for path in (source / "in").iterdir():
        client.upload_file(str(path), "batches", f"in/{path.name}")
    return "s3://batches/in"


def test_a_batch_on_s3_is_the_same_after_it_was_killed(tmp_path, source, whole, uploaded):
    output = "s3://batches/out"
    process = start(uploaded, output, source / "model.onnx", "--workers", "2")
    wait_for_parts(process, output, 4)
    process.kill()
    process.wait()
    assert read_whole(f"{output}/_summary.json") is None
    assert start(uploaded, output, source / "model.onnx", "--workers", "2").wait(300) == 0
    assert read(output).equals(whole)
    batch = Batch(uploaded, output, ("id",))
    assert score_batch(batch, (source / "model.onnx").read_bytes())["rows"] == FILES * ROWS


def test_a_csv_on_s3_is_scored_in_parts(tmp_path, source, uploaded, whole):
    contract = Contract.from_dict(LOANS)
    columns = make_columns(contract, 400_000, seed=1)
    write_csv(tmp_path / "large.csv", columns)
    boto3.client("s3").upload_file(str(tmp_path / "large.csv"), "batches", "csv/large.csv")
    model = (source / "model.onnx").read_bytes()
    summary = score_batch(Batch("s3://batches/csv/large.csv", "s3://batches/csv-out"), model)
    assert len(summary["parts"]) > 1
    score_batch(Batch(str(tmp_path / "large.csv"), str(tmp_path / "out"), workers=1), model)
    assert read("s3://batches/csv-out").equals(read(str(tmp_path / "out")))


def test_an_object_that_is_replaced_is_another_input(source, uploaded):
    client = boto3.client("s3")
    (before,) = list_inputs("s3://batches/in/000.parquet")
    client.put_object(Bucket="batches", Key="other/x.parquet", Body=(source / "in/000.parquet").read_bytes())
    (first,) = list_inputs("s3://batches/other/x.parquet")
    body = bytearray((source / "in/000.parquet").read_bytes())
    body[1000] ^= 1
    client.put_object(Bucket="batches", Key="other/x.parquet", Body=bytes(body))
    (second,) = list_inputs("s3://batches/other/x.parquet")
    assert first.size == second.size == before.size
    assert first.version != second.version


@pytest.mark.parametrize("address", ["s3://batches/nothing", "s3://no-such-bucket/in"])
def test_what_is_not_on_s3_is_said_to_be_missing(uploaded, source, address):
    with pytest.raises(BatchError, match=r"no such file or folder|bucket"):
        score_batch(Batch(address, "s3://batches/never"), (source / "model.onnx").read_bytes())
    assert read_whole("s3://batches/never/_job.json") is None


def test_dask_gives_the_same_though_a_worker_is_killed(tmp_path, source, whole, monkeypatch):
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", cluster.scheduler_address)
        process = start(source / "in", tmp_path / "out", source / "model.onnx", "--engine", "dask")
        wait_for_parts(process, str(tmp_path / "out"), 3)
        victim = next(iter(cluster.workers.values()))
        os.kill(victim.process.pid, signal.SIGKILL)
        assert process.wait(300) == 0
    assert read(str(tmp_path / "out")).equals(whole)


def test_dask_makes_a_cluster_of_its_own(tmp_path, source, whole, monkeypatch):
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    assert (
        start(source / "in", tmp_path / "out", source / "model.onnx", "--engine", "dask", "--workers", "2").wait(300)
        == 0
    )
    assert read(str(tmp_path / "out")).equals(whole)


def test_dask_gives_the_reasons_that_threads_give(tmp_path, source, monkeypatch):
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    write_csv(tmp_path / "few.csv", make_columns(Contract.from_dict(LOANS), 500) | {"id": list(range(500))})
    for engine in ("local", "dask"):
        options = ("--engine", engine, "--reasons")
        assert start(tmp_path / "few.csv", tmp_path / engine, source / "model.onnx", *options).wait(300) == 0
    once = read(str(tmp_path / "local"))
    assert any(once["reasons"].to_pylist())
    assert read(str(tmp_path / "dask")).equals(once)


def test_a_worker_of_that_cluster_that_is_killed_costs_nothing_but_time(tmp_path, source, whole, monkeypatch):
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    options = ("--engine", "dask", "--workers", "2")
    process = start(source / "in", tmp_path / "out", source / "model.onnx", *options)
    wait_for_parts(process, str(tmp_path / "out"), 3)
    (worker,) = [child for child in psutil.Process(process.pid).children() if "spawn_main" in " ".join(child.cmdline())]
    worker.kill()
    assert process.wait(300) == 0
    assert read(str(tmp_path / "out")).equals(whole)


def test_a_scheduler_that_does_not_answer_is_named(tmp_path, source, monkeypatch):
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://127.0.0.1:1")
    monkeypatch.setattr("loan_approval.batch.dask_engine.CONNECT_SECONDS", 1)
    with pytest.raises(BatchError, match=r"DASK_SCHEDULER_ADDRESS=tcp://127.0.0.1:1: no scheduler answers there"):
        score_batch(
            Batch(str(source / "in"), str(tmp_path / "out"), ("id",), engine="dask"),
            (source / "model.onnx").read_bytes(),
        )

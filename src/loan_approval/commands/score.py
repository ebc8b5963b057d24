"""The command that scores a batch: a file or folder of applications, here or on a cluster."""

import argparse
import hashlib
import os
import sys
import time
from pathlib import Path

from loan_approval import project
from loan_approval.batch.workers import MOST_WORKERS
from loan_approval.commands.parsing import Adder
from loan_approval.errors import BatchError
from serve.contract.numbers import count


def add_commands(add: Adder) -> None:
    """Add score."""
    score = add("score", _score, "decide every application of a file, a folder or an S3 prefix")
    score.add_argument("input", help="CSV or Parquet: a file, a folder or s3://bucket/prefix")
    score.add_argument("output", help="a new folder, or the one of this batch that was not finished")
    score.add_argument(
        "--model", default="production", help="a model file, or a version's number or alias (default: what answers)"
    )
    score.add_argument("--keep", action="append", default=[], metavar="COLUMN", help="pass through, such as an id")
    score.add_argument("--ignore-unknown", action="store_true", help="pass over columns that the contract has not")
    score.add_argument("--reasons", action="store_true", help="add the codes of the principal reasons; slow")
    score.add_argument("--engine", default="local", choices=("local", "dask"), help="(default: %(default)s)")
    threads = f"threads, at most {MOST_WORKERS} (default: one a processor)"
    most = range(1, MOST_WORKERS + 1)
    workers = min(len(os.sched_getaffinity(0)), MOST_WORKERS)
    score.add_argument("--workers", type=int, choices=most, default=workers, metavar="N", help=threads)


def _score(options: argparse.Namespace) -> None:
    # Before Arrow is imported, here and in Dask's processes: its own allocator keeps 20 MB a thread that nobody uses.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    from loan_approval.batch.scoring import Batch, score_batch

    data = _model_file(options)
    how = (options.ignore_unknown, options.engine, options.workers, options.reasons)
    batch = Batch(options.input, options.output, tuple(options.keep), *how)
    began = time.monotonic()
    summary = score_batch(batch, data, lambda text: print(text, file=sys.stderr, flush=True))
    seconds = time.monotonic() - began
    print(
        f"{count(summary['rows'], 'row')}: {summary['approved']:,} approved, {summary['denied']:,} denied"
        f" ({summary['bands'].get('refer', 0):,} of both to be reviewed), {summary['rejected']:,} rejected;"
        f" {seconds:.1f} s; model {summary['model_sha256'][:12]}; {options.output}"
    )
    for fault, rows in sorted(summary["faults"].items()):
        print(f"- rejected: {fault}: {count(rows, 'row')}")


def _model_file(options: argparse.Namespace) -> bytes:
    """Return the bytes of the model file to score with. Raises LoanApprovalError, ServeError."""
    from loan_approval.data.folders import dataset_folder
    from serve.contract.contract import Contract
    from serve.model.scorer import LARGEST_FILE

    if options.model.endswith(".onnx") or "/" in options.model:
        path = Path(options.model)
        if not path.is_file() or path.stat().st_size > LARGEST_FILE:
            raise BatchError(f"{path}: expected a model file of at most {LARGEST_FILE:,} bytes")
        return path.read_bytes()
    # Not by way of `pipeline`, which imports MLflow and pandas: a batch's memory is for its rows.
    name = Contract.load(dataset_folder(options.dataset) / "contract.toml").model_name
    return _file_in_production(name) if options.model == "production" else _file_of_version(name, options.model)


def _file_in_production(name: str) -> bytes:
    from serve.settings import Settings
    from serve.store.store import open_store

    path = Path(os.environ.get("SERVE_STORE") or project.ROOT / "store" / name)
    key = os.environ.get("SERVE_PUBLIC_KEY_FILE")
    store = open_store(Settings(model_name=name, store=path, public_key_file=Path(key) if key else None))
    pointer = store.pointer()
    if pointer is None:
        raise BatchError(f"{path}: no model is in production; promote one, or name a file with --model")
    scorer, _ = store.load(pointer)  # its hash, signature and golden rows, as the server checks them
    data = store.file(scorer.sha256)
    if data is None:
        raise BatchError(f"{path}: {scorer.sha256}.onnx was there, and is not now")
    return data


def _file_of_version(name: str, version: str) -> bytes:
    from loan_approval.registry.tracking import find_version, load_model_file
    from serve.store.pointer import TRUSTED_VERDICTS

    record = find_version(name, version)
    data = load_model_file(record)
    if record.verdict not in TRUSTED_VERDICTS:
        print(f"warning: {name} version {record.number} has the verdict {record.verdict!r}", file=sys.stderr)
    if hashlib.sha256(data).hexdigest() != record.sha256:
        raise BatchError(f"{name} version {record.number}: its file is not the one that was registered")
    return data

"""The data that a model version was trained on: found or made again, and proved to be the same by its sha256."""

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from loan_approval.data import dvc_objects
from loan_approval.data.datasets import BUILT_IN
from loan_approval.data.versions import read_record
from loan_approval.errors import RebuildError
from loan_approval.registry import tracking
from loan_approval.registry.tracking import Version
from loan_approval.reproduction.work_tree import checked_out, run_code
from serve.files import write_atomically

# The commit's own code runs this: where it is from before the packages, the module has its old name.
_MAKE_DATA = """
import sys
try:
    from loan_approval.data.datasets import load_dataset
except ModuleNotFoundError:
    from loan_approval.datasets import load_dataset
load_dataset(sys.argv[1])
"""
_MAKE_LIMIT = 600  # seconds


@dataclass(frozen=True)
class TrainingData:
    """What a version's run recorded of its data; `md5` is "" where it was trained before DVC's was recorded."""

    dataset: str
    sha256: str
    md5: str
    commit: str


@dataclass(frozen=True)
class Found:
    """The bytes a version was trained on, and where they are from."""

    data: bytes
    source: str


def recorded_data(version: Version) -> TrainingData:
    """Return what MLflow holds on a version's data. Raises RebuildError when it holds nothing, TrackingError."""
    tags = tracking.load_tags(version.run)
    if not tags.get("data_sha256"):
        raise RebuildError(f"data: the run of {version.name} version {version.number} records no data_sha256")
    return TrainingData(*(tags.get(name, "") for name in ("dataset", "data_sha256", "data_md5", "commit")))


def find_data(recorded: TrainingData, folder: Path) -> Found:
    """Return a version's data, from wherever it is; `folder` is where its data set is now.

    Raises RebuildError when the bytes are not to be had any more, DataError when DVC's remote can't be asked.
    """
    if (found := at_hand(recorded, folder)) is not None:
        return found
    with checked_out(recorded.commit) as tree:
        return from_commit(recorded, tree, folder)


def at_hand(recorded: TrainingData, folder: Path) -> Found | None:
    """Return a version's data if it stands in its folder, or if DVC has it by the recorded md5."""
    csv = folder / "dataset.csv"
    if csv.is_file() and _is(data := csv.read_bytes(), recorded):
        return Found(data, str(csv))
    return _from_dvc(recorded.md5, recorded)


def from_commit(recorded: TrainingData, tree: Path, folder: Path) -> Found:
    """Return a version's data by what its commit, checked out at `tree`, says: in DVC's files or by making it.

    Raises RebuildError when neither gives the recorded bytes.
    """
    csv = tree / "data" / recorded.dataset / "dataset.csv"
    record = read_record(csv, tree)
    if record and (found := _from_dvc(record.md5, recorded)) is not None:
        return found
    if csv.parent.name in BUILT_IN:
        run_code(tree, [sys.executable, "-c", _MAKE_DATA, csv.parent.name], b"", _MAKE_LIMIT, "data")
        if _is(data := csv.read_bytes(), recorded):
            return Found(data, f"made by the code of commit {recorded.commit[:12]}")
    wanted = f"expected a dataset.csv with sha256 {recorded.sha256} in {folder}"
    raise RebuildError(f"data: not found, {wanted}{_describe_md5(recorded.md5 or (record.md5 if record else ''))}")


def write_data(found: Found, path: Path) -> bool:
    """Write a version's data to a path; False when it stood there already. Raises RebuildError over other data."""
    if path.exists():
        if path.is_file() and path.read_bytes() == found.data:
            return False
        raise RebuildError(f"data: {path} is there already and holds something else; expected another --to")
    write_atomically(path, found.data)
    return True


def place_for(recorded: TrainingData, folder: Path, number: str) -> Path:
    """Return where a version's data goes: its data set's own place where that is meant to hold it, or beside."""
    csv = folder / "dataset.csv"
    if csv.is_file():
        own = hashlib.sha256(csv.read_bytes()).hexdigest() == recorded.sha256
    else:
        record = read_record(csv)
        own = record is None or record.md5 == recorded.md5
    return csv if own else folder / f"dataset.version-{number}.csv"


def _from_dvc(md5: str, recorded: TrainingData) -> Found | None:
    for source, look_up in {"cache": dvc_objects.from_cache, "remote": dvc_objects.from_remote}.items() if md5 else ():
        data = look_up(md5)
        if data is not None and _is(data, recorded):
            return Found(data, f"DVC's {source}")
    return None


def _is(data: bytes, recorded: TrainingData) -> bool:
    return hashlib.sha256(data).hexdigest() == recorded.sha256


def _describe_md5(md5: str) -> str:
    return f", or md5 {md5} in DVC's cache or remote" if md5 else ""


def data_of_file(provenance: Mapping[str, str], md5: str) -> TrainingData:
    """Return what a model file records of its data, with the md5 its run records."""
    return TrainingData(provenance["dataset"], provenance["data_sha256"], md5, provenance["commit"])

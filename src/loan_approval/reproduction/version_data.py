"""Finds the data that a model version was trained on, or makes it again; the recorded sha256 identifies it."""

import hashlib
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

_MAKE_LIMIT = 600  # seconds


@dataclass(frozen=True)
class TrainingData:
    """What a version records of its data; `md5` is "" for versions trained before DVC's was recorded."""

    dataset: str
    sha256: str
    md5: str
    commit: str

    def is_in(self, data: bytes) -> bool:
        """Return whether these bytes are the recorded data."""
        return hashlib.sha256(data).hexdigest() == self.sha256


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

    Raises RebuildError when the data can't be had any more, DataError when DVC's remote can't be asked.
    """
    if found := find_at_hand(recorded, folder):
        return found
    with checked_out(recorded.commit) as tree:
        return find_in_commit(recorded, tree, folder)


def find_at_hand(recorded: TrainingData, folder: Path) -> Found | None:
    """Return a version's data if its folder holds it, or if DVC has it by the recorded md5."""
    csv = folder / "dataset.csv"
    if csv.is_file() and recorded.is_in(data := csv.read_bytes()):
        return Found(data, str(csv))
    return _find_in_dvc(recorded.md5, recorded)


def find_in_commit(recorded: TrainingData, tree: Path, folder: Path) -> Found:
    """Return a version's data by the DVC files of its commit, checked out at `tree`, or made by the commit's code.

    Raises RebuildError when neither gives the recorded bytes.
    """
    csv = tree / "data" / recorded.dataset / "dataset.csv"
    record = read_record(csv, tree)
    if record and (found := _find_in_dvc(record.md5, recorded)):
        return found
    if csv.parent.name in BUILT_IN:
        run_code(tree, ["make-data", csv.parent.name], _MAKE_LIMIT, "data")
        if recorded.is_in(data := csv.read_bytes()):
            return Found(data, f"made by the code of commit {recorded.commit[:12]}")
    md5 = recorded.md5 or (record.md5 if record else "")
    or_dvc = f", or md5 {md5} in DVC's cache or remote" if md5 else ""
    raise RebuildError(f"data: not found, expected a dataset.csv with sha256 {recorded.sha256} in {folder}{or_dvc}")


def write_data(found: Found, path: Path) -> bool:
    """Write a version's data to a path; return False if the path holds it already, raise RebuildError if other data."""
    if path.is_file() and path.read_bytes() == found.data:
        return False
    if path.exists():
        raise RebuildError(f"data: {path} is there already and holds something else; expected another --to")
    write_atomically(path, found.data)
    return True


def place_for(recorded: TrainingData, folder: Path, number: str) -> Path:
    """Return where a version's data goes: its data set's own place where that is meant to hold it, or beside."""
    csv = folder / "dataset.csv"
    if csv.is_file():
        own = recorded.is_in(csv.read_bytes())
    else:
        record = read_record(csv)
        own = record is None or record.md5 == recorded.md5
    return csv if own else folder / f"dataset.version-{number}.csv"


def _find_in_dvc(md5: str, recorded: TrainingData) -> Found | None:
    if not md5:
        return None
    for source, look_up in {"cache": dvc_objects.from_cache, "remote": dvc_objects.from_remote}.items():
        data = look_up(md5)
        if data is not None and recorded.is_in(data):
            return Found(data, f"DVC's {source}")
    return None

"""Checks out the commit of a version and runs its code; finds the data it was trained on, or makes them again.

The recorded sha256 identifies the data.
"""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loan_approval.data import dvc_objects
from loan_approval.data.datasets import BUILT_IN
from loan_approval.data.versions import read_record
from loan_approval.errors import RebuildError
from loan_approval.project import ROOT
from loan_approval.registry import tracking
from serve.files import write_atomically

_SCRIPT = Path(__file__).with_name("recorded_code.py")
_MAKE_LIMIT = 600  # seconds
_LONGEST_OUTPUT = 2000  # characters of a failed run's output, in the error


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """Yield the project's root folder as it is in a commit. Raises RebuildError when the commit is not here.

    The folder and git's record of it are removed at the end; those of a killed process, at the next checkout.
    """
    if not re.fullmatch(r"[0-9a-f]{40}([0-9a-f]{24})?", commit):
        raise RebuildError(f"commit: the file records {commit[:20]!r}, expected a commit's hash")
    if _git("rev-parse", "--git-dir").returncode:
        raise RebuildError(f"commit: {ROOT} is no git checkout, expected one that has {commit[:12]}")
    if _git("cat-file", "-e", f"{commit}^{{commit}}").returncode:
        raise RebuildError(f"commit: {commit} is not in this repository; fetch it first")
    inside = os.fsdecode(_git("rev-parse", "--show-prefix").stdout.strip())
    with tempfile.TemporaryDirectory(prefix="rebuild-") as folder:
        tree = Path(folder, "tree")
        _git("worktree", "prune")
        added = _git("worktree", "add", "--detach", str(tree), commit)
        try:
            if added.returncode:
                raise RebuildError(f"commit: git can't check it out: {os.fsdecode(added.stderr).strip()}")
            yield tree / inside
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    # Without the user's hooks, which may do anything to a fresh checkout.
    command = ["git", "-c", "core.hooksPath=/dev/null", *arguments]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    except FileNotFoundError:
        raise RebuildError("commit: there is no git to check it out with") from None


def run_code(tree: Path, arguments: list[str], time_limit: float, purpose: str, standard_input: bytes = b"") -> None:
    """Run `recorded_code.py` on the code of a work tree, without the tracking server that is set here.

    time_limit: seconds.   purpose: named in the error.
    Raises RebuildError when it fails, with the end of its output, or when it takes too long.
    """
    settings = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "PYTHON"))}
    path = os.pathsep.join([str(tree / "src"), str(tree)])
    settings |= {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "agg"}
    settings |= {"MLFLOW_TRACKING_URI": f"sqlite:///{tree / 'unused.db'}"}
    command = [sys.executable, "-P", str(_SCRIPT), *arguments]  # -P: this checkout's folder is not importable
    try:
        run = subprocess.run(
            command, input=standard_input, cwd=tree, env=settings, capture_output=True, timeout=time_limit
        )
    except subprocess.TimeoutExpired as err:
        raise RebuildError(f"{purpose}: ended after {time_limit:g} s") from err
    if run.returncode:
        output = run.stderr.decode(errors="replace")[-_LONGEST_OUTPUT:]
        raise RebuildError(f"{purpose}: that commit's code failed:\n{output}")


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


def recorded_data(version: tracking.Version) -> TrainingData:
    """Return what MLflow holds on a version's data. Raises RebuildError when it holds nothing, TrackingError."""
    tags = tracking.load_tags(version.run)
    if not tags.get("data_sha256"):
        raise RebuildError(f"data: the run of {version.name} version {version.number} records no data_sha256")
    return TrainingData(*(tags.get(name, "") for name in ("dataset", "data_sha256", "data_md5", "commit")))


def find_data(recorded: TrainingData, folder: Path) -> tuple[bytes, str]:
    """Return a version's data and where they are from; `folder` is where its data set is now.

    Raises RebuildError when the data can't be had any more, DataError when DVC's remote can't be asked.
    """
    if found := find_at_hand(recorded, folder):
        return found
    with checked_out(recorded.commit) as tree:
        return find_in_commit(recorded, tree, folder)


def find_at_hand(recorded: TrainingData, folder: Path) -> tuple[bytes, str] | None:
    """Return a version's data and their source if its folder holds it, or if DVC has it by the recorded md5."""
    csv = folder / "dataset.csv"
    if csv.is_file() and recorded.is_in(data := csv.read_bytes()):
        return data, str(csv)
    return _find_in_dvc(recorded.md5, recorded)


def find_in_commit(recorded: TrainingData, tree: Path, folder: Path) -> tuple[bytes, str]:
    """Return a version's data and their source: by its commit's DVC files, or made by its code; `tree` is its checkout.

    Raises RebuildError when neither gives the recorded bytes.
    """
    csv = tree / "data" / recorded.dataset / "dataset.csv"
    record = read_record(csv, tree)
    if record and (found := _find_in_dvc(record.md5, recorded)):
        return found
    if csv.parent.name in BUILT_IN:
        run_code(tree, ["make-data", csv.parent.name], _MAKE_LIMIT, "data")
        if recorded.is_in(data := csv.read_bytes()):
            return data, f"made by the code of commit {recorded.commit[:12]}"
    md5 = recorded.md5 or (record.md5 if record else "")
    or_dvc = f", or md5 {md5} in DVC's cache or remote" if md5 else ""
    raise RebuildError(f"data: not found, expected a dataset.csv with sha256 {recorded.sha256} in {folder}{or_dvc}")


def write_data(data: bytes, path: Path) -> bool:
    """Write a version's data to a path; return False if the path holds it already, raise RebuildError if other data."""
    if path.is_file() and path.read_bytes() == data:
        return False
    if path.exists():
        raise RebuildError(f"data: {path} is there already and holds something else; expected another --to")
    write_atomically(path, data)
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


def _find_in_dvc(md5: str, recorded: TrainingData) -> tuple[bytes, str] | None:
    if not md5:
        return None
    for source, look_up in {"cache": dvc_objects.from_cache, "remote": dvc_objects.from_remote}.items():
        data = look_up(md5)
        if data is not None and recorded.is_in(data):
            return data, f"DVC's {source}"
    return None

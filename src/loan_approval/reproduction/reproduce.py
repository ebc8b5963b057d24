"""Rebuilds a version from the commit, data and parameters that its file records, and compares byte by byte.

The commit's own `02_train` runs in a checkout of that commit until it exports the file; nothing reaches MLflow.
"""

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from packaging.markers import Marker

from loan_approval.data.versions import LOCK as DATA_LOCK
from loan_approval.errors import RebuildError
from loan_approval.project import LOCK, ROOT, platform_state, sha256_of
from loan_approval.registry import tracking
from loan_approval.reproduction.file_differences import describe_differences, name_some, read_documents
from loan_approval.reproduction.version_data import TrainingData, checked_out, find_at_hand, find_in_commit, run_code
from serve.contract.contract import Contract
from serve.errors import ContractError
from serve.files import write_atomically


@dataclass(frozen=True)
class Rebuild:
    """The rebuilt file's hash, its `differences` from the recorded file (none: equal bytes), and `notes` on the run."""

    sha256: str
    differences: list[str]
    notes: list[str]


def reproduce(version: tracking.Version, folder: Path, time_limit: float = 1800) -> Rebuild:
    """Rebuild a version; `folder` is where its data set is now. Raises RebuildError, TrackingError.

    Another lock or platform than the recorded one is only noted: the comparison of the bytes decides.
    """
    recorded = tracking.load_model_file(version)
    sha256 = hashlib.sha256(recorded).hexdigest()
    if sha256 != version.sha256:
        raise RebuildError(f"bytes: the registry's file has sha256 {sha256}, expected {version.sha256}")
    documents = _documents(recorded)
    provenance = documents["provenance"]
    tags = tracking.load_tags(version.run)
    dataset, data_sha256, commit = (provenance[name] for name in ("dataset", "data_sha256", "commit"))
    recorded_data = TrainingData(dataset, data_sha256, tags.get("data_md5", ""), commit)
    with checked_out(commit) as tree:
        notes = _compare_lock(tree, provenance["lock_sha256"])
        for name, value in platform_state().items():
            if tags.get(name) != value:
                notes.append(f"{name}: {f'was {tags[name]}' if name in tags else 'not recorded'}, now {value}")
        _place_data(tree, recorded_data, documents["contract"], folder)
        rebuilt = _train(tree, {**provenance["parameters"], "dataset": dataset}, time_limit)
    return Rebuild(hashlib.sha256(rebuilt).hexdigest(), describe_differences(recorded, rebuilt), notes)


def _documents(recorded: bytes) -> dict[str, Any]:
    try:
        documents = read_documents(onnx.load_from_string(recorded))
    except DecodeError as err:
        raise RebuildError("bytes: the registry's file is not an ONNX model") from err
    for name in ("provenance", "contract"):
        if not isinstance(documents.get(name), dict):
            raise RebuildError(f"{name}: the file has none")
    provenance = documents["provenance"]
    if changes := provenance.get("changes"):
        raise RebuildError(f"changes: it was made with code that is in no commit (hash of the changes {changes[:12]})")
    texts = dict.fromkeys(("commit", "dataset", "data_sha256", "lock_sha256"), str)
    for name, kind in (texts | {"parameters": dict}).items():
        if not isinstance(provenance.get(name), kind):
            raise RebuildError(f"{name}: not recorded in the file")
    if Path(provenance["dataset"]).name != provenance["dataset"] or provenance["dataset"] in ("", ".", ".."):
        raise RebuildError("dataset: the recorded name is no folder's")
    return documents


def _compare_lock(tree: Path, expected: str) -> list[str]:
    lock = tree / LOCK.relative_to(ROOT)
    if not lock.is_file() or sha256_of(lock) != expected:
        return [f"lock: {LOCK.relative_to(ROOT)} of that commit has not the recorded sha256 {expected[:12]}"]
    notes = [] if sha256_of(LOCK) == expected else [f"lock: recorded {expected[:12]}, now {sha256_of(LOCK)[:12]}"]
    if packages := differs_from_lock(lock):
        notes.append(f"lock: installed are {name_some(packages, 10, '; ')}")
    return notes


def differs_from_lock(lock: Path) -> list[str]:
    """Return `name installed, locked version` for each package that is installed in another version than a lock's.

    Locked packages that are not installed, such as development tools, took no part in a training.
    """
    lines = []
    for name, version, marker in re.findall(r"^([\w.-]+)==(\S+)(?: ; (.*?))? \\$", lock.read_text(), re.MULTILINE):
        with suppress(metadata.PackageNotFoundError):
            installed = metadata.version(name)
            if installed != version and (not marker or Marker(marker).evaluate()):
                lines.append(f"{name} {installed}, locked {version}")
    return lines


def _place_data(tree: Path, recorded: TrainingData, contract: Mapping[str, Any], folder: Path) -> None:
    """Put contract and CSV, as recorded, where the commit's code looks for them. Raises RebuildError."""
    place = tree / "data" / recorded.dataset
    if not _has_contract(place, contract):
        if not _has_contract(folder, contract):
            where = f"neither the commit's data/{place.name} nor {folder} has the one in the file"
            raise RebuildError(f"contract: {where}")
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / "contract.toml", place / "contract.toml")
    data, _ = find_at_hand(recorded, folder) or find_in_commit(recorded, tree, folder)
    write_atomically(place / "dataset.csv", data)
    # The recorded sha256 says which data it is; the commit's DVC files may not have known it yet.
    for file in (tree / DATA_LOCK, place / "dataset.csv.dvc"):
        file.unlink(missing_ok=True)


def _has_contract(folder: Path, contract: Mapping[str, Any]) -> bool:
    try:
        return Contract.load(folder / "contract.toml") == Contract.from_dict(contract)
    except (ContractError, OSError, ValueError):
        return False


def _train(tree: Path, parameters: Mapping[str, Any], time_limit: float) -> bytes:
    """Return the file that the notebook of the work tree exports. Raises RebuildError with its output."""
    notebook = tree / "notebooks" / "02_train.ipynb"
    if not notebook.is_file():
        raise RebuildError(f"commit: it has no notebooks/{notebook.name}")
    with tempfile.TemporaryDirectory(prefix="rebuilt-") as folder:
        target = Path(folder, tracking.MODEL_FILE)
        command = ["train", str(notebook), str(target)]
        run_code(tree, command, time_limit, "training", json.dumps(parameters).encode())
        return target.read_bytes()

"""Make a version again from what its file says it follows from, and compare byte by byte.

The recorded commit is checked out beside, and its own `02_train` runs there, cell by cell, on the recorded data with
the recorded parameters until the file is exported: what is rebuilt is what was run, and nothing reaches MLflow.
"""

import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError

from loan_approval.data.versions import LOCK as DATA_LOCK
from loan_approval.errors import RebuildError
from loan_approval.project import LOCK, ROOT, platform_state, sha256_of
from loan_approval.registry import tracking
from loan_approval.registry.tracking import Version
from loan_approval.reproduction.file_differences import describe_differences, read_documents
from loan_approval.reproduction.installed import differs_from_lock
from loan_approval.reproduction.version_data import TrainingData, at_hand, data_of_file, from_commit
from loan_approval.reproduction.work_tree import checked_out, run_code
from serve.contract.contract import Contract
from serve.errors import ContractError
from serve.files import write_atomically

_SHOWN = 10  # packages of another version
_RUN_CELLS = """
import contextlib, json, sys
from pathlib import Path

notebook, target, parameters = sys.argv[1], Path(sys.argv[2]), json.load(sys.stdin)
names = {"__name__": "__main__"}
cells = [cell for cell in json.loads(Path(notebook).read_bytes())["cells"] if cell["cell_type"] == "code"]
for number, cell in enumerate(cells, 1):
    with contextlib.redirect_stdout(sys.stderr):
        exec(compile("".join(cell["source"]), f"<{Path(notebook).stem}, cell {number}>", "exec"), names)
    if "parameters" in cell["metadata"].get("tags", []):
        unknown = sorted(parameters.keys() - names.keys())
        if unknown:
            sys.exit("that commit's notebook has no parameter " + ", ".join(unknown))
        names |= parameters
    if "model_file" in names:
        target.write_bytes(names["model_file"])
        break
else:
    sys.exit("that commit's notebook exports no model_file")
"""


@dataclass(frozen=True)
class Rebuild:
    """What came of making a version again: `differences` between the files, `notes` on what else is not as it was."""

    version: Version
    sha256: str
    differences: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether the rebuilt file is the recorded one, to the byte."""
        return self.sha256 == self.version.sha256


def reproduce(version: Version, folder: Path, time_limit: float = 1800) -> Rebuild:
    """Rebuild a version; `folder` is where its data set is now. Raises RebuildError, TrackingError.

    A lock or platform other than recorded is noted and does not stop it: whether the bytes differ is what counts.
    """
    recorded = tracking.load_model_file(version)
    found = hashlib.sha256(recorded).hexdigest()
    if found != version.sha256:
        raise RebuildError(f"bytes: the registry's file has sha256 {found}, expected {version.sha256}")
    documents = _documents(recorded)
    provenance = _provenance(documents)
    recorded_data = data_of_file(provenance, tracking.load_tags(version.run).get("data_md5", ""))
    with checked_out(provenance["commit"]) as tree:
        notes = [*_compare_lock(tree, provenance["lock_sha256"]), *_compare_platform(version)]
        _place_data(tree, recorded_data, documents["contract"], folder)
        rebuilt = _train(tree, provenance["dataset"], provenance["parameters"], time_limit)
    return Rebuild(version, hashlib.sha256(rebuilt).hexdigest(), describe_differences(recorded, rebuilt), notes)


def _documents(recorded: bytes) -> dict[str, Any]:
    try:
        documents = read_documents(onnx.load_from_string(recorded))
    except DecodeError as err:
        raise RebuildError("bytes: the registry's file is not an ONNX model") from err
    for name in ("provenance", "contract"):
        if not isinstance(documents.get(name), dict):
            raise RebuildError(f"{name}: the file has none")
    return documents


def _provenance(documents: Mapping[str, Any]) -> dict[str, Any]:
    provenance = documents["provenance"]
    changes = provenance.get("changes")
    if changes:
        raise RebuildError(f"changes: it was made with code that is in no commit (hash of the changes {changes[:12]})")
    for name, kind in {"commit": str, "dataset": str, "data_sha256": str, "lock_sha256": str}.items():
        if not isinstance(provenance.get(name), kind):
            raise RebuildError(f"{name}: the file does not record it")
    if not isinstance(provenance.get("parameters"), dict):
        raise RebuildError("parameters: the file does not record them; versions made since do")
    if Path(provenance["dataset"]).name != provenance["dataset"] or provenance["dataset"] in ("", ".", ".."):
        raise RebuildError("dataset: the recorded name is no folder's")
    return provenance


def _compare_lock(tree: Path, expected: str) -> list[str]:
    lock = tree / LOCK.relative_to(ROOT)
    if not lock.is_file() or sha256_of(lock) != expected:
        return [f"lock: {LOCK.relative_to(ROOT)} of that commit has not the recorded sha256 {expected[:12]}"]
    notes = [] if sha256_of(LOCK) == expected else [f"lock: recorded {expected[:12]}, now {sha256_of(LOCK)[:12]}"]
    packages = differs_from_lock(lock)
    more = f" and {len(packages) - _SHOWN} more" if len(packages) > _SHOWN else ""
    return [*notes, *([f"lock: installed are {'; '.join(packages[:_SHOWN])}{more}"] if packages else [])]


def _compare_platform(version: Version) -> list[str]:
    tags = tracking.load_tags(version.run)
    now = platform_state()
    return [
        f"{name}: {f'was {tags[name]}' if name in tags else 'not recorded'}, now {value}"
        for name, value in now.items()
        if tags.get(name) != value
    ]


def _place_data(tree: Path, recorded: TrainingData, contract: Mapping[str, Any], folder: Path) -> None:
    """Put contract and CSV, as recorded, where the commit's code looks for them. Raises RebuildError."""
    place = tree / "data" / recorded.dataset
    source = next((path for path in (place, folder) if _has_contract(path, contract)), None)
    if source is None:
        where = f"neither the commit's data/{place.name} nor {folder} has the one in the file"
        raise RebuildError(f"contract: {where}")
    if source != place:
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / "contract.toml", place / "contract.toml")
    found = at_hand(recorded, folder) or from_commit(recorded, tree, folder)
    write_atomically(place / "dataset.csv", found.data)
    # The recorded sha256 says which data it is; the commit's DVC files may not have known it yet.
    for file in (tree / DATA_LOCK, place / "dataset.csv.dvc"):
        file.unlink(missing_ok=True)


def _has_contract(folder: Path, contract: Mapping[str, Any]) -> bool:
    try:
        return Contract.load(folder / "contract.toml") == Contract.from_dict(contract)
    except (ContractError, OSError, ValueError):
        return False


def _train(tree: Path, dataset: str, parameters: Mapping[str, Any], time_limit: float) -> bytes:
    """Return the file that the notebook of the work tree exports. Raises RebuildError with what it said."""
    notebook = tree / "notebooks" / "02_train.ipynb"
    if not notebook.is_file():
        raise RebuildError(f"commit: it has no notebooks/{notebook.name}")
    with tempfile.TemporaryDirectory(prefix="rebuilt-") as folder:
        target = Path(folder, tracking.MODEL_FILE)
        given = json.dumps({**parameters, "dataset": dataset}).encode()
        command = [sys.executable, "-c", _RUN_CELLS, str(notebook), str(target)]
        run_code(tree, command, given, time_limit, "training")
        return target.read_bytes()

"""What is asked before a training is repeated, and what is said of it; a small notebook stands for the real one."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import onnx
import pytest

from loan_approval.errors import RebuildError
from loan_approval.project import LOCK, ROOT, platform_state, sha256_of
from loan_approval.registry import tracking
from loan_approval.registry.tracking import Version
from loan_approval.reproduction import reproduce as rebuilding
from loan_approval.reproduction.reproduce import Rebuild, differs_from_lock, reproduce
from tests.model_files import LOANS, LOANS_SCALING, make_file

PARAMETERS = 'dataset = "loans"\nbias = 1.0'
EXPORT = """
import json, os, sys
from tests.model_files import LOANS, LOANS_SCALING, make_file
import onnx
print("a cell may print")
model = onnx.load_from_string(make_file(LOANS, LOANS_SCALING, bias))
for prop in model.metadata_props:
    if prop.key == "provenance":
        prop.value = json.dumps(json.load(open("provenance.json")))
model_file = model.SerializeToString(deterministic=True)
"""
AFTER = "raise SystemExit('what comes after the export is not run')"


class Past:
    """A commit's tree with a data set and a notebook, and the version that was made from them."""

    def __init__(self, folder: Path) -> None:
        self.tree, self.folder = folder / "tree", folder / "data" / "mine"
        self.folder.mkdir(parents=True)
        shutil.copy(ROOT / "data/loans/contract.toml", self.folder)
        (self.folder / "dataset.csv").write_text("the data")
        for name in ("locks", "notebooks", "src", "data"):
            (self.tree / name).mkdir(parents=True)
        shutil.copy(LOCK, self.tree / "locks")
        for name in ("serve", "tests", "data/loans"):
            (self.tree / name).symlink_to(ROOT / name)
        self.write_notebook(PARAMETERS, EXPORT, AFTER)
        self.tags = platform_state()
        self.provenance: dict[str, Any] = {
            **{"commit": "c" * 40, "changes": "", "dataset": "mine", "parameters": {"bias": 0.5}},
            **{"data_sha256": sha256_of(self.folder / "dataset.csv"), "lock_sha256": sha256_of(LOCK)},
        }

    def write_notebook(self, *cells: str) -> None:
        tags = [["parameters"], *([[]] * (len(cells) - 1))]
        made = [{"cell_type": "markdown", "metadata": {}, "source": "# Train"}]
        made += [
            {"cell_type": "code", "metadata": {"tags": tag}, "source": cell.splitlines(keepends=True)}
            for tag, cell in zip(tags, cells, strict=True)
        ]
        (self.tree / "notebooks/02_train.ipynb").write_text(json.dumps({"cells": made}))

    def file(self, bias: float = 0.5) -> bytes:
        """Return the registered file."""
        (self.tree / "provenance.json").write_text(json.dumps(self.provenance))
        model = onnx.load_from_string(make_file(LOANS, LOANS_SCALING, bias))
        for prop in model.metadata_props:
            if prop.key == "provenance":
                prop.value = json.dumps(self.provenance)
        return model.SerializeToString(deterministic=True)


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return Past(tmp_path)


@pytest.fixture
def rebuild(past: Past, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Rebuild]:
    """Return a function that reproduces the version whose file is given."""

    @contextmanager
    def checked_out(commit: str) -> Iterator[Path]:
        assert commit == past.provenance["commit"]
        yield past.tree

    def rebuild(data: bytes | None = None, sha256: str | None = None, **options: float) -> Rebuild:
        data = past.file() if data is None else data
        monkeypatch.setattr(tracking, "load_model_file", lambda version: data)
        monkeypatch.setattr(tracking, "load_tags", lambda run: past.tags)
        version = Version("loans_model", "3", "run", sha256 or hashlib.sha256(data).hexdigest(), "passed")
        return reproduce(version, past.folder, **options)

    monkeypatch.setattr(rebuilding, "checked_out", checked_out)
    return rebuild


def test_the_same_commit_data_lock_and_parameters_give_the_same_bytes(rebuild: Callable[..., Rebuild]) -> None:
    made = rebuild()
    assert (made.differences, made.notes) == ([], [])


def test_other_bytes_are_told_apart(past: Past, rebuild: Callable[..., Rebuild]) -> None:
    made = rebuild(past.file(bias=0.75))
    assert "weights bias: 1 of 1 differ, at most by 0.25" in made.differences
    assert made.notes == []


def test_other_parameters_are_told_apart(past: Past, rebuild: Callable[..., Rebuild]) -> None:
    data = past.file(bias=0.5)
    past.provenance["parameters"]["bias"] = 0.25
    past.file()
    assert "document provenance: parameters" in rebuild(data).differences


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"changes": "d" * 64},
            "changes: it was made with code that is in no commit .hash of the changes dddddddddddd",
        ),
        ({"commit": None}, "commit: not recorded in the file"),
        ({"data_sha256": None}, "data_sha256: not recorded in the file"),
        ({"lock_sha256": 7}, "lock_sha256: not recorded in the file"),
        ({"parameters": None}, "parameters: not recorded in the file"),
        ({"dataset": "../../etc"}, "dataset: the recorded name is no folder's"),
        ({"dataset": ".."}, "dataset: the recorded name is no folder's"),
        ({"data_sha256": "e" * 64}, f"data: not found, expected a dataset.csv with sha256 {'e' * 64}"),
        ({"parameters": {"bios": 1}}, "that commit's notebook has no parameter bios"),
        ({"parameters": {"bias": "much"}}, "that commit's code failed"),
    ],
)
def test_what_cannot_be_rebuilt_says_why(
    past: Past, rebuild: Callable[..., Rebuild], change: dict[str, Any], reason: str
) -> None:
    past.provenance |= change
    with pytest.raises(RebuildError, match=reason):
        rebuild()


def test_a_file_that_is_not_the_recorded_one_is_not_rebuilt(rebuild: Callable[..., Rebuild]) -> None:
    with pytest.raises(RebuildError, match=f"expected {'0' * 64}"):
        rebuild(sha256="0" * 64)


@pytest.mark.parametrize("data", [b"\xff\xff", b"", make_file(LOANS, LOANS_SCALING)])
def test_a_file_that_does_not_say_what_it_follows_from_is_not_rebuilt(
    rebuild: Callable[..., Rebuild], data: bytes
) -> None:
    with pytest.raises(RebuildError):
        rebuild(data)


def test_data_that_is_gone_is_named_by_its_hash(past: Past, rebuild: Callable[..., Rebuild]) -> None:
    (past.folder / "dataset.csv").unlink()
    with pytest.raises(RebuildError, match=f"data: not found, expected .* {past.provenance['data_sha256']}"):
        rebuild()


def test_a_contract_that_was_changed_since_is_taken_from_the_commit(
    past: Past, rebuild: Callable[..., Rebuild]
) -> None:
    place = past.tree / "data/mine"
    place.mkdir()
    shutil.copy(past.folder / "contract.toml", place)
    (past.folder / "contract.toml").write_text("format = 7")
    assert rebuild().differences == []


def test_a_contract_that_is_nowhere_is_said_to_be(past: Past, rebuild: Callable[..., Rebuild]) -> None:
    shutil.copy(ROOT / "data/boston/contract.toml", past.folder)
    with pytest.raises(RebuildError, match="contract: neither the commit's data/mine nor"):
        rebuild()


def test_another_lock_and_another_platform_are_named_and_do_not_stop_it(
    past: Past, rebuild: Callable[..., Rebuild], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = past.tree / "locks/dev.txt"
    lock.write_text("numpy==1.0 \\\n")
    past.provenance["lock_sha256"] = sha256_of(lock)
    past.tags = past.tags | {"python": "3.9.1"}
    del past.tags["cpu"]
    made = rebuild()
    assert made.differences == []
    assert [note.split(",")[0] for note in made.notes] == [
        f"lock: recorded {sha256_of(lock)[:12]}",
        f"lock: installed are numpy {__import__('numpy').__version__}",
        "python: was 3.9.1",
        "cpu: not recorded",
    ]


def test_a_commit_whose_lock_is_not_the_recorded_one_is_named(past: Past, rebuild: Callable[..., Rebuild]) -> None:
    past.provenance["lock_sha256"] = "f" * 64
    assert rebuild().notes == ["lock: locks/dev.txt of that commit has not the recorded sha256 ffffffffffff"]


def test_a_notebook_that_exports_nothing_is_named(past: Past, rebuild: Callable[..., Rebuild]) -> None:
    past.write_notebook(PARAMETERS)
    with pytest.raises(RebuildError, match="exports no model_file"):
        rebuild()


def test_a_commit_without_the_notebook_is_named(past: Past, rebuild: Callable[..., Rebuild]) -> None:
    (past.tree / "notebooks/02_train.ipynb").unlink()
    with pytest.raises(RebuildError, match=r"it has no notebooks/02_train.ipynb"):
        rebuild()


def test_a_training_without_end_is_ended(past: Past, rebuild: Callable[..., Rebuild]) -> None:
    past.write_notebook(PARAMETERS, "import threading\nthreading.Event().wait()")
    with pytest.raises(RebuildError, match=r"training: ended after 0\.5 s"):
        rebuild(time_limit=0.5)


def test_the_training_sees_no_tracking_server_of_ours(
    past: Past, rebuild: Callable[..., Rebuild], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    check = "import os\nassert 'MLFLOW_TRACKING_TOKEN' not in os.environ\n"
    check += "assert os.environ['MLFLOW_TRACKING_URI'].endswith('unused.db')\n"
    past.write_notebook(PARAMETERS, check, EXPORT)
    assert rebuild().differences == []


def test_this_environment_is_the_lock() -> None:
    assert differs_from_lock(LOCK) == []


def test_only_installed_packages_of_another_version_differ_from_the_lock(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lines = ["numpy==1.0 \\", "onnx==1.0 ; python_version < '3' \\", "no-such-package==1.0 \\"]
    lines += ["scikit-learn==0.1 ; python_version >= '3' \\", "    --hash=sha256:0"]
    lock.write_text("\n".join(lines))
    assert differs_from_lock(lock) == [
        f"numpy {installed_version('numpy')}, locked 1.0",
        f"scikit-learn {installed_version('scikit-learn')}, locked 0.1",
    ]

"""The script that runs a recorded commit's code: in the layout of today and in that of before the packages."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from loan_approval.data.simulate import write_simulation
from loan_approval.errors import RebuildError
from loan_approval.project import ROOT
from loan_approval.reproduction.version_data import checked_out, run_code

# The newest commit whose modules lay side by side.
FLAT = "4a75bf4"
LIMIT = 300  # seconds


def full_hash(commit: str) -> str:
    run = subprocess.run(["git", "rev-parse", "--verify", f"{commit}^{{commit}}"], cwd=ROOT, capture_output=True)
    if run.returncode:
        pytest.skip(f"{commit} is not in this clone")
    return run.stdout.decode().strip()


@pytest.fixture(scope="module", params=["HEAD", FLAT])
def tree(request: pytest.FixtureRequest) -> Iterator[Path]:
    with checked_out(full_hash(request.param)) as tree:
        yield tree


def test_a_commit_makes_its_built_in_data(tree: Path, tmp_path: Path) -> None:
    csv = tree / "data/loans/dataset.csv"
    run_code(tree, ["make-data", "loans"], LIMIT, "data")
    write_simulation(tmp_path / "dataset.csv")
    made, expected = (hashlib.sha256(path.read_bytes()).hexdigest() for path in (csv, tmp_path / "dataset.csv"))
    assert made == expected


def test_the_cells_import_the_modules_of_the_commit(tree: Path, tmp_path: Path) -> None:
    flat = (tree / "src/loan_approval/datasets.py").is_file()
    module = "loan_approval.datasets" if flat else "loan_approval.data.datasets"
    cells = ["rows = 7", f"import {module} as datasets", "model_file = f'{datasets.__file__} {rows}'.encode()"]
    notebook, target = tmp_path / "02_train.ipynb", tmp_path / "target"
    tags = ["parameters"], [], []
    cells = [{"cell_type": "code", "metadata": {"tags": t}, "source": c} for t, c in zip(tags, cells, strict=True)]
    notebook.write_text(json.dumps({"cells": cells}))
    run_code(tree, ["train", str(notebook), str(target)], LIMIT, "training", b'{"rows": 8}')
    path, rows = target.read_text().split()
    assert Path(path).is_relative_to(tree / "src/loan_approval")
    assert rows == "8"


def test_the_modules_beside_the_script_are_out_of_reach(tmp_path: Path) -> None:
    notebook = tmp_path / "notebook.ipynb"
    cell = {"cell_type": "code", "metadata": {}, "source": "import version_data"}
    notebook.write_text(json.dumps({"cells": [cell]}))
    with pytest.raises(RebuildError, match="No module named 'version_data'"):
        run_code(tmp_path, ["train", str(notebook), str(tmp_path / "target")], LIMIT, "training", b"{}")

"""Small data sets as folders of their own, as whoever brings data has them."""

import csv
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from loan_approval.data.boston import write_boston
from loan_approval.data.simulate import write_simulation
from loan_approval.project import ROOT


@pytest.fixture(scope="session")
def make_data_set(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that makes a data set's folder by name: loans, boston, or noise (loans, decided by coins)."""
    folder = tmp_path_factory.mktemp("data")

    def make(name: str) -> Path:
        source = "boston" if name == "boston" else "loans"
        (folder / name).mkdir()
        shutil.copy(ROOT / "data" / source / "contract.toml", folder / name)
        path = folder / name / "dataset.csv"
        if source == "boston":
            write_boston(path)
        else:
            write_simulation(path, rows=1500)
        if name == "noise":
            shuffle_target(path)
            rename_model(folder / name / "contract.toml", "noise_model")
        return folder / name

    return make


def shuffle_target(path: Path) -> None:
    """Give every application another one's decision."""
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    decisions = [row[-1] for row in rows]
    random.Random(11).shuffle(decisions)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            [header, *([*row[:-1], decision] for row, decision in zip(rows, decisions, strict=True))]
        )


def rename_model(contract: Path, name: str) -> None:
    """Register under another name, and in another experiment."""
    text = contract.read_text(encoding="utf-8")
    text = text.replace("loan_approval_model", name).replace("loan_approval_v2", f"{name}_v1")
    contract.write_text(text, encoding="utf-8")

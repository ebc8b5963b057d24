"""A data set: its checked rows, and the split and unit of each."""

import hashlib
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from loan_approval.data.boston import write_boston
from loan_approval.data.csv_files import decode_column, encode_features, encode_target, header_problems, read_cells
from loan_approval.data.dvc_objects import md5_of_bytes
from loan_approval.data.folders import dataset_folder, load_contract, read_statement, summary
from loan_approval.data.simulate import write_simulation
from loan_approval.data.splits import SPLITS, assign_splits, identify_rows, number_units
from loan_approval.data.versions import Generator, check_generator, restore_csv
from loan_approval.errors import DataError
from loan_approval.project import ROOT
from serve.contract.contract import Contract
from serve.contract.fault import Fault

BUILT_IN: dict[str, Generator] = {"loans": write_simulation, "boston": write_boston}
LONGEST_SHOWN = 60  # characters of a cell


@dataclass(frozen=True)
class Dataset:
    """A checked data set of n rows.

    frame: every feature in contract order, NaN or None where missing, and the target as code 1 or 0.
    X: (n, F) float64 as the model file's graph takes them.   y: (n,) codes.   splits: (n,) of `SPLITS`.
    sha256, md5: of the CSV; DVC names it by the md5.   path: of the CSV, None of rows that are in no file.
    keys: (n,) cells of the contract's group key, empty where it has none.
    """

    name: str
    contract: Contract
    frame: pd.DataFrame
    X: np.ndarray
    y: np.ndarray
    splits: np.ndarray
    sha256: str
    md5: str = ""
    path: Path | None = None
    keys: np.ndarray = field(default_factory=lambda: np.array([], dtype=object))

    def rows(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Return X and y of the rows with this split."""
        chosen = self.splits == split
        return self.X[chosen], self.y[chosen]

    def digest(self, split: str) -> str:
        """Return the SHA-256 of the rows with this split and their labels."""
        return hashlib.sha256(b"".join(part.tobytes() for part in self.rows(split))).hexdigest()

    def units(self, split: str) -> np.ndarray:
        """Return, for the rows with this split, what `number_units` returns.

        Folds, permutations and bootstraps keep the rows of a unit together: what depends on each other is no further
        evidence.
        """
        return number_units(self._units[self.splits == split])

    @cached_property
    def _units(self) -> np.ndarray:
        return number_units(self.identities())

    def identities(self) -> np.ndarray:
        """Return what `identify_rows` returns for these rows."""
        return identify_rows(self.X, self.contract.split_by, self.keys)

    def continues(self, sha256: str) -> bool:
        """Return whether the CSV is the file with this hash, or that file with rows appended."""
        if sha256 == self.sha256:
            return True
        digest = hashlib.sha256()
        with self.path.open("rb") if self.path else nullcontext([]) as lines:
            for line in lines:
                digest.update(line)
                if digest.hexdigest() == sha256:
                    return True
        return False


def load_dataset(name: str, draft: bool = False) -> Dataset:
    """Load `data/<name>` (or a path); a missing CSV is generated or fetched from DVC where possible.

    draft: accept a contract with open questions, and a CSV that differs from its recorded version.
    Raises DataError with every problem, and when the CSV differs from its recorded version.
    """
    folder = dataset_folder(name)
    return read_dataset(find_csv(folder, keep_edits=draft), load_contract(folder, draft), folder.name)


def find_csv(folder: Path, keep_edits: bool = True) -> Path:
    """Return the path of a folder's `dataset.csv`, restored as by `restore_csv`. Raises DataError as that does."""
    path = folder / "dataset.csv"
    restore_csv(path, generator_of(folder), keep_edits=keep_edits)
    return path


def restore_dataset(name: str) -> str:
    """Restore the recorded version of a data set's CSV; return in words what was done.

    Raises DataError as `restore_csv` does, when there is no CSV, and when the generator of a built-in data set writes
    other bytes than recorded.
    """
    folder = dataset_folder(name)
    path, generator = folder / "dataset.csv", generator_of(folder)
    words = f"{path}: {restore_csv(path, generator, replace=True)}"
    if not path.is_file():
        raise DataError(words)
    if generator is not None:
        check_generator(path, generator)
    return words


def generator_of(folder: Path) -> Generator | None:
    """Return the function that writes a built-in data set, None for any other."""
    return BUILT_IN.get(folder.name) if folder.parent == ROOT / "data" else None


def read_dataset(path: Path, contract: Contract, name: str) -> Dataset:
    """Read and check one CSV against a contract. Raises DataError with the first problems shown and all counted."""
    columns, numbers = _read_columns(path, contract)
    target = contract.target.name
    encoded, problems = encode_features(columns, contract)
    y, faults = encode_target(columns[target], contract)
    problems += [(row, target, fault) for row, fault in faults.items()]
    if problems:
        problems.sort(key=lambda problem: problem[0])
        lines = [_describe(numbers[row], name, columns[name][row], fault) for row, name, fault in problems]
        raise DataError(summary(path, lines))
    frame = pd.DataFrame({f.name: decode_column(f, encoded[:, i]) for i, f in enumerate(contract.features)})
    frame[target] = y
    X, data = encoded[:, [feature.scored for feature in contract.features]], path.read_bytes()
    sha256, md5 = hashlib.sha256(data).hexdigest(), md5_of_bytes(data)
    keys = np.array(columns.get(contract.group_key, ()), dtype=object)
    splits = assign_splits(identify_rows(X, contract.split_by, keys), contract.split_salt)
    return Dataset(name, contract, frame, X, y, splits, sha256, md5, path, keys)


def describe_data(dataset: Dataset, name: str) -> dict[str, Any]:
    """Return the model card's topics `statement` and `data`. name: the folder below data/, or a path to one."""
    splits = []
    for split in SPLITS:
        _, y = dataset.rows(split)
        share = {f"share_{dataset.contract.label_text(1)}": float(np.mean(y))} if len(y) else {}
        splits.append({"role": split, "rows": len(y), **share})
    return {"statement": read_statement(dataset_folder(name)), "data": {"rows": len(dataset.y), "roles": splits}}


def _read_columns(path: Path, contract: Contract) -> tuple[dict[str, list[str]], list[int]]:
    """Return the cells of each column, and the line of each row."""
    header, rows = read_cells(path, contract)
    if problems := header_problems(header, contract):
        raise DataError(summary(path, [f"column {name!r} {problem}" for name, problem in problems]))
    if uneven := [row for row in rows if len(row) != len(header)]:
        words = [f"row {row.line}: {len(row)} cells, expected {len(header)}" for row in uneven]
        raise DataError(summary(path, words))
    if not rows:
        raise DataError(f"{path}: no rows below the header")
    return dict(zip(header, map(list, zip(*rows, strict=True)), strict=True)), [row.line for row in rows]


def _describe(line: int, column: str, cell: str, fault: Fault) -> str:
    shown = cell if len(cell) <= LONGEST_SHOWN else f"{cell[:LONGEST_SHOWN]}…"
    return f"row {line}: {column}={shown!r}: {fault}"

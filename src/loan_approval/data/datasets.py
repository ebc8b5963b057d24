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
from loan_approval.data.cells import Cells, read_columns
from loan_approval.data.csv_files import decode_column
from loan_approval.data.dvc_objects import md5_of_bytes
from loan_approval.data.folders import dataset_folder, load_contract, read_statement
from loan_approval.data.refused import Broken, Refused
from loan_approval.data.simulate import write_simulation
from loan_approval.data.splits import SPLITS, assign_splits, identify_rows, number_units
from loan_approval.data.versions import Generator, check_generator, restore_csv
from loan_approval.errors import DataError
from loan_approval.project import ROOT
from serve.contract.contract import Contract

BUILT_IN: dict[str, Generator] = {"loans": write_simulation, "boston": write_boston}


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

        Folds, permutations and intervals keep the rows of a unit together: what depends on each other is no further
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


def load_kept_rows(name: str) -> tuple[Dataset, Refused]:
    """Load what keeps the contract of `data/<name>` (or a path), to look at: see `read_kept_rows`.

    As a draft by `load_dataset`: open questions and an edited CSV are accepted.
    """
    folder = dataset_folder(name)
    return read_kept_rows(find_csv(folder), load_contract(folder, draft=True), folder.name)


def read_dataset(path: Path, contract: Contract, name: str) -> Dataset:
    """Read and check one CSV against a contract. Raises DataError with the first problems shown and all counted."""
    cells = read_columns(path, contract)
    if cells.problems:
        raise DataError(cells.describe_problems(path))
    return _make_dataset(path, contract, name, cells, np.ones(len(cells.y), dtype=bool))


def read_kept_rows(path: Path, contract: Contract, name: str) -> tuple[Dataset, Refused]:
    """Return the rows of one CSV that keep the contract, without columns that it does not name, and what it refused.

    Raises DataError as `read_dataset` does when a column is missing or stands twice, or when most rows are refused.
    """
    broken: list[Broken] = []
    cells = read_columns(path, contract, broken)
    ragged = sum(len(each.lines) for each in broken)
    kept = ~np.isin(np.arange(len(cells.y)), [row for row, *_ in cells.problems])
    if 2 * kept.sum() < len(kept):
        words = "most rows break the contract, too few are left to explore: check-data counts them by rule"
        raise DataError(f"{cells.describe_problems(path)}\n  {words}")
    refused = Refused(len(kept) + ragged, [*broken, *cells.broken_rules()])
    return _make_dataset(path, contract, name, cells, kept), refused


def _make_dataset(path: Path, contract: Contract, name: str, cells: Cells, kept: np.ndarray) -> Dataset:
    """Return the data set of the rows that are kept, (n,) of bool."""
    encoded, y = cells.encoded[kept], cells.y[kept]
    frame = pd.DataFrame({f.name: decode_column(f, encoded[:, i]) for i, f in enumerate(contract.features)})
    frame[contract.target.name] = y
    X, data = encoded[:, [feature.scored for feature in contract.features]], path.read_bytes()
    sha256, md5 = hashlib.sha256(data).hexdigest(), md5_of_bytes(data)
    keys = np.array(cells.columns.get(contract.group_key, ()), dtype=object)
    keys = keys[kept] if len(keys) else keys
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

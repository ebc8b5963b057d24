"""A data set: contract and CSV, checked row by row, with each row's split.

A row's split follows from a hash of what the model sees of it and the contract's salt, never from a run's seed: models
trained at any time agree on which rows neither was trained on, and equal rows can't stand on both sides.
"""

import csv
import hashlib
import io
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from loan_approval.data.boston import write_boston
from loan_approval.data.dvc_objects import md5_of_bytes
from loan_approval.data.folders import dataset_folder
from loan_approval.data.simulate import write_simulation
from loan_approval.data.versions import Generator, check_generator, restore_csv
from loan_approval.errors import DataError
from loan_approval.project import ROOT
from serve.contract.contract import Contract
from serve.contract.feature import Fault
from serve.errors import ContractError

BUILT_IN: dict[str, Generator] = {"loans": write_simulation, "boston": write_boston}
PROBLEMS_SHOWN = 20
LONGEST_SHOWN = 60  # characters of a cell
SPLITS = ("train", "calibrate", "test")  # calibrate: also chooses the threshold
_SHARES = (0.6, 0.2, 0.2)


@dataclass(frozen=True)
class Dataset:
    """A checked data set of n rows.

    frame: every feature in contract order, NaN or None where missing, and the target as code 1 or 0.
    X: (n, F) float64 as the model file's graph takes them.   y: (n,) codes.   splits: (n,) of `SPLITS`.
    sha256, md5: of the CSV; DVC names it by the md5.
    """

    name: str
    contract: Contract
    frame: pd.DataFrame
    X: np.ndarray
    y: np.ndarray
    splits: np.ndarray
    sha256: str
    md5: str = ""

    def rows(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Return X and y of the rows with this split."""
        chosen = self.splits == split
        return self.X[chosen], self.y[chosen]


def load_dataset(name: str, draft: bool = False) -> Dataset:
    """Load `data/<name>` (or a path); a CSV that is not there is made, or taken from DVC, if it can be.

    draft: a contract whose questions are still open will do, and data of which no version is recorded yet.
    Raises DataError with every problem, and when the CSV is not the one that DVC's files say.
    """
    folder = dataset_folder(name)
    return read_dataset(find_csv(folder, keep_edits=draft), load_contract(folder, draft), folder.name)


def find_csv(folder: Path, keep_edits: bool = True) -> Path:
    """Return where a folder's `dataset.csv` is; one that is not there is made, or taken from DVC, if it can be.

    keep_edits: another than DVC's files say will do. Raises DataError as `restore_csv` does.
    """
    path = folder / "dataset.csv"
    restore_csv(path, generator_of(folder), keep_edits=keep_edits)
    return path


def settle_version(name: str) -> str:
    """Have a data set's CSV be what DVC's files say; return in words what was done.

    Raises DataError as `restore_csv` does, when there is no CSV, and when what makes a built-in one no longer makes it.
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
    """Return what makes a built-in data set, None for any other."""
    return BUILT_IN.get(folder.name) if folder.parent == ROOT / "data" else None


def load_contract(folder: Path, draft: bool = False) -> Contract:
    """Read a folder's contract; in a draft, open questions are left aside. Raises DataError with every problem."""
    path = folder / "contract.toml"
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        for table in (document.get("target"), *document.get("feature", [])) if draft else ():
            table.pop("question", None)
        return Contract.from_dict(document, where=str(path))
    except ContractError as err:
        raise DataError(_summary(path, err.problems)) from err
    except (OSError, ValueError, AttributeError, TypeError) as err:
        raise DataError(f"{path}: not a contract: {err}") from err


def read_dataset(path: Path, contract: Contract, name: str) -> Dataset:
    """Read and check one CSV against a contract. Raises DataError with the first problems shown and all counted."""
    columns = _read_columns(path, contract)
    every, problems = contract.encode_table(_parse(columns, contract), contract.features)
    y, target_problems = _encode_target(columns[contract.target.name], contract)
    problems = sorted(problems + target_problems, key=lambda problem: problem[0])
    if problems:
        lines = [_describe(row, column, columns[column][row], fault) for row, column, fault in problems]
        raise DataError(_summary(path, lines))
    X = every[:, [feature.scored for feature in contract.features]]
    frame = pd.DataFrame({f.name: _readable(f, every[:, i]) for i, f in enumerate(contract.features)})
    frame[contract.target.name] = y
    return Dataset(name, contract, frame, X, y, assign_splits(X, contract.split_salt), *_hashes(path))


def _hashes(path: Path) -> tuple[str, str]:
    data = path.read_bytes()
    return hashlib.sha256(data).hexdigest(), md5_of_bytes(data)


def assign_splits(X: np.ndarray, salt: str) -> np.ndarray:
    """Return (n,) splits for (n, F) rows: 60 % train, 20 % calibrate, 20 % test, by keyed hash of each row."""
    key = hashlib.sha256(salt.encode()).digest()
    # One NaN and one zero: equal rows have equal bytes.
    canonical = np.where(np.isnan(X), np.nan, X + 0.0).astype("<f8")
    u = [int.from_bytes(hashlib.blake2b(row.tobytes(), key=key, digest_size=8).digest()) / 2**64 for row in canonical]
    return np.array(SPLITS, dtype=object)[np.searchsorted(np.cumsum(_SHARES)[:-1], u, side="right")]


def read_cells(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a CSV, as text. Raises DataError when the file can't be read as one."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header, *rows = list(reader) or [[]]
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as err:
        raise DataError(f"{path}: can't be read: {err.strerror}") from err
    except UnicodeDecodeError as err:
        line = err.object[: err.start].count(b"\n") + 1
        raise DataError(f"{path}: line {line}: byte {err.start} is not UTF-8, expected a CSV in UTF-8") from err
    except csv.Error as err:
        raise DataError(f"{path}: line {reader.line_num}: not a CSV: {err}") from err
    if len(header) == 1 and re.search(r"[;\t|]", header[0]):
        raise DataError(_summary(path, ["the header is one column, expected commas between the cells"]))
    while rows and not rows[-1]:
        rows.pop()  # empty lines at the end are no rows; one in between is, so that row numbers stay the file's
    return header, rows


def header_problems(header: list[str], contract: Contract) -> list[tuple[str, str]]:
    """Return each (column, what is wrong with it) by which a header differs from the contract's columns."""
    expected = [*(feature.name for feature in contract.features), contract.target.name]
    names = list(dict.fromkeys(header))
    problems = [(name, "stands twice") for name in names if header.count(name) > 1]
    problems += [(name, "is missing") for name in expected if name not in names]
    unknown = [name for name in names if name not in expected]
    return problems + [(name, f"is {contract.refusals.get(name, 'not in the contract')}") for name in unknown]


def _read_columns(path: Path, contract: Contract) -> dict[str, list[str]]:
    header, rows = read_cells(path)
    if not header:
        names = ", ".join([*(feature.name for feature in contract.features), contract.target.name])
        raise DataError(f"{path}: the file is empty, expected a header with {names}")
    if problems := header_problems(header, contract):
        raise DataError(_summary(path, [f"column {name!r} {words}" for name, words in problems]))
    lines = [
        f"row {i}: {len(row)} cells, expected {len(header)}" for i, row in enumerate(rows, 2) if len(row) != len(header)
    ]
    if lines:
        raise DataError(_summary(path, lines))
    if not rows:
        raise DataError(f"{path}: no rows below the header")
    return dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))


def _parse(columns: dict[str, list[str]], contract: Contract) -> dict[str, list[object]]:
    return {f.name: list(map(f.parse, columns[f.name])) for f in contract.features}


def _encode_target(cells: list[str], contract: Contract) -> tuple[np.ndarray, list[tuple[int, str, Fault]]]:
    y = np.zeros(len(cells), dtype=np.int64)
    problems = []
    for row, cell in enumerate(cells):
        try:
            y[row] = contract.target.encode(cell)
        except Fault as fault:
            problems.append((row, contract.target.name, fault))
    return y, problems


def _readable(feature: object, encoded: np.ndarray) -> object:
    if not feature.is_category:
        return encoded
    return pd.Series([feature.decode(number) for number in encoded], dtype=object)


def _describe(row: int, column: str, cell: str, fault: Fault) -> str:
    shown = cell if len(cell) <= LONGEST_SHOWN else f"{cell[:LONGEST_SHOWN]}…"
    return f"row {row + 2}: {column}={shown!r}: {fault}"


def _summary(path: Path, lines: list[str]) -> str:
    shown = "\n  ".join(lines[:PROBLEMS_SHOWN])
    more = f"\n  and {len(lines) - PROBLEMS_SHOWN} more" if len(lines) > PROBLEMS_SHOWN else ""
    plural = "problem" if len(lines) == 1 else "problems"
    return f"{path}: {len(lines)} {plural}\n  {shown}{more}"

"""A data set: contract and CSV, checked row by row, with each row's role.

A row's role follows from a hash of what the model sees of it and the contract's salt, never from a run's seed: models
trained at any time agree on which rows neither was trained on, and equal rows can't stand on both sides.
"""

import csv
import hashlib
import io
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from loan_approval.boston import write_boston
from loan_approval.data_folders import dataset_folder
from loan_approval.errors import DataError
from loan_approval.project import ROOT, sha256_of
from loan_approval.simulate import write_simulation
from serve.contract import Contract
from serve.errors import ContractError
from serve.feature import Fault

BUILT_IN: dict[str, Callable[[Path], None]] = {"loans": write_simulation, "boston": write_boston}
PROBLEMS_SHOWN = 20
LONGEST_SHOWN = 60  # characters of a cell
ROLES = ("train", "calibrate", "test")  # calibrate: also chooses the threshold
_SHARES = (0.6, 0.2, 0.2)


@dataclass(frozen=True)
class Dataset:
    """A checked data set of n rows.

    frame: every feature in contract order, NaN or None where missing, and the target as code 1 or 0.
    X: (n, F) float64 as the model file's graph takes them.   y: (n,) codes.   roles: (n,) of `ROLES`.
    """

    name: str
    contract: Contract
    frame: pd.DataFrame
    X: np.ndarray
    y: np.ndarray
    roles: np.ndarray
    sha256: str

    def rows(self, role: str) -> tuple[np.ndarray, np.ndarray]:
        """Return X and y of the rows with this role."""
        chosen = self.roles == role
        return self.X[chosen], self.y[chosen]


def load_dataset(name: str, draft: bool = False) -> Dataset:
    """Load `data/<name>` (or a path); a built-in one is made if its CSV is not there.

    draft: a contract whose questions are still open will do. Raises DataError with every problem.
    """
    folder = dataset_folder(name)
    path = folder / "dataset.csv"
    if not path.exists() and folder.parent == ROOT / "data" and folder.name in BUILT_IN:
        BUILT_IN[folder.name](path)
    return read_dataset(path, load_contract(folder, draft), folder.name)


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
    return Dataset(name, contract, frame, X, y, assign_roles(X, contract.split_salt), sha256_of(path))


def assign_roles(X: np.ndarray, salt: str) -> np.ndarray:
    """Return (n,) roles for (n, F) rows: 60 % train, 20 % calibrate, 20 % test, by keyed hash of each row."""
    key = hashlib.sha256(salt.encode()).digest()
    # One NaN and one zero: equal rows have equal bytes.
    canonical = np.where(np.isnan(X), np.nan, X + 0.0).astype("<f8")
    u = [int.from_bytes(hashlib.blake2b(row.tobytes(), key=key, digest_size=8).digest()) / 2**64 for row in canonical]
    return np.array(ROLES, dtype=object)[np.searchsorted(np.cumsum(_SHARES)[:-1], u, side="right")]


def _read_columns(path: Path, contract: Contract) -> dict[str, list[str]]:
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
    _check_header(path, header, [*(f.name for f in contract.features), contract.target.name], contract.refusals)
    while rows and not rows[-1]:
        rows.pop()  # empty lines at the end are no rows; one in between is, so that row numbers stay the file's
    lines = [
        f"row {i}: {len(row)} cells, expected {len(header)}" for i, row in enumerate(rows, 2) if len(row) != len(header)
    ]
    if lines:
        raise DataError(_summary(path, lines))
    if not rows:
        raise DataError(f"{path}: no rows below the header")
    return dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))


def _check_header(path: Path, header: list[str], expected: list[str], refusals: Mapping[str, str]) -> None:
    if not header:
        raise DataError(f"{path}: the file is empty, expected a header with {', '.join(expected)}")
    problems = [f"column {name!r} stands twice" for name in dict.fromkeys(header) if header.count(name) > 1]
    problems += [f"column {name!r} is missing" for name in expected if name not in header]
    unknown = [name for name in dict.fromkeys(header) if name not in expected]
    problems += [f"column {name!r} is {refusals.get(name, 'not in the contract')}" for name in unknown]
    if len(header) == 1 and re.search(r"[;\t|]", header[0]):
        problems = ["the header is one column, expected commas between the cells"]
    if problems:
        raise DataError(_summary(path, problems))


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

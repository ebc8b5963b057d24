"""Tables of applications for the tests of batch scoring: right ones, and ones with anything in their cells."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet as pq

from loan_approval.batch.files import absolute, list_inputs
from loan_approval.batch.shards import plan_shards
from loan_approval.batch.tables import read_rows
from serve.contract.contract import Contract
from serve.contract.feature import Feature

BATCH_ROWS = 900  # of the batch that the tests score
# What a CSV's cell may hold that some reader takes for a number, a name or nothing.
ODD_CELLS = (
    *("", " ", "nan", "NaN", "inf", "-Infinity", "1e999", "-1e999", "1e-400", "null", "NA", "0x1F", "1_0", "+3", " 7 "),
    *("5.", ".5", "-0", "-0.0", "1e2", "1E+1", "12.5", "9007199254740993", "4 5", "1d5", "1e", ".", "--1", "true"),
    *("٤", "own", " own", "Own", "own\t", "north", "rent ", "99999999999999999999999", "\u00a05\u00a0"),
)


def make_columns(contract: Contract, rows: int, seed: int = 1, absent: float = 0.1) -> dict[str, list[Any]]:
    """Return right values for each feature, some of them missing where they may be."""
    rng = np.random.default_rng(seed)
    return {feature.name: _column(feature, rows, rng, absent) for feature in contract.features}


def _column(feature: Feature, rows: int, rng: np.random.Generator, absent: float) -> list[Any]:
    if feature.type == "date":
        first, last = (date.fromisoformat(day).toordinal() for day in feature.range or ("2000-01-01", "2026-12-31"))
        values = [date.fromordinal(day).isoformat() for day in rng.integers(first, last, rows, endpoint=True).tolist()]
    elif feature.is_category:
        values = rng.choice(list(feature.values), rows).tolist()
    elif feature.type == "integer":
        values = rng.integers(int(feature.min), int(feature.max), rows, endpoint=True).tolist()
    else:
        values = rng.uniform(feature.min, feature.max, rows).tolist()
    gone = (rng.random(rows) < absent) & (feature.missing or not feature.scored)
    return [None if no else value for value, no in zip(values, gone, strict=True)]


def write_parquet(path: Path, columns: dict[str, Any], row_group: int = 2**20) -> Path:
    """Write columns as one Parquet file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, row_group_size=row_group)
    return path


def write_csv(path: Path, columns: dict[str, list[Any]], end: str = "\n") -> Path:
    """Write columns as a CSV without quotes."""
    lines = [list(columns), *zip(*columns.values(), strict=True)]
    text = end.join(",".join("" if cell is None else str(cell) for cell in line) for line in lines)
    path.write_bytes((text + end).encode())
    return path


def judge(path: Path, contract: Contract, keep: tuple[str, ...] = ()) -> tuple[np.ndarray, dict[tuple[int, str], str]]:
    """Return X of all rows of a file, and what is wrong by row and field."""
    parts, faults = [], {}
    for shard in plan_shards(list_inputs(absolute(str(path))), contract, keep):
        for rows in read_rows(shard, contract, keep):
            assert rows.start == sum(map(len, parts))
            parts.append(rows.X)
            for name, found in rows.faults.items():
                faults |= {(rows.start + row, name): str(fault) for row, fault in found.items()}
    return np.concatenate(parts), faults


def read_parts(output: Path, folder: str = "decisions") -> pa.Table:
    """Return all parts of a batch's output as one table, in order."""
    parts = sorted((output / folder).iterdir())
    return pa.concat_tables([pq.read_table(part) for part in parts]).unify_dictionaries()

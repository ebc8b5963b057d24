"""Reads the prediction log into tables: decisions, refusals, shadow scores, and people's reviews."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow.json import ParseOptions, ReadOptions, read_json

from loan_approval.errors import LogError
from loan_approval.records.day_files import DECISIONS, REFUSALS, REVIEWS, SHADOW, day_files, parse_line, split_lines
from serve.contract.contract import Contract

BLOCK = 2**22  # bytes that one thread parses; longer than any line
_TYPES = {  # of the fields that are not text
    **dict.fromkeys(("probability", "champion_probability", "latency_ms"), pa.float64()),
    **dict.fromkeys(("code", "champion_code", "count"), pa.int64()),
    **{"time": pa.timestamp("us", "UTC"), "reasons": pa.list_(pa.string())},
}
# The fields of every line of a kind. The first two are never null, the others may be; the features are added to them.
_FIELDS = {
    DECISIONS: "time decision_id route model_name model_version model_sha256 contract probability code label band "
    "reasons applicant latency_ms",
    REFUSALS: "minute route field kind count",
    SHADOW: "time decision_id model_version model_sha256 probability code champion_sha256 champion_probability "
    "champion_code",
    REVIEWS: "time decision_id reviewer outcome reason",
}
_SCHEMAS = {
    kind: pa.schema([(name, _TYPES.get(name, pa.string())) for name in names.split()])
    for kind, names in _FIELDS.items()
}


@dataclass(frozen=True)
class Lines:
    """The lines as rows of a table, and how many last lines were torn because their writer was killed."""

    frame: pd.DataFrame
    torn: int


def read_decisions(folder: Path, begin: datetime | None = None, end: datetime | None = None) -> Lines:
    """Return the decisions with begin <= time < end, by time; only the folders of these days are opened.

    Columns `input.<Feature>` and `monitored.<Feature>` hold the features, numbers as float64 (NaN = missing).
    A time without a zone is UTC. Raises LogError that names file and line, but never quotes the line.
    """
    return _read_days(folder, DECISIONS, begin, end)


def read_shadow(folder: Path, begin: datetime | None = None, end: datetime | None = None) -> Lines:
    """Return the challengers' scores with begin <= time < end, by time. Raises LogError."""
    return _read_days(folder, SHADOW, begin, end)


def read_refusals(folder: Path, begin: datetime | None = None, end: datetime | None = None) -> Lines:
    """Return the counts of refusals with begin <= `minute` < end; `minute` is a UTC time. Raises LogError."""
    return _read_days(folder, REFUSALS, begin, end)


def read_reviews(folder: Path) -> Lines:
    """Return all reviews, in the order in which they were made. Raises LogError."""
    return _read_files([folder / REVIEWS], _SCHEMAS[REVIEWS])


def require_contract(decisions: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Return the decisions if all were made under this contract. Raises LogError that names the others."""
    columns = ["model_name", "contract"]
    for (name, fingerprint), rows in decisions.groupby(columns, dropna=False).size().items():
        if (name, fingerprint) != (contract.model_name, contract.fingerprint):
            raise LogError(
                f"{rows:,} of {len(decisions):,} decisions are of {name!r} under the contract {fingerprint}, "
                f"expected {contract.model_name!r} under {contract.fingerprint}"
            )
    return decisions


def require_rows(lines: Lines, folder: Path, begin: datetime | None = None, end: datetime | None = None) -> Lines:
    """Return the lines if there are any. Raises LogError that names the log and the window."""
    if lines.frame.empty:
        window = f" from {as_utc(begin) or 'the beginning'} to {as_utc(end) or 'now'}" if begin or end else ""
        raise LogError(f"{folder}: nothing was logged{window}, expected at least one line")
    return lines


def as_utc(time: datetime | None) -> pd.Timestamp | None:
    """Return a time in UTC; a time without a zone is UTC already."""
    return None if time is None else pd.Timestamp(time if time.tzinfo else time.replace(tzinfo=UTC)).tz_convert("UTC")


def _read_days(folder: Path, kind: str, begin: datetime | None, end: datetime | None) -> Lines:
    since, until = as_utc(begin or datetime(1970, 1, 1)), as_utc(end or datetime(2200, 1, 1))
    lines = _read_files(day_files(folder / kind, f"{since:%Y-%m-%d}", f"{until:%Y-%m-%d}"), _SCHEMAS[kind])
    time = _SCHEMAS[kind].names[0]
    frame = lines.frame[lines.frame[time].between(since, until, inclusive="left")]
    return Lines(frame.sort_values(time, kind="stable", ignore_index=True), lines.torn)


def _read_files(paths: Iterable[Path], schema: pa.Schema) -> Lines:
    frames, torn = [], 0
    for path in paths:
        lines, rest = split_lines(path)
        frames.append(_parse(path, lines, schema))
        torn += bool(rest)
    names = [*dict.fromkeys([*schema.names, *(name for frame in frames for name in frame.columns)])]
    # A column that is null throughout a file has no type: it takes that of the other files.
    filled = [frame.dropna(axis=1, how="all") for frame in frames if len(frame)]
    frame = pd.concat(filled, ignore_index=True) if filled else schema.empty_table().to_pandas()
    frame = frame.reindex(columns=names)
    frame[names[0]] = pd.to_datetime(frame[names[0]], utc=True, format="ISO8601")
    return Lines(frame, torn)


def _parse(path: Path, lines: list[bytes], schema: pa.Schema) -> pd.DataFrame:
    """Return one row for each line; features' numbers are float64. Raises LogError that names the first broken line."""
    try:
        options = ParseOptions(explicit_schema=schema, unexpected_field_behavior="infer")
        table = read_json(BytesIO(b"\n".join(lines)), ReadOptions(block_size=BLOCK), options)
        # A category's values may look like dates; they must stay text.
        has_dates = any(pa.types.is_temporal(field.type) for field in table.schema if field.name not in schema.names)
        slowly = has_dates or len(table) != len(lines) or any(table[name].null_count for name in schema.names[:2])
    except pa.ArrowInvalid:  # no lines, a broken one, or a feature of two types
        slowly = True
    frame = pd.DataFrame(_parse_each(path, lines, schema)) if slowly else table.to_pandas()
    numbers = [name for name in frame.select_dtypes("number") if name.startswith(("input.", "monitored."))]
    return frame.astype(dict.fromkeys(numbers, "float64"))


def _parse_each(path: Path, lines: list[bytes], schema: pa.Schema) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(lines, 1):
        row = parse_line(line)
        if row is None:
            raise LogError(f"{path}: line {number} is broken, expected a JSON object")
        try:
            if "time" in schema.names:
                row["time"] = pd.to_datetime(row["time"], utc=True, format="ISO8601")
            known = pa.Table.from_pylist([row], schema)
        except (pa.ArrowException, KeyError, ValueError, TypeError) as err:
            raise LogError(f"{path}: line {number} is not a line of this log") from err
        if any(known[name].null_count for name in schema.names[:2]):
            raise LogError(f"{path}: line {number} lacks {' or '.join(schema.names[:2])}")
        rows.append(row)
    return rows

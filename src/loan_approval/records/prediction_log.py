"""Reads the prediction log that the server writes: decisions, refusals, shadow scores, and people's reviews.

<log>/decisions/<YYYY-MM-DD>/<writer>-<NNNNNN>.jsonl    a line a decision, in the folder of its UTC day
<log>/shadow/<YYYY-MM-DD>/<writer>-<NNNNNN>.jsonl       a line a challenger's score of a decision
<log>/refusals/<YYYY-MM-DD>/<writer>.jsonl              a line a minute, field and kind of fault, with its count
<log>/reviews.jsonl                                     a line a review
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow.json import ParseOptions, ReadOptions, read_json

from loan_approval.errors import LogError
from loan_approval.project import ROOT
from serve import strict_json
from serve.contract.contract import Contract
from serve.errors import JSONError

DECISIONS, REFUSALS, SHADOW, REVIEWS = "decisions", "refusals", "shadow", "reviews.jsonl"
BLOCK = 2**22  # bytes that one thread parses; longer than any line
_TIME, _TEXT, _NUMBER, _WHOLE = pa.timestamp("us", "UTC"), pa.string(), pa.float64(), pa.int64()
# What every line of a kind has. Its first two are never null; the others may be, and features come on top.
_DECISION = {
    **{"time": _TIME, "decision_id": _TEXT, "route": _TEXT, "model_name": _TEXT, "model_version": _TEXT},
    **{"model_sha256": _TEXT, "contract": _TEXT, "probability": _NUMBER, "code": _WHOLE, "label": _TEXT},
    **{"band": _TEXT, "reasons": pa.list_(_TEXT), "applicant": _TEXT, "latency_ms": _NUMBER},
}
_REFUSAL = {"minute": _TEXT, "route": _TEXT, "field": _TEXT, "kind": _TEXT, "count": _WHOLE}
_SHADOW = {
    **{"time": _TIME, "decision_id": _TEXT, "model_version": _TEXT, "model_sha256": _TEXT, "probability": _NUMBER},
    **{"code": _WHOLE, "champion_sha256": _TEXT, "champion_probability": _NUMBER, "champion_code": _WHOLE},
}
_REVIEW = {"time": _TIME, "decision_id": _TEXT, "reviewer": _TEXT, "outcome": _TEXT, "reason": _TEXT}


@dataclass(frozen=True)
class Lines:
    """What was read: a row a line, how many last lines were torn (their writer was killed), and how many files."""

    frame: pd.DataFrame
    torn: int
    files: int


class Decisions(Lines):
    """Decisions: `input.<Feature>` and `monitored.<Feature>` are columns, numbers as float64 (NaN = missing)."""


def read_decisions(folder: Path, begin: datetime | None = None, end: datetime | None = None) -> Decisions:
    """Return the decisions with begin <= time < end, by time; only the folders of these days are opened.

    A time without a zone is UTC. Raises LogError that names file and line, never what stands there.
    """
    lines = _read_days(folder / DECISIONS, _DECISION, begin, end)
    return Decisions(lines.frame, lines.torn, lines.files)


def read_shadow(folder: Path, begin: datetime | None = None, end: datetime | None = None) -> Lines:
    """Return the challengers' scores with begin <= time < end, by time. Raises LogError."""
    return _read_days(folder / SHADOW, _SHADOW, begin, end)


def read_refusals(folder: Path, begin: datetime | None = None, end: datetime | None = None) -> Lines:
    """Return the counts of refusals of the minutes that begin in [begin, end); `minute` is a UTC time.

    Raises LogError.
    """
    return _read_days(folder / REFUSALS, _REFUSAL, begin, end)


def read_reviews(folder: Path) -> Lines:
    """Return all reviews, in the order in which they were made. Raises LogError."""
    return _gather([folder / REVIEWS], _REVIEW)


def of_contract(decisions: pd.DataFrame, contract: Contract) -> pd.DataFrame:
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
    """Return a time in UTC; one without a zone is taken to be."""
    if time is None:
        return None
    stamp = pd.Timestamp(time)
    return stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")


def day_files(folder: Path, first: str = "", last: str = "9999") -> Iterator[Path]:
    """Yield the files of the days first to last (YYYY-MM-DD), in order; whatever else lies there is left alone."""
    for day in sorted(folder.glob("????-??-??")):
        if first <= day.name <= last:
            yield from sorted(day.glob("*.jsonl"))


def split_lines(path: Path) -> tuple[list[bytes], bytes]:
    """Return a file's lines, without their newlines, and the torn last one: b"" where there is none.

    A line that is whole but for its newline counts as whole: the decision was made. Raises OSError.
    """
    *lines, rest = path.read_bytes().split(b"\n")
    return ([*lines, rest], b"") if rest and loads(rest) is not None else (lines, rest)


def loads(line: bytes) -> dict[str, Any] | None:
    """Return the JSON object that a line is, None where it is none."""
    try:
        document = strict_json.loads(line)
    except JSONError:
        return None
    return document if isinstance(document, dict) else None


def decision_id_of(line: bytes) -> str | None:
    """Return the decision that a line is about, None where the line is broken."""
    return (loads(line) or {}).get("decision_id")


def prediction_log_folder(model_name: str) -> Path:
    """Return the folder of a model's prediction log: `SERVE_PREDICTION_LOG`, or that of `make serve`."""
    return Path(os.environ.get("SERVE_PREDICTION_LOG") or ROOT / "predictions" / model_name)


def _read_days(folder: Path, schema: Mapping[str, pa.DataType], begin: datetime | None, end: datetime | None) -> Lines:
    begin, end = as_utc(begin), as_utc(end)
    days = (f"{begin:%Y-%m-%d}" if begin else "", f"{end:%Y-%m-%d}" if end else "9999")
    lines = _gather(list(day_files(folder, *days)), schema)
    frame, column = lines.frame, next(iter(schema))
    if begin is not None:
        frame = frame[frame[column] >= begin]
    if end is not None:
        frame = frame[frame[column] < end]
    return Lines(frame.sort_values(column, kind="stable", ignore_index=True), lines.torn, lines.files)


def _gather(paths: list[Path], schema: Mapping[str, pa.DataType]) -> Lines:
    frames, torn = [], 0
    for path in paths:
        try:
            lines, rest = split_lines(path)
        except FileNotFoundError:  # removed meanwhile, by retention say
            continue
        except OSError as err:
            raise LogError(f"{path}: can't be read: {err.strerror}") from err
        frames.append(_parse(path, lines, schema))
        torn += bool(rest)
    names = dict.fromkeys([*schema, *(name for frame in frames for name in frame.columns)])
    empty = pa.schema(schema.items()).empty_table().to_pandas()
    # A column that is null throughout a file has no type: it takes that of the other files.
    filled = [frame.dropna(axis=1, how="all") for frame in frames if len(frame)]
    frame = pd.concat(filled, ignore_index=True) if filled else empty
    frame = frame.reindex(columns=list(names))
    first = next(iter(schema))
    frame[first] = pd.to_datetime(frame[first], utc=True, format="ISO8601")
    return Lines(frame, torn, len(frames))


def _parse(path: Path, lines: list[bytes], schema: Mapping[str, pa.DataType]) -> pd.DataFrame:
    """Return a row a line; features' numbers are float64. Raises LogError that names the first broken line."""
    types = pa.schema(schema.items())
    try:
        options = ParseOptions(explicit_schema=types, unexpected_field_behavior="infer")
        table = read_json(BytesIO(b"\n".join(lines)), ReadOptions(block_size=BLOCK), options)
        # A category's names may look like dates; they are not to become any.
        guessed = any(pa.types.is_temporal(field.type) for field in table.schema if field.name not in schema)
        slowly = guessed or len(table) != len(lines) or any(table[name].null_count for name in list(schema)[:2])
    except pa.ArrowInvalid:  # no lines, a broken one, or a feature of two types
        slowly = True
    frame = pd.DataFrame(_parse_each(path, lines, types)) if slowly else table.to_pandas()
    numbers = [name for name in frame.select_dtypes("number") if name.startswith(("input.", "monitored."))]
    return frame.astype(dict.fromkeys(numbers, "float64"))


def _parse_each(path: Path, lines: list[bytes], types: pa.Schema) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(lines, 1):
        row = loads(line)
        if row is None:
            raise LogError(f"{path}: line {number} is broken, expected a JSON object")
        try:
            if "time" in types.names:
                row["time"] = pd.to_datetime(row["time"], utc=True, format="ISO8601")
            known = pa.Table.from_pylist([row], types)
        except (pa.ArrowException, KeyError, ValueError, TypeError) as err:
            raise LogError(f"{path}: line {number} is not a line of this log") from err
        if any(known[name].null_count for name in types.names[:2]):
            raise LogError(f"{path}: line {number} lacks {' or '.join(types.names[:2])}")
        rows.append(row)
    return rows

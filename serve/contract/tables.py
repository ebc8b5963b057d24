"""Many applications at once: JSON records, JSON columns or CSV, encoded together or refused together.

Each input becomes columns, which `encode_column` judges. An error names a problem `<row>.<Field>` (rows from
0), `<row>`, `<column>`, or "" for the whole batch.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, filterfalse, islice
from typing import Any

import numpy as np

from serve.contract.columns import encode_cells, encode_column, encode_monitored
from serve.contract.contract import LONGEST_NAME, MOST_FIELDS_NAMED, Contract
from serve.contract.csv_cells import read_blocks
from serve.contract.fault import Fault
from serve.contract.feature import Feature
from serve.contract.numbers import count
from serve.errors import ApplicationError

Problem = tuple[int, int, str, Fault]  # row, rank within the row, field, fault
Monitored = dict[str, np.ndarray]  # (n,) float64 of each monitored feature, NaN where a row has none
Judge = Callable[[Feature, Sequence[Any]], tuple[np.ndarray, dict[int, Fault]]]
BLOCK_ROWS = 4096  # that are encoded in one go; between two blocks other threads run
MOST_PROBLEMS = 10_000  # then the rest of a batch is not judged, so that a refusal costs no more than an answer
_WHOLE = -1  # the row of a problem that concerns no single row


def encode_records(contract: Contract, records: object, monitored: Monitored | None = None) -> np.ndarray:
    """Return (n, F) float64 for a list of applications; absent is null. Raises ApplicationError.

    monitored: receives the monitored features that are present; so it does below.
    """
    if not isinstance(records, list):
        raise ApplicationError({"": "not a list, expected a list of applications"})
    batch = _Batch(contract, monitored)
    fault = Fault("not an object", "the features of one application")
    for start in range(0, len(records), BLOCK_ROWS):
        block = records[start : start + BLOCK_ROWS]
        columns = _even_columns(contract, block)
        if columns is not None:
            batch.encode(columns, range(start, start + len(block)))
        else:
            rows = [row for row, record in enumerate(block, start) if isinstance(record, Mapping)]
            objects = [records[row] for row in rows]
            batch.add((row, 0, "", fault) for row, record in enumerate(block, start) if not isinstance(record, Mapping))
            batch.add(_unknown_fields(contract, rows, objects))
            batch.encode({f.name: [record.get(f.name) for record in objects] for f in contract.features}, rows)
        if batch.is_hopeless:
            break
    return batch.finish()


def encode_columns(contract: Contract, columns: object, monitored: Monitored | None = None) -> np.ndarray:
    """Return (n, F) float64 for an object of equally long lists, one a feature. Raises ApplicationError.

    An absent list is missing in each row; so is an absent column of a CSV below.
    """
    if not isinstance(columns, Mapping):
        raise ApplicationError({"": "not an object, expected a list of values for each feature"})
    batch = _Batch(contract, monitored)
    batch.add(_header_problems(contract, columns))
    known = {feature.name: columns[feature.name] for feature in contract.features if feature.name in columns}
    lists = {name: values for name, values in known.items() if isinstance(values, list)}
    fault = Fault("not a list", "a list with a value for each row")
    batch.add((_WHOLE, 0, name, fault) for name in known if name not in lists)
    first, n = next(((name, len(values)) for name, values in lists.items()), ("", 0))
    lengths = {name: len(values) for name, values in lists.items() if len(values) != n}
    batch.add((_WHOLE, 0, name, Fault(f"{k} values", f"{n} as in {first}", "uneven")) for name, k in lengths.items())
    even = {name: values for name, values in lists.items() if name not in lengths}
    for start in range(0, n, BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        batch.encode({name: values[part] for name, values in even.items()}, range(n)[part])
        if batch.is_hopeless:
            break
    return batch.finish()


def encode_csv(contract: Contract, body: bytes, monitored: Monitored | None = None) -> np.ndarray:
    """Return (n, F) float64 for a CSV as `read_cells` reads it: a column for each feature, in any order, and an empty
    cell for a missing value. A file of past applications may keep its target. Raises ApplicationError.
    """
    batch = _Batch(contract, monitored)
    blocks = read_blocks(body)
    header = next(blocks).header
    batch.add(_header_problems(contract, header))
    names, expected = Counter(header), str(len(header))
    for table in blocks if len(header) <= len(contract.features) + MOST_FIELDS_NAMED else ():
        batch.add((row, 0, "", Fault(count(width, "cell"), expected, "uneven")) for row, width in table.uneven.items())
        cells = {name: column for name, column in zip(header, table.columns, strict=True) if names[name] == 1}
        cells |= count_cells(contract, cells)
        cells |= {f.name: list(map(f.parse, cells[f.name])) for f in contract.monitored if f.name in cells}
        batch.encode(cells, table.rows, encode_cells)
        if batch.is_hopeless:
            break
    return batch.finish()


class _Batch:
    """The encoding of one batch, and its problems: the first of them named, up to MOST_PROBLEMS counted."""

    def __init__(self, contract: Contract, monitored: Monitored | None) -> None:
        self._contract = contract
        self._monitored = {} if monitored is None else monitored
        self._parts: list[tuple[np.ndarray, Monitored]] = []  # of each block of rows
        self._first: list[Problem] = []
        self._counts: Counter[tuple[str, str]] = Counter()  # by field and kind

    @property
    def is_hopeless(self) -> bool:
        """Whether there are so many problems that the rest of the batch is not judged."""
        return self._counts.total() >= MOST_PROBLEMS

    def add(self, problems: Iterable[Problem]) -> None:
        """Add problems in the order of rows."""
        rest = islice(problems, MOST_PROBLEMS - self._counts.total())
        first = list(islice(rest, MOST_FIELDS_NAMED))
        self._first += first
        self._counts.update(self._contract.describe_fault(name, fault) for _, _, name, fault in chain(first, rest))

    def encode(self, columns: Mapping[str, Sequence[Any]], rows: Sequence[int], judge: Judge = encode_column) -> None:
        """Encode a block of rows.

        rows: the number in the batch of each row of the columns.   judge: encodes the column of a scored feature.
        """
        columns = self._contract.count_days(columns)
        X = np.full((len(rows), len(self._contract.scored)), np.nan)
        monitored: Monitored = {}
        position = {feature.name: column for column, feature in enumerate(self._contract.scored)}
        for rank, feature in enumerate(self._contract.features):
            values = columns.get(feature.name)
            if values is None:
                continue
            if feature.scored:
                X[:, position[feature.name]], faults = judge(feature, values)
            else:
                monitored[feature.name], faults = encode_monitored(feature, values)
            self.add((rows[row], rank, feature.name, fault) for row, fault in faults.items())
        self._parts.append((X, monitored))

    def finish(self) -> np.ndarray:
        """Return (n, F) float64. Raises ApplicationError with the problems."""
        if self._counts:
            raise ApplicationError(self._describe_problems(), self._counts)
        X = np.concatenate([X for X, _ in self._parts] or [np.empty((0, 1))])
        if not len(X):
            raise ApplicationError({"": "no rows, expected at least one application"})
        for name in dict.fromkeys(chain.from_iterable(monitored for _, monitored in self._parts)):
            parts = [monitored.get(name, np.full(len(X), np.nan)) for X, monitored in self._parts]
            self._monitored[name] = np.concatenate(parts)
        return X

    def _describe_problems(self) -> dict[str, str]:
        fields = {}
        for row, _, name, fault in sorted(self._first, key=lambda problem: problem[:2])[:MOST_FIELDS_NAMED]:
            place = name if row == _WHOLE else f"{row}.{name}" if name else str(row)
            fields[place] = str(fault)
        more = self._counts.total() - len(fields)
        least = "at least " if self.is_hopeless else ""
        return fields | ({"...": f"and {least}{more} more"} if more else {})


def count_cells(contract: Contract, cells: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return the columns of cells that `Contract.count_days` changes, as cells."""
    dates = {name for feature in contract.counted for name in (feature.name, feature.reference)}
    columns = {name: [cell.strip() for cell in cells[name]] for name in dates if name in cells}
    days = contract.count_days(columns)
    return {feature.name: list(map(str, days[feature.name])) for feature in contract.counted if feature.name in days}


def _even_columns(contract: Contract, records: list[Any]) -> dict[str, list[Any]] | None:
    """Return the columns of objects that all have the fields of the first, in its order; None of any others."""
    if set(map(type, records)) != {dict}:
        return None
    names = list(records[0])
    is_known = names and {feature.name for feature in contract.features}.issuperset(names)
    if not is_known or list(chain.from_iterable(records)) != names * len(records):
        return None
    values = list(chain.from_iterable(map(dict.values, records)))
    columns = {name: values[start :: len(names)] for start, name in enumerate(names)}
    return {feature.name: [None] * len(records) for feature in contract.scored} | columns


def _unknown_fields(contract: Contract, rows: Sequence[int], objects: list[Mapping[str, Any]]) -> Iterator[Problem]:
    known = {feature.name for feature in contract.features}
    for row, record in zip(rows, objects, strict=True):
        for name in filterfalse(known.__contains__, record):
            yield row, len(known), name[:LONGEST_NAME], contract.judge_name(name)


def _header_problems(contract: Contract, header: Collection[str]) -> Iterator[Problem]:
    times = Counter(header) if isinstance(header, list) else {}  # an object has each name once
    names: Collection[str] = times or header
    known = {feature.name for feature in contract.features} | ({contract.target.name} if times else set())
    for feature in contract.scored:
        if feature.name not in names and not feature.missing:
            yield _WHOLE, 0, feature.name, Fault("missing column", f"{feature.expected} in each row")
    for name in names:
        if name not in known:
            yield _WHOLE, 1, name[:LONGEST_NAME], contract.judge_name(name, "column")
        elif times.get(name, 1) > 1:
            yield _WHOLE, 1, name, Fault("stands twice in the header", category="repeated column")

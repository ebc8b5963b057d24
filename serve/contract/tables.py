"""Many applications at once: JSON records, JSON columns or CSV, encoded or refused as one.

Every way in ends in columns, a sequence of values a feature, and `Feature.encode_column` is the judge of each. An error
names a problem `<row>.<Field>` (rows from 0), `<row>`, `<column>`, or "" for the whole.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

import numpy as np

from serve.contract.contract import MOST_FIELDS_NAMED, Contract
from serve.contract.csv_cells import read_cells
from serve.contract.feature import Fault, Feature
from serve.errors import ApplicationError

LONGEST_NAME = 60  # characters of a caller's field that an error repeats
Problem = tuple[int, int, str, Fault]  # row, rank within the row, field, what is wrong
Monitored = dict[str, np.ndarray]  # (n,) float64 a monitored feature, NaN where a row has none
_WHOLE = -1  # the row of a problem that is of no row


def encode_records(contract: Contract, records: object, monitored: Monitored | None = None) -> np.ndarray:
    """Return (n, F) float64 for a list of applications; absent is null. Raises ApplicationError.

    monitored: takes the monitored features that were given, here and below.
    """
    if not isinstance(records, list):
        raise ApplicationError({"": "not a list, expected a list of applications"})
    problems = _Problems(contract)
    columns = _even_columns(contract, records)
    if columns is not None:
        return _encode(contract, columns, range(len(records)), problems, monitored=monitored)
    rows = [row for row, record in enumerate(records) if isinstance(record, Mapping)]
    objects = [records[row] for row in rows]
    fault = Fault("not an object", "the features of one application")
    problems.add((row, 0, "", fault) for row, record in enumerate(records) if not isinstance(record, Mapping))
    problems.add(_unknown_fields(contract, rows, objects))
    columns = {feature.name: [record.get(feature.name) for record in objects] for feature in contract.features}
    return _encode(contract, columns, rows, problems, monitored=monitored)


def encode_columns(contract: Contract, columns: object, monitored: Monitored | None = None) -> np.ndarray:
    """Return (n, F) float64 for an object of equally long lists, one a scored feature. Raises ApplicationError."""
    if not isinstance(columns, Mapping):
        raise ApplicationError({"": "not an object, expected a list of values for each feature"})
    problems = _Problems(contract)
    problems.add(_header_problems(contract, columns))
    known = {feature.name: columns[feature.name] for feature in contract.features if feature.name in columns}
    lists = {name: values for name, values in known.items() if isinstance(values, list)}
    fault = Fault("not a list", "a list with a value for each row")
    problems.add((_WHOLE, 0, name, fault) for name in known if name not in lists)
    first, n = next(((name, len(values)) for name, values in lists.items()), ("", 0))
    even = {name: values for name, values in lists.items() if len(values) == n}
    uneven = ((name, f"{len(values)} values") for name, values in lists.items() if name not in even)
    problems.add((_WHOLE, 0, name, Fault(kind, f"{n} as in {first}", "uneven")) for name, kind in uneven)
    return _encode(contract, even, range(n), problems, monitored=monitored)


def encode_csv(contract: Contract, body: bytes, monitored: Monitored | None = None) -> np.ndarray:
    """Return (n, F) float64 for a CSV: UTF-8, a header with a column for each scored feature in any order, quotes as
    in RFC 4180, an empty cell for a missing value. A byte-order mark is accepted: spreadsheets write one. Raises
    ApplicationError.
    """
    table = read_cells(body)
    problems = _Problems(contract)
    expected = str(len(table.header))
    problems.add((row, 0, "", Fault(f"{width} cells", expected, "uneven")) for row, width in table.uneven.items())
    problems.add(_header_problems(contract, table.header))
    names = Counter(table.header)
    cells = {name: column for name, column in zip(table.header, table.columns, strict=True) if names[name] == 1}
    cells |= {f.name: list(map(f.parse, cells[f.name])) for f in contract.monitored if f.name in cells}
    return _encode(contract, cells, table.rows, problems, Feature.encode_cells, monitored)


def fill_absent(contract: Contract, columns: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """Return the columns and, for a scored feature that may be missing and has none, a column of nulls."""
    return {feature.name: [None] * rows for feature in contract.scored if feature.missing} | dict(columns)


class _Problems:
    """What is wrong with a batch: all of it counted, the first of it named."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._first: list[Problem] = []
        self._counts: Counter[tuple[str, str]] = Counter()  # by field and kind

    def add(self, problems: Iterable[Problem]) -> None:
        """Take problems of rising rows."""
        rest = iter(problems)
        first = list(islice(rest, MOST_FIELDS_NAMED))
        self._first += first
        self._counts.update(self._contract.describe_fault(name, fault) for _, _, name, fault in chain(first, rest))

    def check(self) -> None:
        """Raise ApplicationError if there are any."""
        if not self._counts:
            return
        first = sorted(self._first, key=lambda problem: problem[:2])[:MOST_FIELDS_NAMED]
        fields = {_place(row, name): str(fault) for row, _, name, fault in first}
        more = self._counts.total() - len(fields)
        raise ApplicationError(fields | ({"...": f"and {more} more"} if more else {}), self._counts)


def _place(row: int, name: str) -> str:
    return ".".join(part for part in ("" if row == _WHOLE else str(row), name) if part)


def _encode(
    contract: Contract,
    columns: Mapping[str, Sequence[Any]],
    rows: Sequence[int],
    problems: _Problems,
    encode: Callable[[Feature, Sequence[Any]], tuple[np.ndarray, dict[int, Fault]]] = Feature.encode_column,
    monitored: Monitored | None = None,
) -> np.ndarray:
    """Return (n, F) float64 of the columns there are. Raises ApplicationError.

    rows: the number in the batch of each row in the columns.   encode: how a scored feature's column is judged.
    """
    X = np.full((len(rows), len(contract.scored)), np.nan)
    scored = {feature.name: column for column, feature in enumerate(contract.scored)}
    for rank, feature in enumerate(contract.features):
        values = columns.get(feature.name)
        if values is None:
            continue
        if feature.scored:
            X[:, scored[feature.name]], faults = encode(feature, values)
        else:
            numbers, faults = _encode_monitored(feature, values)
            if monitored is not None:
                monitored[feature.name] = numbers
        problems.add((rows[row], rank, feature.name, fault) for row, fault in faults.items())
    problems.check()
    if not len(X):
        raise ApplicationError({"": "no rows, expected at least one application"})
    return X


def _encode_monitored(feature: Feature, values: Sequence[Any]) -> tuple[np.ndarray, dict[int, Fault]]:
    given = [row for row, value in enumerate(values) if value is not None]  # absent means unknown
    numbers = np.full(len(values), np.nan)
    numbers[given], faults = feature.encode_column([values[row] for row in given])
    return numbers, {given[row]: fault for row, fault in faults.items()}


def _even_columns(contract: Contract, records: list[Any]) -> dict[str, list[Any]] | None:
    """Return the columns of objects that all have the fields of the first, in its order; None of any others."""
    if set(map(type, records)) != {dict}:
        return None
    names = list(records[0])
    if not names or not {feature.name for feature in contract.features}.issuperset(names):
        return None
    if list(chain.from_iterable(records)) != names * len(records):
        return None
    values = list(chain.from_iterable(map(dict.values, records)))
    columns = {name: values[start :: len(names)] for start, name in enumerate(names)}
    return {feature.name: [None] * len(records) for feature in contract.scored} | columns


def _unknown_fields(contract: Contract, rows: Sequence[int], objects: list[Mapping[str, Any]]) -> Iterator[Problem]:
    known = {feature.name for feature in contract.features}
    for row, record in zip(rows, objects, strict=True):
        if not known.issuperset(record):
            unknown = [name for name in record if name not in known]
            yield from ((row, len(known), name[:LONGEST_NAME], contract.judge_name(name)) for name in unknown)


def _header_problems(contract: Contract, header: Iterable[str]) -> Iterator[Problem]:
    names = Counter(iter(header))
    known = {feature.name for feature in contract.features}
    for feature in contract.scored:
        if feature.name not in names:
            yield _WHOLE, 0, feature.name, Fault("missing column", f"{feature.expected} in each row")
    for name, times in names.items():
        if name not in known:
            yield _WHOLE, 1, name[:LONGEST_NAME], contract.judge_name(name, "column")
        elif times > 1:
            yield _WHOLE, 1, name, Fault("stands twice in the header", category="repeated column")

"""What a contract refuses of a file: counted by column and rule, named by line, never by value."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serve.contract.fault import Fault

LONGEST_NAME = 60  # characters of a column's name, which may be anything in the file's first line
_LIMITS = re.compile(r"(?<=number from )-?\d\S* to -?\d\S*")
_THOUSANDS = re.compile(r"(?<![\d.])\d{4,}")  # not among the digits behind the point
ROWS = "rows"  # stands for the column where a row as a whole breaks a rule


@dataclass(frozen=True)
class Broken:
    """A rule that a column breaks. lines: of the rows that do, in the file; () where the column as a whole does."""

    column: str
    rule: str
    lines: Sequence[int] = ()


@dataclass(frozen=True)
class Refused:
    """What a contract refused of a file. rows: all of the file's, below the header."""

    rows: int
    broken: Sequence[Broken]

    def count(self) -> int:
        """Return how many rows break the contract in some cell."""
        return len({line for each in self.broken for line in each.lines})

    def table(self) -> list[dict[str, object]]:
        """Return a row for each column and rule, the most rows first; no values.

        rows: how many, None for a fault of the whole column.   share: of all rows.
        """
        found = sorted(self.broken, key=lambda each: -(len(each.lines) or self.rows))
        counts = [(each, len(each.lines) or None) for each in found]
        return [
            {"column": each.column, "rule": each.rule, "rows": n, "share": n and n / self.rows} for each, n in counts
        ]

    def describe(self) -> str:
        """Return in words how many rows and columns the contract refused."""
        columns = len({each.column for each in self.broken if not each.lines})
        rows = f"{n:,} of {self.rows:,} rows" if (n := self.count()) else f"None of the {self.rows:,} rows"
        also = f", and {columns} column{'' if columns == 1 else 's'} as a whole" if columns else ""
        return f"{rows} {'breaks' if n in (0, 1) else 'break'} the contract{also}."


def break_columns(problems: Sequence[tuple[str, str]]) -> list[Broken]:
    """Return the columns that break the contract as a whole, of `header_problems`."""
    return [Broken(name[:LONGEST_NAME], f"the column {problem}") for name, problem in problems]


def break_rules(column: str, faults: Mapping[int, Fault]) -> list[Broken]:
    """Return each kind of fault in a column's cells. faults: by the line of the row."""
    by_kind: dict[str, list[int]] = {}
    for line, fault in faults.items():
        by_kind.setdefault(fault.kind, []).append(line)
    rules = {kind: f"{kind}, expected {_separate(faults[lines[0]].expected)}" for kind, lines in by_kind.items()}
    return [Broken(column, rules[kind], lines) for kind, lines in by_kind.items()]


def _separate(expected: str) -> str:
    """Return a feature's `expected` with thousands separated, which an error's text over HTTP leaves out."""
    return _LIMITS.sub(lambda limits: _THOUSANDS.sub(lambda digits: f"{int(digits[0]):,}", limits[0]), expected)


def break_widths(widths: Mapping[int, int], expected: int) -> list[Broken]:
    """Return the rows that have another number of cells than the header. widths: by the line of the row."""
    lines = [line for line, width in widths.items() if width != expected]
    return [Broken(ROWS, f"expected {expected} cells a row as in the header", lines)] if lines else []

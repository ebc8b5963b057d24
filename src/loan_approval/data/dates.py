"""Dates as people write them into tables: how a column writes them, and the same dates as YYYY-MM-DD.

A notation is written with YYYY, MM, DD and Mon, the name of a month; without a day it means the first of the month.
"YY from 1930" is a year of two digits: 30 to 99 are 1930 to 1999, 00 to 29 are 2000 to 2029.
"""

import re
import unicodedata
from collections.abc import Collection, Sequence
from datetime import date
from functools import cache

ISO = "YYYY-MM-DD"
FIRST_YEAR = " from 1930"  # as spreadsheets read years of two digits
NOTATIONS = (
    *(ISO, "YYYY/MM/DD", "YYYY.MM.DD", "DD/MM/YYYY", "MM/DD/YYYY", "DD-MM-YYYY", "MM-DD-YYYY", "DD.MM.YYYY"),
    *("DD-Mon-YYYY", "DD/Mon/YYYY", "DD Mon YYYY", "DD. Mon YYYY", "Mon DD, YYYY", "Mon DD YYYY"),
    *("YYYY-MM", "YYYY/MM", "MM/YYYY", "MM-YYYY", "Mon-YYYY", "Mon YYYY", "Mon/YYYY"),
    *(f"{day}/{month}/YY{FIRST_YEAR}" for day, month in (["DD", "MM"], ["MM", "DD"], ["DD", "Mon"])),
    *(f"{day}-{month}-YY{FIRST_YEAR}" for day, month in (["DD", "MM"], ["MM", "DD"], ["DD", "Mon"])),
    *(f"DD.MM.YY{FIRST_YEAR}", f"DD Mon YY{FIRST_YEAR}", f"Mon-YY{FIRST_YEAR}"),
)
_TOKENS = {
    "YYYY": r"(?P<year>\d{4})",
    "YY": r"(?P<short>\d{2})",
    "MM": r"(?P<month>\d{1,2})",
    "DD": r"(?P<day>\d{1,2})",
    "Mon": r"(?P<name>[^\W\d_]{3,12})\.?",
}
_TIME = r"(?:[T ]\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?[AaPp][Mm])?(?:Z|[+-]\d\d:?\d\d)?)?"
# English, Portuguese, German and Spanish, by their first three letters without accents.
_MONTHS = ("jan ene", "feb fev", "mar", "apr abr", "may mai", "jun", "jul", "aug ago", "sep set", "oct okt out", "nov")
_MONTHS += ("dec dez dic",)
_NUMBER_OF = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}


def read_as(cell: str, notation: str) -> str | None:
    """Return a cell's date as YYYY-MM-DD, without its time of day; None when it is no date of this notation."""
    written, _, first = notation.partition(" from ")
    found = _pattern(written).fullmatch(cell)
    if found is None:
        return None
    parts = found.groupdict()
    if first:
        parts["year"] = int(first) + (int(parts["short"]) - int(first)) % 100
    if (name := parts.get("name")) is not None:
        plain = unicodedata.normalize("NFKD", name.casefold())
        parts["month"] = _NUMBER_OF.get("".join(c for c in plain if not unicodedata.combining(c))[:3], 0)
    try:
        return date(int(parts["year"]), int(parts["month"]), int(parts.get("day") or 1)).isoformat()
    except ValueError:
        return None


def find_notations(cells: Collection[str]) -> list[str]:
    """Return the notations in which each cell is a date: none, one, or two: with the day and with the month first."""
    return [notation for notation in NOTATIONS if cells and all(read_as(cell, notation) for cell in cells)]


def read_column(cells: Sequence[str], notation: str) -> list[str]:
    """Return a column with its dates as YYYY-MM-DD. A cell that is none stays as it is, and so does such a date."""
    read = {cell: read_as(cell, notation) or read_as(cell, ISO) or cell for cell in set(cells)}
    return [read[cell] for cell in cells]


def is_notation(text: str) -> bool:
    """Return whether a text is a notation: a year and a month, each once; for YY, with the first year it can mean."""
    written, _, first = text.partition(" from ")
    tokens = re.findall("|".join(_TOKENS), written)
    year = "YY" if re.fullmatch("[0-9]{4}", first) else "YYYY"
    times = [sum(token in each for token in tokens) for each in (["YYYY", "YY"], ["MM", "Mon"], ["DD"])]
    return year in tokens and times[:2] == [1, 1] and times[2] <= 1


@cache
def _pattern(notation: str) -> re.Pattern[str]:
    tokens = re.split(f"({'|'.join(_TOKENS)})", notation)
    return re.compile(
        "".join(_TOKENS.get(token, re.escape(token)) for token in tokens) + _TIME, re.ASCII | re.IGNORECASE
    )

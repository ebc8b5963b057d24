"""Dates as people write them into tables: how a column writes them, and the same dates as YYYY-MM-DD.

A notation is written with YYYY, MM, DD and Mon, the name of a month; without a day it means the first of the month.
Its year may have two digits, YY, where the owner says which hundred years they are of: "DD/MM/YY from 1930".
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import date
from functools import cache

ISO = "YYYY-MM-DD"
NOTATIONS = (
    *(ISO, "YYYY/MM/DD", "YYYY.MM.DD", "DD/MM/YYYY", "MM/DD/YYYY", "DD-MM-YYYY", "MM-DD-YYYY", "DD.MM.YYYY"),
    *("DD-Mon-YYYY", "DD/Mon/YYYY", "DD Mon YYYY", "DD. Mon YYYY", "DD de Mon de YYYY", "Mon DD, YYYY", "Mon DD YYYY"),
    *("YYYY-MM", "YYYY/MM", "MM/YYYY", "MM-YYYY", "Mon-YYYY", "Mon YYYY", "Mon/YYYY"),
)
FROM = " from "
_TOKENS = {
    "YYYY": r"(?P<year>\d{4})",
    "YY": r"(?P<short>\d{2})",
    "MM": r"(?P<month>\d{1,2})",
    "DD": r"(?P<day>\d{1,2})",
    "Mon": r"(?P<name>(?u:[^\W\d_]{3,12}))\.?",
}
SHORT = tuple(f"{notation.replace('YYYY', 'YY')}{FROM}1930" for notation in NOTATIONS)  # of 1930 to 2029
COMPACT = ("YYYYMMDD", "YYYYMM")  # amounts are written so too
_TIME = r"(?:[T ]\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?[AaPp][Mm])?(?:Z|[+-]\d\d:?\d\d)?)?"
# English, Portuguese, German, Spanish, French and Italian, by their first letters without accents.
_MONTHS = ("jan ene gen", "feb fev", "mar", "apr abr avr", "may mai mag", "jun juin giu", "jul juil lug", "aug ago aou")
_MONTHS += ("sep set", "oct okt out ott", "nov", "dec dez dic")
_NUMBER_OF = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}


def read_as(cell: str, notation: str) -> str | None:
    """Return a cell's date as YYYY-MM-DD, without its time of day; None when it is no date of this notation."""
    found = _pattern(notation).fullmatch(cell)
    if found is None:
        return None
    parts = found.groupdict()
    if (name := parts.get("name")) is not None:
        plain = unicodedata.normalize("NFKD", name.casefold())
        letters = "".join(c for c in plain if not unicodedata.combining(c))
        parts["month"] = _NUMBER_OF.get(letters[:4]) or _NUMBER_OF.get(letters[:3], 0)
    if short := parts.get("short"):
        first = int(notation.partition(FROM)[2])
        parts["year"] = first + (int(short) - first) % 100
    try:
        return date(int(parts["year"]), int(parts["month"]), int(parts.get("day") or 1)).isoformat()
    except ValueError:
        return None


def find_notations(cells: Collection[str], notations: Sequence[str] = NOTATIONS) -> list[str]:
    """Return the notations in which each cell is a date: none, one, or two: with the day and with the month first."""
    return [notation for notation in notations if cells and all(read_as(cell, notation) for cell in cells)]


def read_column(cells: Sequence[str], notation: str) -> list[str]:
    """Return a column with its dates as YYYY-MM-DD. A cell that is none stays as it is, and so does such a date."""
    read = {cell: read_as(cell, notation) or read_as(cell, ISO) or cell for cell in set(cells)}
    return [read[cell] for cell in cells]


def is_notation(text: str) -> bool:
    """Return whether a text is a notation: a year and a month, each once."""
    written, _, first = text.partition(FROM)
    times = Counter(_cut(written))
    is_year = times["YYYY" if not first else "YY"] == times["YYYY"] + times["YY"] == 1
    is_first = not first or bool(re.fullmatch(r"\d{4}", first, re.ASCII))
    return is_year and is_first and times["MM"] + times["Mon"] == 1 and times["DD"] <= 1


def _cut(notation: str) -> list[str]:
    return re.split(f"({'|'.join(_TOKENS)})", notation.partition(FROM)[0])


@cache
def _pattern(notation: str) -> re.Pattern[str]:
    pattern = "".join(_TOKENS.get(token, re.escape(token)) for token in _cut(notation))
    if notation in COMPACT:  # without a sign between them, each number has all its digits
        pattern = pattern.replace("1,2", "2")
    return re.compile(pattern + _TIME, re.ASCII | re.IGNORECASE)

"""Dates as people write them into tables: how a column writes them, and the same dates as YYYY-MM-DD.

A notation is written with YYYY, MM, DD and Mon, the name of a month; without a day it means the first of the month. One
with YY says which hundred years it means: `DD/MM/YY, years 1927 to 2026`.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from functools import cache
from itertools import pairwise

ISO = "YYYY-MM-DD"
NOTATIONS = (
    *(ISO, "YYYY/MM/DD", "YYYY.MM.DD", "DD/MM/YYYY", "MM/DD/YYYY", "DD-MM-YYYY", "MM-DD-YYYY", "DD.MM.YYYY"),
    *("DD-Mon-YYYY", "DD/Mon/YYYY", "DD Mon YYYY", "DD. Mon YYYY", "Mon DD, YYYY", "Mon DD YYYY"),
    *("YYYY-MM", "YYYY/MM", "MM/YYYY", "MM-YYYY", "Mon-YYYY", "Mon YYYY", "Mon/YYYY"),
)
_SHORT = ("DD/MM/YY", "MM/DD/YY", "DD-MM-YY", "MM-DD-YY", "DD.MM.YY", "YY-MM-DD", "YY/MM/DD")
_SHORT += ("DD-Mon-YY", "DD/Mon/YY", "DD Mon YY", "Mon-YY", "Mon YY", "Mon/YY")
_COMPACT = ("YYYYMMDD", "YYYYMM")  # amounts are written so too
FEWEST_COMPACT = 10  # different dates without a separator, all of 1900 to 2099
YEARS = ", years "
_TOKENS = {
    "YYYY": r"(?P<year>\d{4})",
    "YY": r"(?P<short>\d{2})",
    "MM": r"(?P<month>\d{1,2})",
    "DD": r"(?P<day>\d{1,2})",
    "Mon": r"(?P<name>(?u:[^\W\d_]{3,12}))\.?",
}
_PARTS = [["DD", "MM", "YYYY"], ["DD", "Mon", "YYYY"], ["MM", "YYYY"], ["Mon", "YYYY"]]
_SHORT_PARTS = [[*parts[:-1], "YY"] for parts in _PARTS]
_TIME = r"(?:[T ]\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?[AaPp][Mm])?(?:Z|[+-]\d\d:?\d\d)?)?"
# How names of months begin, without accents, in the languages of `protected.toml`, Dutch, Polish and Turkish.
_MONTHS = ("jan ene gen sty oca", "feb fev lut sub", "mar mrt maa", "apr abr avr kwi nis", "may mai mag mei maj")
_MONTHS += (
    "jun jui giu cze haz",
    "jul juil lug lip tem",
    "aug ago aou sie agu",
    "sep set wrz eyl",
    "oct okt out ott paz eki",
)
_MONTHS += ("nov lis kas", "dec dez dic gru ara")
_NUMBER_OF = {start: number for number, starts in enumerate(_MONTHS, 1) for start in starts.split()}


def read_as(cell: str, notation: str) -> str | None:
    """Return a cell's date as YYYY-MM-DD, without its time of day; None when it is no date of this notation."""
    found = _pattern(notation).fullmatch(cell)
    if found is None:
        return None
    parts = found.groupdict()
    if (name := parts.get("name")) is not None:
        plain = unicodedata.normalize("NFKD", name.casefold())
        plain = "".join(c for c in plain if not unicodedata.combining(c))
        parts["month"] = _NUMBER_OF.get(plain[:4], _NUMBER_OF.get(plain[:3], 0))
    year = int(parts.get("year") or 0)
    if short := parts.get("short"):
        first = int(notation.partition(YEARS)[2][:4])
        year = first + (int(short) - first) % 100
    try:
        return date(year, int(parts["month"]), int(parts.get("day") or 1)).isoformat()
    except ValueError:
        return None


def find_notations(cells: Collection[str]) -> list[str]:
    """Return the notations in which each cell is a date: none, one, or two: with the day and with the month first.

    Years of two digits are taken for the hundred that end this year where that leaves no larger gap between two dates.
    """
    found = _suiting(NOTATIONS, cells)
    if not found and len(set(cells)) >= FEWEST_COMPACT:
        found = [each for each in _suiting(_COMPACT, cells) if all("1900" <= cell[:4] < "2100" for cell in cells)]
    if found:
        return found
    found = _suiting(_short_notations(), cells)
    is_clear = len(found) == 1 or {notation[:2] for notation in found} == {"DD", "MM"}
    if not is_clear:
        return []
    years = sorted({int((read_as(cell, found[0]) or "")[:4]) for cell in cells})
    gaps = [later - earlier for earlier, later in pairwise(years)]
    return found if max(gaps, default=0) <= 100 - (years[-1] - years[0]) else []


def _suiting(notations: Iterable[str], cells: Collection[str]) -> list[str]:
    return [notation for notation in notations if cells and all(read_as(cell, notation) for cell in cells)]


def _short_notations() -> list[str]:
    this = date.today().year
    return [f"{notation}{YEARS}{this - 99} to {this}" for notation in _SHORT]


def is_date(cell: str) -> bool:
    """Return whether a cell holds a date or a month of a year, in any notation with separators."""
    return any(read_as(cell, notation) for notation in (*NOTATIONS, *_short_notations()))


def read_column(cells: Sequence[str], notation: str) -> list[str]:
    """Return a column with its dates as YYYY-MM-DD. A cell that is none stays as it is, and so does such a date."""
    read = {cell: read_as(cell, notation) or read_as(cell, ISO) or cell for cell in set(cells)}
    return [read[cell] for cell in cells]


def is_notation(text: str) -> bool:
    """Return whether a text is a notation: a year and a month, each once, and the years that YY means."""
    written, _, years = text.partition(YEARS)
    tokens = sorted(token for token in _cut(written) if token in _TOKENS)
    span = re.fullmatch(r"(\d{4}) to (\d{4})", years, re.ASCII)
    if "YY" in tokens:
        return tokens in _SHORT_PARTS and bool(span) and int(span[2]) - int(span[1]) == 99
    return tokens in _PARTS and not years


def _cut(notation: str) -> list[str]:
    return re.split(f"({'|'.join(_TOKENS)})", notation)


@cache
def _pattern(notation: str) -> re.Pattern[str]:
    parts = (_TOKENS.get(token, re.escape(token)) for token in _cut(notation.partition(YEARS)[0]))
    # Without a separator each number has all its digits.
    pattern = "".join(parts).replace("{1,2}", "{2}" if notation in _COMPACT else "{1,2}")
    return re.compile(pattern + _TIME, re.ASCII | re.IGNORECASE)

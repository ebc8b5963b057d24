"""Dates as numbers: the days since a fixed date or another column's, or a part of the date; never since today."""

import re
from collections.abc import Sequence
from datetime import date, timedelta

PARTS = {"days": None, "year": None, "month": (1, 12), "weekday": (1, 7)}  # what `as` may say, and its limits if fixed
_WRITTEN = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def read_date(text: object) -> date:
    """Return the date of a text YYYY-MM-DD. Raises ValueError for any other value, and for a day that never was."""
    if not isinstance(text, str) or not _WRITTEN.fullmatch(text):
        raise ValueError("expected YYYY-MM-DD")
    return date.fromisoformat(text)


def is_date(text: object) -> bool:
    """Return whether a value is a text that `read_date` takes."""
    try:
        return bool(read_date(text))
    except ValueError:
        return False


def count_days(value: object, since: object) -> object:
    """Return the days from one date to the value; the value itself where one of the two is no date."""
    return (read_date(value) - read_date(since)).days if is_date(value) and is_date(since) else value


class Dates:
    """The dates of one feature and their numbers."""

    def __init__(self, days: Sequence[str], part: str, since: str) -> None:
        """days: the first and the last date.   part: a key of `PARTS`.   since: the date that has 0 days."""
        self._first, self._last = map(read_date, days)
        self._part, self._since = part, read_date(since)

    @property
    def limits(self) -> tuple[int, int]:
        """The least and the largest number."""
        return PARTS[self._part] or (self._number(self._first), self._number(self._last))

    def encode(self, text: object) -> float:
        """Return the number of a text YYYY-MM-DD. Raises ValueError that names the kind of fault."""
        if not is_date(text):
            raise ValueError("not a date")
        day = read_date(text)
        if not self._first <= day <= self._last:
            raise ValueError("out of range")
        return float(self._number(day))

    def decode(self, number: float) -> str:
        """Return as YYYY-MM-DD the date that is so many days after the one with 0 days."""
        return (self._since + timedelta(days=int(number))).isoformat()

    def _number(self, day: date) -> int:
        """Return a date's days, or its year, month (1 to 12) or weekday (1 = Monday to 7)."""
        if self._part == "days":
            return (day - self._since).days
        return day.isoweekday() if self._part == "weekday" else int(getattr(day, self._part))

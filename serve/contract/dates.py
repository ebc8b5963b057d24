"""Dates as numbers: the days since a fixed date, or a part of the date. Nothing depends on today."""

import re
from datetime import date, timedelta

PARTS = {"days": None, "year": None, "month": (1, 12), "weekday": (1, 7)}  # what `as` may say, and its limits if fixed
_WRITTEN = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def read_date(text: object) -> date:
    """Return the date of a text YYYY-MM-DD. Raises ValueError for any other value, and for a day that never was."""
    if not isinstance(text, str) or not _WRITTEN.fullmatch(text):
        raise ValueError("expected YYYY-MM-DD")
    return date.fromisoformat(text)


def number_of(day: date, part: str, since: date) -> int:
    """Return a date's days since another, or its year, month (1 to 12) or weekday (1 = Monday to 7)."""
    if part == "days":
        return (day - since).days
    return day.isoweekday() if part == "weekday" else int(getattr(day, part))


def write_days(number: float, since: date) -> str:
    """Return as YYYY-MM-DD the date that is so many days after another."""
    return (since + timedelta(days=int(number))).isoformat()


def limits_of(low: date, high: date, part: str, since: date) -> tuple[int, int]:
    """Return the least and the largest number of the dates from one to another."""
    return PARTS[part] or (number_of(low, part, since), number_of(high, part, since))

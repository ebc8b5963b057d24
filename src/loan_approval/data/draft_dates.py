"""Drafts columns of dates: the notation of each, asked where day and month could change places, and their features."""

import math
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from loan_approval.data.dates import ISO, read_as
from loan_approval.data.wishes import Wishes

IS_DATE = (
    "Scored as the days since `since`; as = 'year', 'month' or 'weekday' takes that part. Days of an application only "
    "grow, so that later ones lie beyond all that training saw: then 'month', or use = 'monitor', may serve better"
)
IS_IT = "Is the {} written first in {}, so that {} is {}?"
LEFT = "If so, delete this line; if not, init again with --replace --answer dates={}"
GUESS = " (a guess{}; if wrong: --answer dates={})"
ORDERS = ("day_first", "month_first")


def choose_notations(
    notations: Mapping[str, list[str]], cells: Mapping[str, Collection[str]], wishes: Wishes, notes: list[str]
) -> tuple[dict[str, str], str]:
    """Return the notation of each column of dates, and the question which order is right while it is open, else "".

    notations: those that suit each column, of `find_notations`.   cells: of each column, without missing ones.
    Where day and month could change places, the guess is the order of the file's other dates.
    """
    known = [found[0] for found in notations.values() if len(found) == 1]
    sure = {notation[:2] for notation in known if "DD" in notation and "MM" in notation} & {"DD", "MM"}
    doubtful = [name for name, found in notations.items() if len(found) > 1]
    guess, other = ORDERS[::-1] if sure == {"MM"} else ORDERS
    order, question, marked = guess, "", ""
    if doubtful:
        first = doubtful[0]
        shown, notation = _telling(cells[first], notations[first]), notations[first][ORDERS.index(guess)]
        text = IS_IT.format(guess.removesuffix("_first"), ", ".join(doubtful), shown, read_as(shown, notation))
        answer = wishes.answer("dates", text, (guess, other))
        question = "" if answer or len(sure) == 1 else f"{text} {LEFT.format(other)}."
        order = answer or guess
        why = " by the order of the file's other dates" if len(sure) == 1 else ""
        marked = "" if answer else GUESS.format(why, other)
    chosen = {name: found[ORDERS.index(order) if len(found) > 1 else 0] for name, found in notations.items()}
    for name, notation in chosen.items():
        shown = _telling(cells[name], notations[name])
        if read_as(shown, notation) != shown:
            words = f"{name}: dates are read as {notation}: {shown} is {read_as(shown, notation)}"
            notes.append(words + (marked if name in doubtful else ""))
    return chosen, question


def _telling(cells: Collection[str], notations: list[str]) -> str:
    """Return a cell whose date depends on the notation, where there is one; with a time of day, where some have it."""
    return max(cells, key=lambda cell: (len({read_as(cell, each) for each in notations}), len(cell), cell))


def are_dates(present: Collection[str]) -> bool:
    """Return whether each cell is a date, written YYYY-MM-DD as the survey leaves it."""
    return bool(present) and all(read_as(cell, ISO) == cell for cell in set(present))


def date_keys(present: Collection[str]) -> dict[str, Any]:
    """Return the keys of a date: its range is the years that were seen, a tenth wider, and the next one at least."""
    low, high = (date.fromisoformat(end(present)).year for end in (min, max))
    wider = math.ceil((high - low) / 10)
    first, last = max(low - wider, 1), min(high + max(wider, 1), 9999)  # an application of next year is to be expected
    since = f"{first:04}-01-01"
    return {"type": "date", "range": [since, f"{last:04}-12-31"], "as": "days", "since": since}


def count_days(present: Collection[str]) -> list[float]:
    """Return the day of each date, as a number that grows with it."""
    return [float(date.fromisoformat(cell).toordinal()) for cell in present]

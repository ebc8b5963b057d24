"""Proposes from which other date a column of dates is counted: a birth date from the day of the application."""

import re
import statistics
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from loan_approval.data.draft_dates import IS_DATE
from loan_approval.data.draft_feature import IS_LEAK, LEAK_AUC, WAS_KNOWN, largest_auc, widen
from loan_approval.data.protected import split_words
from loan_approval.data.wishes import Wishes

LONGEST = 43_830  # days, 120 years
FIXED = "fixed_day"
# Words in the name of the day on which an application was made or decided.
_APPLICATION = re.compile(
    r"list(ed|ing)|posted|appli(ed|cation|cations)|apply|asked|request(ed)?|submi(tted|ssion)|issued?|decision|decided|originat(ed|ion)|"
    r"orig|funded|funding|granted|disburse(d|ment)|observation|snapshot|reference|pedido|solicita(cao|ção|do)|proposta|"
    r"contrata(cao|ção)|concess(ao|ão)|antrag(s|stellung|sdatum)?|antragsdatum|solicitud|concesi(o|ó)n"
)
_IS_COUNTED = (
    "A guess: the days from {} to it, as it lies on one side of that day in every row. To count from a fixed day, init "
    f"again with --replace --answer since={FIXED}"
)
_IS_AFTER = f"It lies on or after {{1}} in every row: {WAS_KNOWN}"
_IS_ORIGIN = (
    "Other dates are counted from it, so a row that has one needs it too. It is watched and not scored, as the days of "
    "applications only grow: later ones lie beyond all that training saw. If it is to be scored: use = 'score'"
)


def count_from_application(
    features: list[dict[str, Any]],
    columns: Mapping[str, Sequence[str]],
    y: np.ndarray,
    wishes: Wishes,
    notes: list[str],
) -> list[dict[str, Any]]:
    """Return the features' tables, with dates counted from another date where that is plausible, or its owner says so.

    columns: the cells of each column, dates as YYYY-MM-DD.   y: (n,) codes.
    """
    names = [feature["name"] for feature in features if feature["type"] == "date"]
    days = {name: _number_days(columns[name]) for name in names}
    found = {origin: _find_counted(days, origin) for origin in names}
    guess = max(names, key=lambda name: (_is_application(name), len(found[name]), _is_last(name, days)), default="")
    if not guess or not found[guess]:
        return features
    text = f"Are {', '.join(found[guess])} counted in days from {guess}?"
    choices = (guess, FIXED, *(name for name in names if name != guess and found[name]))
    origin = wishes.answer("since", text, choices) or guess
    if origin == FIXED:
        return features
    counted = {name: days[name] - days[origin] for name in found[origin]}
    marked = "" if "since" in wishes.answers or wishes.ask else f" (a guess; if wrong: --answer since={FIXED})"
    notes.append(f"{', '.join(counted)}: counted in days from {origin}{marked}")
    drafted = [
        _count(feature, counted[feature["name"]], origin, columns[feature["name"]], y, feature["name"] in wishes.used)
        if feature["name"] in counted
        else feature
        for feature in features
    ]
    is_scored = any(each.get("use", "score") == "score" and each["name"] != origin for each in drafted)
    return [_mark_origin(each, wishes) if each["name"] == origin and is_scored else each for each in drafted]


def _number_days(cells: Sequence[str]) -> np.ndarray:
    return np.array([date.fromisoformat(cell).toordinal() if cell else np.nan for cell in cells])


def _is_application(name: str) -> bool:
    return any(_APPLICATION.fullmatch(word.casefold()) for word in split_words(name))


def _is_last(name: str, days: Mapping[str, np.ndarray]) -> bool:
    return all(np.all((other <= days[name]) | np.isnan(other)) for other in days.values())


def _find_counted(days: Mapping[str, np.ndarray], origin: str) -> list[str]:
    """Return the dates that lie on one side of `origin` in every row, by different and plausible numbers of days."""
    return [name for name in days if name != origin and _are_counted(days[name], days[origin])]


def _are_counted(days: np.ndarray, origin: np.ndarray) -> bool:
    between = (days - origin)[~np.isnan(days)]  # a row that has the one date needs the other
    one_side = np.all(between <= 0) or np.all(between >= 0)
    return bool(one_side and np.all(np.abs(between) <= LONGEST) and len(np.unique(between)) > 1)


def _count(
    feature: dict[str, Any], days: np.ndarray, origin: str, cells: Sequence[str], y: np.ndarray, is_asked: bool
) -> dict[str, Any]:
    """Return the table of a date that is counted from `origin`.

    days: (n,) from it, NaN where missing.   is_asked: whether its owner was asked how it is used, and is not again.
    """
    present = days[~np.isnan(days)].tolist()
    low, high = widen(min(present), max(present), is_whole=True)
    made: dict[str, Any] = {}
    for key, value in feature.items():
        made |= {"min": low, "max": high} if key == "range" else {key: value}
    about = feature.get("comment", "").removesuffix(f"{IS_DATE}.") + f" {_IS_COUNTED.format(origin)}."
    made |= {"since": origin, "example": statistics.median_low(present), "comment": about.strip()}
    is_leak = (auc := largest_auc(list(cells), present, y)) >= LEAK_AUC
    if not is_asked and (is_leak or max(present) > 0):
        question = IS_LEAK.format(feature["name"], auc) if is_leak else _IS_AFTER.format(feature["name"], origin)
        made |= {"use": "monitor", "question": question}
    return made


def _mark_origin(feature: dict[str, Any], wishes: Wishes) -> dict[str, Any]:
    if "use" in feature or feature["name"] in wishes.answers:
        return feature
    example, reason = feature["example"], feature["reason"]
    first = {key: value for key, value in feature.items() if key not in ("example", "reason")}
    return first | {"use": "monitor", "example": example, "reason": reason, "comment": _IS_ORIGIN + "."}

"""Drafts one feature from its column: its table in the contract, with a comment or a question where one is due."""

import math
import re
import shlex
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from loan_approval.data.dates import SHORT, find_notations
from loan_approval.data.draft_dates import IS_DATE, are_dates, count_days, date_keys
from loan_approval.data.notation import is_code_text, is_date
from loan_approval.data.protected import protected_attribute, split_words
from loan_approval.evaluation.metrics import fast_auc
from serve.contract.csv_cells import read_decimals
from serve.contract.feature import Feature
from serve.contract.feature_rules import LARGEST
from serve.contract.numbers import count

MOST_VALUES = 30  # of a category; rarer ones become OTHER
OTHER = "(other)"
FEWEST_OF_A_VALUE = 10  # rows, in a category with too many values
LONGEST_MARK = 10  # characters of the only text of a column
LONGEST_WORDS = 4  # on average in a cell: more is free text
LEAK_AUC = 0.95
FEWEST = 10  # rows of either label that an AUC needs
MOST_JUDGED = 1000  # different dates, to name their notations
FEWEST_RUNNING = 10  # rows whose numbers count up by one
_IDS = frozenset(
    {"id", "ids", "uuid", "guid", "key", "nr", "no", "num", "number", "index", "idx", "row", "rownum", "code", "codigo"}
    | {"código", "cpf", "ssn", "nummer", "numero", "número", "unnamed", "column", "account", "ref", "reference"}
)
# An age that is scored needs both keys, and a gate proves them.
AGE = {"direction": 1, "elderly_from": 62}
IS_PROTECTED = "By its name: {}, so it is watched and not scored. If its name misleads, delete the next two lines"
IS_AGE = "Only an age may be both: protected = true, use = 'score', direction = 1, elderly_from = 62; a gate proves it"
WAS_KNOWN = (
    "was it known before the decision? If so: use = 'score'. If not: leave it at 'monitor', or init again with "
    "--replace --answer '{0}=leave_out'. For all such columns at once: --answer leaks=leave_out or leaks=monitor."
)
IS_LEAK = f"This column alone tells the labels apart (AUC {{1:.2f}}): {WAS_KNOWN}"
IS_GROUPED = (
    f"{{}} values: the {{}} most frequent, and '{OTHER}' for any other, one never seen as well. Without `other`, an "
    "unknown value is refused"
)


def draft_feature(name: str, cells: list[str], y: np.ndarray, is_code: bool = False) -> dict[str, Any] | str:
    """Return the feature's table in the contract, or the reason to leave it out.

    is_code: whether its numbers are names of categories.
    Beside the contract's keys it may have `comment`, and `question` where only a person can know.
    """
    present = [cell for cell in cells if cell]
    numbers = [] if is_code else _read_numbers(present)
    if reason := _reason_to_leave_out(name, present, numbers, len(cells)):
        return reason
    kind = _type_keys(present, numbers)
    is_date, values = kind["type"] == "date", kind.get("values", ())
    if kind["type"] == "category" and not values:
        return _are_many(present)
    attribute, comments = protected_attribute(name), []
    feature = {"name": name, **kind} | ({"missing": True} if len(present) < len(cells) else {})
    if attribute:
        feature |= {"use": "monitor", "protected": True}
        comments = [IS_PROTECTED.format(attribute.replace("_", " "))] + [IS_AGE] * (
            attribute == "age" and bool(numbers)
        )
    if is_date and not attribute:
        comments.append(IS_DATE)
    if OTHER in values:
        feature["other"] = OTHER
        comments.append(IS_GROUPED.format(f"{len(set(present)):,}", len(values) - 1))
    ranks = count_days(present) if is_date else numbers
    middle = _middle(present, numbers or (sorted(present) if is_date else ()))
    feature |= {"example": middle, "reason": {"en": _title(name)}}
    if (auc := largest_auc(cells, ranks, y)) >= LEAK_AUC:
        feature |= {"use": "monitor", "question": IS_LEAK.format(name, auc)}
    return feature | ({"comment": ". ".join(comments) + "."} if comments else {})


def _type_keys(present: list[str], numbers: list[float]) -> dict[str, Any]:
    """Return the keys that a feature's type needs; a category without values is none."""
    if numbers:
        return _number_keys(numbers)
    return date_keys(present) if are_dates(present) else {"type": "category", "values": _values(present)}


def _middle(present: list[str], ranked: Sequence[Any]) -> Any:
    """Return the lower median of ranked values; without an order the most frequent one."""
    return statistics.median_low(ranked) if ranked else Counter(sorted(present)).most_common(1)[0][0]


def _read_numbers(present: list[str]) -> list[float]:
    """Return the numbers of a column's cells, none unless each is one."""
    plain = read_decimals(present)  # much quicker than cell by cell
    if plain is not None and np.isfinite(plain).all():
        return plain.tolist()
    parsed = list(map(parse_number, present))
    return [] if None in parsed else parsed


def _reason_to_leave_out(name: str, present: list[str], numbers: list[float], rows: int) -> str:
    """Return "" for a column that a model can use. A mark in some rows, such as X, is told from empty cells."""
    distinct = len(set(numbers or present))
    is_mark = FEWEST_OF_A_VALUE <= len(present) < rows and len(present[0]) <= LONGEST_MARK and not numbers
    if distinct < 2 and not (is_mark and not is_date(present[0])):
        return f"one value in all rows{' that have one' * (len(present) < rows)}" if present else "no value at all"
    if not numbers:
        return _reason_of_text(name, present, distinct)
    if max(map(abs, numbers)) > LARGEST:
        return "numbers beyond 2**53"
    if all(number.is_integer() for number in numbers):
        if len(numbers) >= FEWEST_RUNNING and np.all(np.abs(np.diff(numbers)) == 1) and distinct == len(numbers):
            return "a running number"
        if distinct == len(present) and not _IDS.isdisjoint(word.casefold() for word in split_words(name)):
            return "a different number in every row"
    return ""


def _reason_of_text(name: str, present: list[str], distinct: int) -> str:
    if are_dates(present):
        return ""
    if all(map(is_date, present)):
        return _reason_of_dates(name, set(present))
    if distinct <= max(2, min(MOST_VALUES, len(present) // 2)):
        return ""
    if sum(cell.count(" ") + 1 for cell in present) / len(present) >= LONGEST_WORDS:
        return "free text"
    strange = sorted({cell for cell in present if parse_number(cell) is None})
    if strange and not any(map(is_code_text, strange)):
        numbers = len(present) - sum(parse_number(cell) is None for cell in present)
        if numbers > len(present) / 2:
            return f"a number but for {count(len(present) - numbers, 'cell')}: {', '.join(strange[:5])}"
    return _are_many(present) if distinct > len(present) / 2 else ""


def _are_many(present: list[str]) -> str:
    return f"text with {count(len(set(present)), 'different value')} in {count(len(present), 'row')}"


def _reason_of_dates(name: str, cells: set[str]) -> str:
    if short := find_notations(cells, SHORT):
        options = " or ".join(f"--dates {shlex.quote(f'{name}={notation}')}" for notation in short)
        return f"dates with two digits of the year; if they are of 1930 to 2029, init again with {options}"
    found = {notation for cell in sorted(cells)[:MOST_JUDGED] for notation in find_notations({cell})[:1]}
    if not found:
        return "dates of no known notation: write them as YYYY-MM-DD, a quarter or a week as its first day"
    return f"dates, but not all of one notation ({', '.join(sorted(found))}): write them in one, with a whole year"


def _values(present: list[str]) -> list[str]:
    """Return the values of a category; of too many the most frequent, and OTHER; none where all are rare."""
    counts = Counter(sorted(present))
    if len(counts) <= MOST_VALUES:
        return sorted(counts)
    frequent = [value for value, n in counts.most_common(MOST_VALUES - 1) if n >= FEWEST_OF_A_VALUE and value != OTHER]
    return [*sorted(frequent), OTHER] if frequent else []


def parse_number(cell: str) -> float | None:
    """Return the number in a cell, None when it is none; a code such as 02139 is none."""
    number = Feature("", "number").parse(cell)
    return number if isinstance(number, float) and math.isfinite(number) and not is_code_text(cell) else None


def _number_keys(numbers: list[float]) -> dict[str, Any]:
    is_whole = all(number.is_integer() for number in numbers)
    low, high = min(numbers), max(numbers)
    if not (is_whole and (low, high) == (0, 1)):  # a flag keeps its range
        low, high = widen(low, high, is_whole)
    return {"type": "integer" if is_whole else "number", "min": low, "max": high}


def widen(low: float, high: float, is_whole: bool) -> tuple[float, float]:
    """Return round numbers that extend the range by a tenth on each side, but not across zero."""
    digits = max(math.floor(math.log10(high - low)), 0 if is_whole else -12)
    step, margin = 10.0**digits, (high - low) / 10
    bottom = round(math.floor((low - margin) / step) * step, max(0, -digits))
    top = round(math.ceil((high + margin) / step) * step, max(0, -digits))
    bottom, top = max(bottom, 0) if low >= 0 else bottom, min(top, 0) if high <= 0 else top
    return max(min(bottom, low), -LARGEST), min(max(top, high), LARGEST)


def largest_auc(cells: list[str], numbers: list[float], y: np.ndarray) -> float:
    """Return the largest AUC of ranking by a column alone: by presence, by number, or by each value's approval rate."""
    present = np.array([bool(cell) for cell in cells])
    aucs = [_auc(present, y)]
    if numbers:
        aucs.append(_auc(np.array(numbers), y[present]))
    if len(set(cells)) <= min(MOST_VALUES, len(cells) // FEWEST):  # a value of few rows tells their labels by chance
        approved, seen = Counter(cell for cell, code in zip(cells, y, strict=True) if code), Counter(cells)
        aucs.append(_auc(np.array([approved[cell] / seen[cell] for cell in cells]), y))
    return max(aucs)


def _auc(score: np.ndarray, y: np.ndarray) -> float:
    if np.bincount(y, minlength=2).min() < FEWEST:
        return 0.5
    auc = fast_auc(y, score)
    return max(auc, 1 - auc)


def _title(name: str) -> str:
    """Return the words and digits of a name: PAY_1 and PAY_2 are two features to a reader as well."""
    words = re.sub(r"(?<=[^\W\d_A-Z])(?=[A-Z])|[\W_]+", " ", name).split()
    return " ".join(words).capitalize() or name

"""Drafts one feature from its column, with the questions that the column raises."""

import math
import re
import statistics
from collections import Counter
from typing import Any

import numpy as np

from loan_approval.evaluation.metrics import fast_auc
from serve.contract.feature import Feature
from serve.contract.rules import LARGEST

MOST_VALUES = 30  # a text column with more, or with more than half as many as rows, is no category
LEAK_AUC = 0.95
FEWEST = 10  # rows of either label that an AUC needs
# Words in a column's name: attributes that credit laws forbid to score, and their proxies.
PROTECTED = re.compile(
    r"age|dob|birth.*|sex.*|gender.*|male|female|race|racial|colou?r|ethnic.*|black|white|asian|hispan.*|latin.*|minorit.*|"
    r"religio.*|marital|marri.*|spouse|depend[ae]nt.*|famil.*|pregnan.*|child.*|national.*|origin|citizen.*|disab.*|"
    r"zip.*|post.*|neighbo.*|idade|sexo|raça|cor|etnia|civil|casad.*|nasc.*|cep|bairro"
)
IS_PROTECTED = (
    "Is this, or does it stand in for, what must not be scored: age, sex, race, religion, origin, marital or familial "
    "status? If not: use = 'score' and protected = false."
)
IS_AGE = "Only an age may be protected and scored: with use = 'score' and elderly_from = 62, which a gate then proves."
IS_LEAK = (
    "This column alone tells the labels apart (AUC {:.2f}): was it known before the decision? If so: use = 'score'. "
    "If not: leave it at 'monitor', or delete this table and the column in dataset.csv."
)


def draft_feature(name: str, cells: list[str], y: np.ndarray) -> dict[str, Any] | str:
    """Return the feature's table in the contract, or the reason to leave it out."""
    present = [cell for cell in cells if cell]
    parsed = list(map(parse_number, present))
    numbers = [] if None in parsed else parsed
    if reason := _reason_to_leave_out(name, present, numbers):
        return reason
    kind = _number_keys(numbers) if numbers else {"type": "category", "values": sorted(set(present))}
    words = _words(name)
    is_protected = any(map(PROTECTED.fullmatch, words.casefold().split()))
    auc = _largest_auc(cells, numbers, y)
    questions = [IS_LEAK.format(auc)] * (auc >= LEAK_AUC) + [IS_PROTECTED] * is_protected
    questions += [IS_AGE] * (is_protected and bool(numbers))
    feature = {"name": name, **kind} | ({"missing": True} if len(present) < len(cells) else {})
    feature |= {"use": "monitor" if questions else "score", "protected": is_protected}
    feature |= {"direction": 0} if numbers else {}
    middle = statistics.median_low(numbers) if numbers else Counter(sorted(present)).most_common(1)[0][0]
    feature |= {"example": middle, "reason": {"en": words.capitalize()}}
    return feature | ({"question": " ".join(questions)} if questions else {})


def _reason_to_leave_out(name: str, present: list[str], numbers: list[float]) -> str:
    distinct = len(set(numbers or present))
    if distinct < 2:
        return "one value at most"
    if not numbers and distinct > max(2, min(MOST_VALUES, len(present) // 2)):
        return f"text with {distinct} different values"
    if numbers and max(map(abs, numbers)) > LARGEST:
        return "numbers beyond 2**53"
    is_whole = all(number.is_integer() for number in numbers)
    if numbers and is_whole and distinct == len(present) and "id" in _words(name).casefold().split():
        return "a different number in every row"
    return ""


def parse_number(cell: str) -> float | None:
    """Return the number in a cell, None when it is none; a code such as 02139 is none."""
    number = Feature("", "number").parse(cell)
    return number if isinstance(number, float) and math.isfinite(number) and not re.match(r"0\d", cell) else None


def _number_keys(numbers: list[float]) -> dict[str, Any]:
    is_whole = all(number.is_integer() for number in numbers)
    low, high = min(numbers), max(numbers)
    if not (is_whole and (low, high) == (0, 1)):  # a flag keeps its range
        low, high = _widen(low, high, is_whole)
    return {"type": "integer" if is_whole else "number", "min": low, "max": high}


def _widen(low: float, high: float, is_whole: bool) -> tuple[float, float]:
    """Return round numbers that extend the range by a tenth on each side, but not across zero."""
    digits = max(math.floor(math.log10(high - low)), 0 if is_whole else -12)
    step, margin = 10.0**digits, (high - low) / 10
    bottom = round(math.floor((low - margin) / step) * step, max(0, -digits))
    top = round(math.ceil((high + margin) / step) * step, max(0, -digits))
    bottom, top = max(bottom, 0) if low >= 0 else bottom, min(top, 0) if high <= 0 else top
    return max(min(bottom, low), -LARGEST), min(max(top, high), LARGEST)


def _largest_auc(cells: list[str], numbers: list[float], y: np.ndarray) -> float:
    """Return the largest AUC of ranking by a column alone: by presence, by number, or by each value's approval rate."""
    present = np.array([bool(cell) for cell in cells])
    aucs = [_auc(present, y)]
    if numbers:
        aucs.append(_auc(np.array(numbers), y[present]))
    if len(set(cells)) <= MOST_VALUES:
        approved, seen = Counter(cell for cell, code in zip(cells, y, strict=True) if code), Counter(cells)
        aucs.append(_auc(np.array([approved[cell] / seen[cell] for cell in cells]), y))
    return max(aucs)


def _auc(score: np.ndarray, y: np.ndarray) -> float:
    if np.bincount(y, minlength=2).min() < FEWEST:
        return 0.5
    auc = fast_auc(y, score)
    return max(auc, 1 - auc)


def _words(name: str) -> str:
    return " ".join(re.sub(r"(?<=[a-z])(?=[A-Z])|[\W_]+", " ", name).split()) or name

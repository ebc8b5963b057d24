"""Numbers, dates and markers for missing values, as people write them into tables."""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

import numpy as np

# Cells that mean a missing value in a column of numbers. In a column of text most are left as they are: NA is Namibia's
# code, and None may be one of the answers.
MARKERS = frozenset(
    {"\\n", "na", "n/a", "#n/a", "#na", "<na>", "n.a.", "nan", "nat", "null", "nil", "none"}
    | {"nd", "n/d", "n.d.", "s/d", "k.a."}
    | {"?", "??", "-", "--", "---", "–", "—", ".", "..", "*", "inf", "-inf", "+inf", "infinity", "-infinity", "missing"}
    | {"#null!", "#div/0!", "#value!", "#ref!", "#num!", "#name?", "unknown", "unk", "undefined", "(blank)", "blank"}
    | {"not available", "not applicable", "sem informação", "não informado", "desconhecido", "ignorado"}
    | {"unbekannt", "keine angabe", "desconocido", "sin dato"}
)
TEXT_MARKERS = frozenset(
    {"?", "??", "\\n", "nan", "<na>", "nat", "null", "#n/a", "#na", "#null!", "-", "--", "---", ".", ".."}
)
# Numbers that stand for "unknown" in many data sets, where they lie apart from all others.
_CODES = {-1.0, -9998.0, -99998.0}
_CODES |= {sign * float(digit * n) for sign in (1, -1) for digit in "789" for n in range(1, 9)}
FEWEST_CODES = 2  # rows
FEWEST_FAR, MOST_FAR = 5, 3  # rows of a code that is known by its distance alone, and such codes of a column
_MONEY = (
    r"(?:(?:[A-Za-z]{1,3}\s?)?[$€£¥₹₽₩₪₫₴₦₱₺]|USD|EUR|GBP|BRL|CHF|INR|JPY|CAD|AUD|MXN|PLN|SEK|NOK|DKK|TRY|CZK|HUF|RON|"
    r"RUB|ZAR|CNY|HKD|SGD|NZD|kr|zł|Rs\.?|TL|Kč|Ft|lei|руб\.?)"
)
_DRESSED = re.compile(
    rf"(?P<open>\()?\s*(?P<sign>[+\-−])?\s*{_MONEY}?\s*(?P<second>[+\-−])?\s*"
    rf"(?P<digits>[\d.,'’\s]*\d[.,]?(?:[eE][+-]?\d+)?)\s*(?:%|/-|{_MONEY})?\s*(?P<close>\))?"
)
_DIGITS = {
    point: re.compile(
        rf"(\d+|[1-9]\d{{0,2}}(?P<by>[{other}'’\s])\d{{3}}(?:(?P=by)\d{{3}})*|[1-9]\d?(?:{other}\d\d)+{other}\d{{3}})"
        rf"(?:{re.escape(point)}\d*)?(?:[eE][+-]?\d+)?|{re.escape(point)}\d+(?:[eE][+-]?\d+)?"
    )
    for point, other in ((".", ","), (",", r"\."))
}
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_MONTH = (
    r"(?:jan|feb|f[eé]v|mar|mär|a[pbv]r|ma[giy]|ju[nil]|giu|lug|aug|ago|ao[uû]|sep|set|o[ck]t|ott|out|nov|d[eé]c|dez|"
    r"dic|ene|gen)[^\W\d_]{0,7}\.?"
)
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}([-/.]\d{1,2}([T ]\d{1,2}:\d\d.*)?)?|\d{1,2}[-/.]\d{1,2}[-/.](\d{2}|\d{4})( \d{1,2}:\d\d.*)?"
    rf"|{_MONTH}[-/. ]*(\d{{1,2}},? )?(\d{{2}}|\d{{4}})|\d{{1,2}}[-/. ]+(de )?{_MONTH}[-/. ,]*(de )?(\d{{2}}|\d{{4}})?"
    # Quarters, halves and weeks of a year.
    r"|(19|20)\d\d[-/ ]?([QTHSW]|KW)[ -]?\d{1,2}|([QTHSW]|KW)[ -]?\d{1,2}[-/ ]*(19|20)\d\d|[1-4][QT][-/ ]?(20)?\d\d",
    re.IGNORECASE,
)


def read_number(cell: str, comma: bool = False) -> str | None:
    """Return a cell's number in plain digits with a decimal point, None when it holds no number.

    comma: the decimal mark is a comma, and a point separates thousands. Currency and percent signs are left out: 5 % is
    5. Brackets mean a negative number.
    """
    if not comma and _PLAIN.fullmatch(cell):
        return cell
    dressed = _DRESSED.fullmatch(cell)
    if dressed is None or bool(dressed["open"]) != bool(dressed["close"]):
        return None
    if not _DIGITS["," if comma else "."].fullmatch(digits := dressed["digits"]):
        return None
    digits = re.sub(r"[.'’\s]" if comma else r"[,'’\s]", "", digits).replace(",", ".")
    is_negative = bool(dressed["open"]) or {dressed["sign"], dressed["second"]} & {"-", "−"}
    return f"-{digits}" if is_negative else digits


def is_code_text(cell: str) -> bool:
    """Return whether a cell is a code written in digits, such as 02139, rather than a number."""
    return bool(re.match(r"0\d", cell))


def judge_decimal_mark(cells: Iterable[str]) -> str:
    """Return the decimal mark that a column's cells prove, "." or ",", else "" when both or none would do."""
    pointed = comma = 0
    for cell in cells:
        if "," in cell or "." in cell:
            as_pointed, as_comma = read_number(cell), read_number(cell, comma=True)
            pointed += as_comma is None and as_pointed is not None
            comma += as_pointed is None and as_comma is not None
    return "." if pointed > comma else "," if comma > pointed else ""


def find_codes(numbers: Collection[float] | np.ndarray) -> list[float]:
    """Return the numbers that look like codes for "unknown": apart from all others, and in several rows.

    Two rows are enough for 999 or -1. Any other whole number stands in five or more, above all others by more than
    twice their range: 365243 among days, 96 and 98 among counts up to 17.
    """
    counts = Counter(numbers.tolist() if isinstance(numbers, np.ndarray) else numbers)
    likely = {number for number in _CODES & counts.keys() if counts[number] >= FEWEST_CODES}
    others = [number for number in counts if number not in likely]
    if len(others) < 3:  # a flag or a grade
        return []
    low, high = min(others), max(others)
    below = {number for number in likely if number < 0 <= low}
    above = {number for number in likely if number >= 99 and number > high + max(high - low, 0) and _is_nines(number)}
    return sorted(below | above | _find_far(counts))


def _find_far(counts: Mapping[float, int]) -> set[float]:
    """Return up to three whole numbers, each of several rows, far above all others."""
    ranked = sorted(counts)
    for number in range(1, min(MOST_FAR, len(ranked) - 3) + 1):
        rest, far = ranked[:-number], ranked[-number:]
        if far[0] - rest[-1] > 2 * (rest[-1] - rest[0]):
            return set(far) if all(counts[code] >= FEWEST_FAR and code.is_integer() for code in far) else set()
    return set()


def is_date(cell: str) -> bool:
    """Return whether a cell holds a date or a month of a year."""
    return bool(_DATE.fullmatch(cell))


def is_finite_number(cell: str) -> bool:
    """Return whether a plain cell holds a finite number."""
    return bool(_PLAIN.fullmatch(cell)) and math.isfinite(float(cell))


def _is_nines(number: float) -> bool:
    return set(str(int(number))) == {"9"}

"""Finds out of each column how its numbers are written, and which of its cells mean a missing value."""

import re
import shlex
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from loan_approval.data.dates import COMPACT, ISO, NOTATIONS, find_notations, is_notation
from loan_approval.data.draft_codes import find_mixed_signs, find_units
from loan_approval.data.draft_dates import choose_notations
from loan_approval.data.notation import MARKERS, TEXT_MARKERS, find_codes, is_code_text, judge_decimal_mark, read_number
from loan_approval.data.source import Source
from loan_approval.data.wishes import Wishes
from loan_approval.errors import DataError
from serve.contract.csv_cells import read_decimals
from serve.contract.numbers import count

IS_CODES = "Do these numbers, apart from all others, mean that a value is unknown: {}?"
LEFT = (
    "They are missing values in dataset.csv. If that is right, delete this line; if not, init again with "
    "--replace --answer codes=value"
)
_FEWEST_NUMBERS = 0.95  # share of a column's cells, for its few other texts to be markers
MOST_NAMED = 5  # columns in a question
_MOST_STRANGE = 3  # such texts
_MANY = 30  # different cells: a column with fewer may be a category whose names are mostly numbers


def survey(
    source: Source, columns: Mapping[str, list[str]], wishes: Wishes, notes: list[str]
) -> tuple[Source, list[str], dict[str, str]]:
    """Return the source with decimal marks, dates and markers, the columns of numbers, and the open question if any."""
    missing = {name: set(wishes.missing.get(name, ())) for name in columns}
    present = {name: {cell for cell in cells if cell} - missing[name] for name, cells in columns.items()}
    # A column whose cells are all plain decimals proves its mark at once, if any cell has one.
    plain = {name: array for name, cells in columns.items() if (array := _read_plain(cells, missing[name])) is not None}
    plain = {name: numbers for name, numbers in plain.items() if name not in wishes.dates}
    marks = {name: _mark(cells, name in plain) for name, cells in present.items()}
    said = wishes.form.decimal
    has_comma = "," in marks.values() or source.separator == "semicolon"
    default = "," if has_comma and "." not in marks.values() else "."
    numbers, commas, coded, codes, notations = [], [], [], {}, {}
    for name, cells in present.items():
        if name in plain:
            if name in wishes.categories:
                coded.append(name)
                continue
            numbers.append(name)
            _note_compact(name, cells, notes)
            if found := find_codes(plain[name]):
                codes[name] = {cell for cell in cells if float(cell) in found}
            continue
        is_comma = (said or marks[name] or default) == ","
        strange = {cell for cell in cells if read_number(cell, is_comma) is None}
        markers = {cell for cell in strange if cell.casefold() in MARKERS}
        if name not in wishes.dates and _are_numbers(columns[name], cells, strange, markers):
            missing[name] |= strange
            if name in wishes.categories:
                coded.append(name)
                continue
            if signs := find_mixed_signs(cells - strange):
                words = "are text, as these are not of one scale; to score them as numbers, write all alike"
                notes.append(f"{name}: numbers {' and '.join(signs)} {words}")
                continue
            numbers.append(name)
            commas += [name] * (is_comma and any("," in cell or "." in cell for cell in cells - strange))
            _note_numbers(name, cells - strange, is_comma, marks[name] or said, notes)
            if found := _find_cells_of_codes(columns[name], cells - strange, is_comma):
                codes[name] = found
        elif found := _find_dates(name, cells, wishes.dates):
            notations[name] = found
            missing[name] |= {cell for cell in cells if cell.casefold() in MARKERS}
        else:
            missing[name] |= {cell for cell in markers if cell.casefold() in TEXT_MARKERS}
            _note_kept(name, columns[name], markers - missing[name], notes)
            _note_units(name, cells - missing[name], notes)
    about_codes = _ask_codes(columns, codes, wishes, missing, notes)
    known = {name: present[name] - missing[name] for name in notations}
    dates, about_dates = choose_notations(notations, known, wishes, notes)
    questions = list(filter(None, (about_codes, about_dates)))
    _note_missing(columns, missing, notes)
    recorded = {name: sorted(cells) for name, cells in missing.items() if cells}
    _check_options(wishes, coded, dates)
    source = replace(source, decimal_comma=tuple(commas), dates=dates, missing=recorded)
    return source, numbers, {"question": " ".join(questions)} if questions else {}


def _find_dates(name: str, cells: Collection[str], said: Mapping[str, str]) -> list[str]:
    """Return the notations of a column, the owner's where there is one. Raises DataError for one that is none."""
    if not is_notation(said.get(name, ISO)):
        raise DataError(f"--dates {name}={said[name]}: expected a notation such as DD/MM/YYYY or 'DD/MM/YY from 1930'")
    known = {cell for cell in cells if cell.casefold() not in MARKERS}
    return find_notations(known, [said[name]] if name in said else NOTATIONS)


def _note_compact(name: str, cells: Collection[str], notes: list[str]) -> None:
    if found := find_notations({cell if cell[:2] in ("19", "20") else "" for cell in cells}, COMPACT):
        option = f"--replace --dates {shlex.quote(f'{name}={found[0]}')}"
        notes.append(f"{name}: numbers, taken as amounts (a guess); if they are dates, init again with {option}")


def _note_units(name: str, cells: Collection[str], notes: list[str]) -> None:
    if len(cells) > _MANY and (units := find_units(cells)):
        shown, words = ", ".join(units), "write all in one unit, and leave it out"
        notes.append(f"{name}: numbers with {shown} behind them are text; to score them as numbers, {words}")


def _check_options(wishes: Wishes, coded: Collection[str], dates: Mapping[str, str]) -> None:
    """Raise DataError for a column that its owner calls codes or dates of a notation, where its cells are none."""
    for name in wishes.categories:
        if name not in coded:
            raise DataError(f"--category {name}: expected a column of numbers; texts are categories already")
    for name, notation in wishes.dates.items():
        if name not in dates:
            raise DataError(f"--dates {name}={notation}: some cell is no such date, expected all to be")


def _read_plain(cells: list[str], missing: set[str]) -> np.ndarray | None:
    """Return the numbers of a column whose cells are plain decimals or empty, None of any other column."""
    numbers = None if missing else read_decimals(cells)
    if numbers is None or not np.isfinite(numbers).any():
        return None
    # 1.234 may be one thousand.
    is_grouped = all(re.fullmatch(r"-?\d{1,3}(\.\d{3})?", cell) for cell in cells if cell)
    return None if is_grouped and any("." in cell for cell in cells) else numbers[np.isfinite(numbers)]


def _mark(cells: set[str], is_plain: bool) -> str:
    if is_plain:
        return "." if any("." in cell for cell in cells) else ""
    return judge_decimal_mark(cells)


def _are_numbers(column: list[str], cells: set[str], strange: set[str], markers: set[str]) -> bool:
    """Return whether a column's cells are numbers, but for markers of missing values or few other texts."""
    if len(cells) == len(strange) or any(map(is_code_text, cells)):
        return False
    others = strange - markers
    if not others:
        return True
    share = sum(cell not in strange for cell in column if cell) / sum(map(bool, column))
    has_digit = any(any(map(str.isdigit, cell)) for cell in others)
    return share >= _FEWEST_NUMBERS and len(others) <= _MOST_STRANGE and not has_digit and len(cells) > _MANY


def _note_numbers(name: str, cells: set[str], is_comma: bool, mark: str, notes: list[str]) -> None:
    dressed = sorted(cell for cell in cells if read_number(cell, is_comma) != cell)
    if dressed:
        guess = "" if mark or not any("," in cell or "." in cell for cell in dressed) else " (a guess: --decimal)"
        shown = max(dressed, key=len)
        notes.append(f"{name}: numbers such as {shown} are read as {read_number(shown, is_comma)}{guess}")


def _find_cells_of_codes(column: list[str], cells: set[str], is_comma: bool) -> set[str]:
    """Return those of a column's numbers that look like codes for a missing value."""
    parsed = {cell: float(read_number(cell, is_comma) or 0) for cell in cells}
    found = find_codes([parsed[cell] for cell in column if cell in parsed])
    return {cell for cell, number in parsed.items() if number in found}


def _note_kept(name: str, column: list[str], markers: set[str], notes: list[str]) -> None:
    if kept := sorted(markers):
        shown = ", ".join(f"{cell} ({count(column.count(cell), 'cell')})" for cell in kept)
        notes.append(f"{name}: {shown} kept as a value; if it means missing: --missing '{name}={kept[0]}'")


def _note_missing(columns: Mapping[str, list[str]], missing: Mapping[str, set[str]], notes: list[str]) -> None:
    """Note how many cells were made empty, columns with the same ones together."""
    emptied: dict[tuple[str, ...], list[str]] = {}
    for name, cells in missing.items():
        if counts := Counter(cell for cell in columns[name] if cell in cells):
            emptied.setdefault(tuple(sorted(counts)), []).append(f"{name} {counts.total():,}")
    notes += [f"cells made empty ({', '.join(cells)}): {', '.join(named)}" for cells, named in emptied.items()]


def _shorten(named: list[str]) -> str:
    more = len(named) - MOST_NAMED
    return ", ".join(named[:MOST_NAMED]) + f" and {more} more" * (more > 0)


def _ask_codes(
    columns: Mapping[str, list[str]],
    codes: Mapping[str, set[str]],
    wishes: Wishes,
    missing: dict[str, set[str]],
    notes: list[str],
) -> str:
    """Take codes for missing values unless the owner says otherwise; return the question while it is open, else ""."""
    if not codes:
        return ""
    alike: dict[tuple[str, ...], list[str]] = {}
    for name, cells in codes.items():
        rows = sum(cell in cells for cell in columns[name])
        alike.setdefault(tuple(sorted(cells)), []).append(f"{name} ({count(rows, 'row')})")
    shown = "; ".join(f"{', '.join(cells)} in {_shorten(named)}" for cells, named in alike.items())
    answer = wishes.answer("codes", IS_CODES.format(shown), ("missing", "value"))
    if answer == "value":
        notes.append(f"kept as numbers: {shown}")
        return ""
    for name, cells in codes.items():
        missing[name] |= cells
    return "" if answer else f"{IS_CODES.format(shown)} {LEFT}."

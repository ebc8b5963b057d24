"""The first draft of a data set: a clean CSV, and a contract with questions about what the data can't show."""

import csv
import io
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from loan_approval.data.csv_files import read_cells
from loan_approval.data.draft_feature import draft_feature, parse_number
from loan_approval.errors import DataError
from serve.files import write_atomically

MARKERS = frozenset({"na", "n/a", "null", "nan", "none", "?"})
APPROVALS = re.compile("y(es)?|t(rue)?|approved?|accepted|granted|(re)?paid|good|s(im)?|aprovado")
MEANING = "Do the labels tell what an underwriter decided ('past_decision') or whether the loan was 'repaid'?"
POSITIVE = "Is positive the label of an approved (or repaid) loan, and do the labels read as clients should see them?"
HEADER = """\
# Drafted from the data, and refused while a `question` is left: correct the lines beside it, then delete it.
# Worth adding to a feature: unit, direction (1 or -1 where the score may only rise or fall with it), actionable = true
# where an applicant can change it, elderly_from = 62 on an age: nothing else may be protected and scored, and a gate
# proves then that no older age scores lower. min and max are what was seen, widened: make them what is possible.
"""


@dataclass(frozen=True)
class Draft:
    """The written files, the open questions (each with its column), and notes on what was changed."""

    contract: Path
    dataset: Path
    rows: int
    questions: tuple[str, ...]
    notes: tuple[str, ...]


def draft_data_set(folder: Path, path: Path, target: str) -> Draft:
    """Write `dataset.csv` and a drafted `contract.toml` into a folder. path: the owner's CSV.

    Raises DataError and writes nothing when the CSV or its target can't be used or files would be overwritten.
    """
    contract, dataset = folder / "contract.toml", folder / "dataset.csv"
    if contract.exists():
        raise DataError(f"{contract}: exists already and stays as it is; expected a folder without one")
    columns, target = _read(path), target.strip()
    notes = _empty_marked_cells(columns)
    target_table, y = _draft_target(path, target, columns)
    drafts = {name: draft_feature(name, cells, y) for name, cells in columns.items() if name != target}
    features = [draft for draft in drafts.values() if isinstance(draft, dict)]
    left_out = {name: why for name, why in drafts.items() if isinstance(why, str)}
    if not features:
        raise DataError(f"{path}: no column beside {target} that a model could use")
    if left_out:
        names = "; ".join(f"{name} ({why})" for name, why in left_out.items())
        notes.append(f"left out of dataset.csv: {names}")
        target_table["question"] += f" Are these columns rightly left out: {names}?"
    data = _to_csv({name: cells for name, cells in columns.items() if name not in left_out})
    if dataset.exists() and dataset.read_bytes() != data:
        raise DataError(f"{dataset}: exists already with other content; keep the original CSV outside {folder}")
    try:
        write_atomically(dataset, data)
        write_atomically(contract, _render(folder.resolve().name, target_table, features).encode())
    except OSError as err:
        raise DataError(f"{folder}: can't write: {err.strerror}") from err
    questions = [f"{table['name']}: {table['question']}" for table in (target_table, *features) if "question" in table]
    return Draft(contract, dataset, len(y), tuple(questions), tuple(notes))


def _read(path: Path) -> dict[str, list[str]]:
    first, others = read_cells(path)
    header, *rows = [[cell.strip() for cell in row] for row in (first, *others) if row] or [[]]
    problems = [f"column {number} has no name" for number, name in enumerate(header, 1) if not name]
    problems += [f"column {name!r} stands {n} times" for name, n in Counter(header).items() if n > 1 and name]
    ragged = [(number, len(row)) for number, row in enumerate(rows, 2) if len(row) != len(header)][:20]
    problems += [f"row {number}: {width} cells, expected {len(header)}" for number, width in ragged]
    if len(header) < 2 or not rows:
        problems.append("expected a header with at least two comma-separated names, and rows below it")
    if problems:
        raise DataError(f"{path}: {'; '.join(problems)}")
    return dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))


def _empty_marked_cells(columns: dict[str, list[str]]) -> list[str]:
    """Empty the cells that hold a marker for missing, and return a note on each column that had some."""
    notes = []
    for name, cells in columns.items():
        markers = Counter(cell for cell in cells if cell.casefold() in MARKERS)
        if markers:
            columns[name] = ["" if cell in markers else cell for cell in cells]
            notes.append(f"{name}: {markers.total()} cells made empty ({', '.join(sorted(markers))})")
    return notes


def _draft_target(path: Path, target: str, columns: dict[str, list[str]]) -> tuple[dict[str, Any], np.ndarray]:
    if target not in columns:
        raise DataError(f"{path}: no column {target!r}, expected one of {', '.join(columns)}")
    numbers = map(parse_number, columns[target])  # 1 and 1.0 are one label
    keys = [cell if number is None else number for cell, number in zip(columns[target], numbers, strict=True)]
    spelled = dict(zip(reversed(keys), reversed(columns[target]), strict=True))  # the first spelling of each
    if "" in spelled:
        raise DataError(f"{path}: {keys.count('')} rows have no {target}; expected one of two labels in every row")
    if len(spelled) != 2:
        shown = ", ".join(sorted(spelled.values())[:5]) + (", ..." if len(spelled) > 5 else "")
        raise DataError(f"{path}: {target} holds {len(spelled)} different labels ({shown}), expected two")
    negative, positive = sorted(spelled, key=lambda k: k == 1 or bool(APPROVALS.fullmatch(spelled[k].casefold())))
    labels = {spelled[key]: spelled[key] for key in (positive, negative)}
    if {positive, negative} == {0.0, 1.0}:
        labels = {spelled[positive]: "Approved", spelled[negative]: "Denied"}
    table = {"name": target, "meaning": "past_decision", "positive": spelled[positive], "labels": labels}
    return table | {"question": f"{MEANING} {POSITIVE}"}, np.array([int(key == positive) for key in keys])


def _to_csv(columns: dict[str, list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([list(columns), *zip(*columns.values(), strict=True)])
    return text.getvalue().encode()


def _render(folder_name: str, target: dict[str, Any], features: list[dict[str, Any]]) -> str:
    slug = re.sub(r"\W+", "_", folder_name.casefold()).strip("_") or "data"
    top = {"format": 1, "model_name": f"{slug}_model", "experiment": f"{slug}_v1", "split_salt": f"{slug}-1"}
    tables = [("", top), ("\n[target]\n", target), *(("\n[[feature]]\n", feature) for feature in features)]
    return HEADER + "".join(
        title + "".join(f"{key} = {_toml(value)}\n" for key, value in table.items()) for title, table in tables
    )


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    # A JSON text is a TOML text, except for the one control character that JSON leaves unescaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml(key)

"""The first draft of a data set: a clean CSV, and a contract with questions about what the data can't show."""

import csv
import io
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from loan_approval.data.contract_page import draft_top, render
from loan_approval.data.draft_codes import describe_codes
from loan_approval.data.draft_feature import AGE, draft_feature
from loan_approval.data.draft_labels import sort_labels
from loan_approval.data.draft_since import count_from_application
from loan_approval.data.draft_split import GROUPS, IDENTIFIER, choose_key, draft_split, find_keys
from loan_approval.data.draft_target import IS_LATE, draft_target, find_late_columns
from loan_approval.data.notation import is_finite_number
from loan_approval.data.reading import Reading, read_file
from loan_approval.data.rows import Row, name_rows
from loan_approval.data.source import Source, clean_rows
from loan_approval.data.survey import survey
from loan_approval.data.wishes import LEAK_USES, LEAKS, QUESTIONS, USES, Wishes
from loan_approval.errors import DataError
from serve.contract.feature import Feature, name_code
from serve.contract.numbers import count
from serve.files import write_atomically


@dataclass(frozen=True)
class Draft:
    """The written files, the open questions (each with its column), and notes on what was found and changed."""

    contract: Path
    dataset: Path
    rows: int
    questions: tuple[str, ...]
    notes: tuple[str, ...]


def draft_data_set(folder: Path, path: Path, target: str, wishes: Wishes | None = None) -> Draft:
    """Write `dataset.csv` and a drafted `contract.toml` into a folder. path: the owner's file.

    Raises DataError and writes nothing when the file or its target can't be used or files would be overwritten.
    """
    wishes = wishes or Wishes()
    contract, dataset = folder / "contract.toml", folder / "dataset.csv"
    if contract.exists() and not wishes.replace:
        raise DataError(f"{contract}: exists already and stays as it is; expected a folder without one, or --replace")
    if LEAKS in wishes.answers:  # for each column alike, so none may be scored by it; a file may have no such column
        wishes.answer(LEAKS, "", LEAK_USES)
    reading = read_file(path, wishes.form, target := target.strip())
    notes = list(reading.notes)
    for name in (target, *wishes.missing, *wishes.categories, *wishes.dates):
        if name not in reading.header:
            shown = f"{', '.join(reading.header)} ({'; '.join(notes)})"
            shown += "; where these are values, say --no-header" * any(map(is_finite_number, reading.header))
            raise DataError(f"{path}: no column {name!r}, expected one of {shown}")
    at = reading.header.index(target)
    labels = sort_labels(str(path), target, [row[at] for row in reading.rows], wishes)
    rows, markers, late = _drop_unlabelled(reading, target, labels.of_cell, notes)
    columns = dict(zip(reading.header, map(list, zip(*rows, strict=True)), strict=True))
    target_cells = [labels.of_cell[cell] for cell in columns.pop(target)]
    y = np.array([int(cell in labels.positive) for cell in target_cells])
    target_table = draft_target(target, labels, wishes.answer)
    keys = find_keys(columns)
    split = choose_key(columns, keys, wishes)
    source, numbers, question = _survey(reading.source, columns, split.get("by", ""), wishes, notes)
    header, *cleaned = clean_rows(
        iter(rows), replace(source, names=tuple(reading.header), notes_below=False), numbers, target, notes
    )
    columns = dict(zip(header, map(list, zip(*cleaned, strict=True)), strict=True))
    columns |= {name: list(map(name_code, columns[name])) for name in wishes.categories}
    columns[target] = target_cells
    no_features = dict.fromkeys(keys, IDENTIFIER) | {split.get("by", ""): GROUPS}
    features, left_out = _draft_features(columns, target, no_features, late, y, wishes)
    features = count_from_application(features, columns, y, wishes, notes)
    features = _ask_uses(features, left_out, wishes)  # of dates that are questioned now that they are counted
    _check_use(path, target, features, left_out, wishes)
    left_out.pop(split.get("by", ""), None)
    notes += describe_codes(features, columns)
    if left_out:
        notes.append(f"left out of dataset.csv: {_in_words(left_out)}")
    missing = {**source.missing, **({target: markers} if markers else {})}
    source = replace(source, left_out=left_out, missing=missing, drop_unlabelled=len(rows) < len(reading.rows))
    data = _to_csv({name: cells for name, cells in columns.items() if name not in left_out})
    if dataset.exists() and not wishes.replace and dataset.read_bytes() != data:
        raise DataError(f"{dataset}: exists already with other content; expected another folder, or --replace")
    tables = {"target": target_table, "source": source.to_dict() | question, "feature": features}
    tables |= draft_split(tables | {"top": draft_top(folder.resolve().name)}, columns, y, split, wishes, notes)
    page = render(path.name, count(len(y), "row"), notes, tables)
    try:
        write_atomically(dataset, data)
        write_atomically(contract, page.encode())
    except OSError as err:
        raise DataError(f"{folder}: can't write: {err.strerror}") from err
    return Draft(contract, dataset, len(y), _questions(tables), tuple(notes))


def _survey(
    source: Source, columns: Mapping[str, list[str]], by: str, wishes: Wishes, notes: list[str]
) -> tuple[Source, list[str], dict[str, str]]:
    """Return what `survey` returns; the cells of a group key are no numbers, and stay as they are."""
    others = {name: cells for name, cells in columns.items() if name != by}
    source, numbers, question = survey(source, others, wishes, notes)
    missing = {by: list(wishes.missing[by])} if by in wishes.missing else {}
    return replace(source, missing={**source.missing, **missing}), numbers, question


def _questions(tables: Mapping[str, Any]) -> tuple[str, ...]:
    asked = [tables["target"], {"name": "source", **tables["source"]}, *tables["feature"]]
    return tuple(f"{table['name']}: {table['question']}" for table in asked if "question" in table)


def _drop_unlabelled(
    reading: Reading, target: str, label_of: Mapping[str, str | None], notes: list[str]
) -> tuple[list[Row], list[str], set[str]]:
    """Return the rows that have a label, the cells that mean none, and the columns that are empty without one."""
    at = reading.header.index(target)
    labelled = [row for row in reading.rows if label_of[row[at]] is not None]
    without = [row for row in reading.rows if label_of[row[at]] is None]
    if without:
        counts = Counter(row[at] for row in without if row[at])
        named = f" ({', '.join(f'{cell}: {n:,}' for cell, n in counts.most_common())})" if counts else ""
        numbers = name_rows([row.line for row in without])
        notes.append(f"{count(len(without), 'row')} without {target}, left out{named}: {numbers}")
    late = find_late_columns(reading.header, labelled, without, target)
    return labelled, sorted({row[at] for row in without} - {""}), late


def _check_use(
    path: Path, target: str, features: list[dict[str, Any]], left_out: Mapping[str, str], wishes: Wishes
) -> None:
    """Raise DataError for an answer to no question, and when no feature is scored."""
    names = {feature["name"] for feature in features}
    for name in set(wishes.answers) - wishes.used - names:
        if name in QUESTIONS:
            raise DataError(f"--answer {name}={wishes.answers[name]}: this file raises no such question, expected none")
        why = f"can't be used ({left_out[name]})" if name in left_out else "no such question"
        expected = ", ".join(sorted({*QUESTIONS, *names}))
        raise DataError(f"--answer {name}={wishes.answers[name]}: {why}, expected one to {expected}")
    if not any(feature.get("use", "score") == "score" for feature in features):
        raise DataError(f"{path}: no column beside {target} that a model could use: {_in_words(left_out)}")


def _draft_features(
    columns: Mapping[str, list[str]],
    target: str,
    no_features: Mapping[str, str],
    late: Collection[str],
    y: Any,
    wishes: Wishes,
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return the features' tables, and the reason for each column that is left out.

    no_features: columns that are features only if their owner says so, with the reason.   late: of `find_late_columns`.
    """
    features, left_out, codes, titles = [], {}, Counter(), set()
    for name, cells in columns.items():
        if name == target:
            continue
        if name in no_features and (name not in wishes.answers or no_features[name] == GROUPS):
            left_out[name] = no_features[name]
            continue
        draft = draft_feature(name, cells, y, name in wishes.categories)
        if isinstance(draft, dict) and name in late and "question" not in draft:
            draft |= {"use": "monitor", "question": IS_LATE.format(name, target)}
        if isinstance(draft, dict) and ("question" in draft or name in wishes.answers):
            draft = _apply_use(name, draft, wishes)
        if isinstance(draft, str):
            left_out[name] = draft
            continue
        code = Feature(name, draft["type"]).code
        codes[code] += 1
        if codes[code] > 1 or not code.strip("_"):
            draft["reason"]["code"] = f"{code.strip('_') or 'COLUMN'}_{len(features) + 1}"
        if (title := draft["reason"]["en"]) in titles:
            draft["reason"]["en"] = f"{title} ({name})"
        titles.add(title)
        features.append(draft)
    return features, left_out


def _ask_uses(features: list[dict[str, Any]], left_out: dict[str, str], wishes: Wishes) -> list[dict[str, Any]]:
    """Return the features, those with a question as their owner uses them; adds to `left_out`."""
    applied = {
        each["name"]: _apply_use(each["name"], each, wishes) if "question" in each else each for each in features
    }
    left_out.update({name: why for name, why in applied.items() if isinstance(why, str)})
    return [each for each in applied.values() if not isinstance(each, str)]


def _apply_use(name: str, draft: dict[str, Any], wishes: Wishes) -> dict[str, Any] | str:
    text, guess = draft.get("question", f"How is {name} used?"), draft.get("use", "score")
    asked = LEAKS if LEAKS in wishes.answers and name not in wishes.answers else name
    use = wishes.answer(asked, text, (guess, *(use for use in USES if use != guess)))
    if use is None:
        return draft
    if use == "leave_out":
        return "as its owner says"
    draft = {key: value for key, value in draft.items() if key not in ("question", "comment", "use")}
    if use != "score":
        return draft | {"use": use}
    if draft.get("protected") and draft["type"] in ("number", "integer"):
        return draft | AGE
    return {key: value for key, value in draft.items() if key != "protected"}


def _in_words(left_out: Mapping[str, str]) -> str:
    return "; ".join(f"{name} ({why})" for name, why in left_out.items())


def _to_csv(columns: dict[str, list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([list(columns), *zip(*columns.values(), strict=True)])
    return text.getvalue().encode()

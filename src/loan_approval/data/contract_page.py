"""Writes a drafted contract so that it reads from top to bottom: what was done, the questions, then a feature each."""

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 118
HEADER = """
Drafted from {file}, {rows}:
{notes}

Training is refused while a line `question = …` is left: correct the lines above it, then delete it.
Worth adding to a feature: unit, direction (1 or -1 where the score may only rise or fall with it), actionable = true
(an applicant can change it). min and max are what was seen, widened: make them what is possible.
"""
_OWN_WORDS = ("comment", "question")
_COMMENTED = ("use = ", "as = ", "other = ", "by = ", "split_salt = ")  # the lines that comments speak of


def draft_top(folder_name: str) -> dict[str, Any]:
    """Return the keys at the top of a drafted contract."""
    slug = re.sub(r"\W+", "_", folder_name.casefold()).strip("_") or "data"
    return {"format": 1, "model_name": f"{slug}_model", "experiment": f"{slug}_v1", "split_salt": f"{slug}-1"}


def render(file: str, rows: str, notes: Sequence[str], tables: Mapping[str, Any]) -> str:
    """Return the text of `contract.toml`. tables: top, split (may be empty), target, source, and a list of features."""
    listed = "\n".join(f"- {note}" for note in notes)
    page = [_comment(HEADER.format(file=file, rows=rows, notes=listed).strip()), *_lines(tables["top"])]
    if tables["split"]:
        page += ["", "[split]", *_lines(tables["split"])]
    page += ["", "[target]", *_lines(tables["target"])]
    page += ["", "# How the file was written; check-data and score read others like it by the same rules.", "[source]"]
    page += _lines(tables["source"])
    for feature in tables["feature"]:
        page += ["", "[[feature]]", *_lines(feature)]
    return "\n".join(page) + "\n"


def _lines(table: Mapping[str, Any]) -> list[str]:
    """Return a table's lines: a comment above the lines it speaks of, the question last."""
    lines = [f"{key} = {_toml(value)}" for key, value in table.items() if key not in _OWN_WORDS]
    if "comment" in table:
        at = next(i for start in _COMMENTED for i, line in enumerate(lines) if line.startswith(start))
        lines[at:at] = [_comment(table["comment"])]
    return lines + ([f"question = {_toml(table['question'])}"] if "question" in table else [])


def _comment(text: str) -> str:
    # No cell or name may end a comment.
    lines = [re.sub(r"[\x00-\x1f\x7f]", "�", line) for line in text.split("\n")]
    wrapped = [part for line in lines for part in (textwrap.wrap(line, WIDTH, subsequent_indent=_indent(line)) or [""])]
    return "\n".join(f"# {line}".rstrip() for line in wrapped)


def _indent(line: str) -> str:
    return "  " if line.startswith("- ") else ""


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

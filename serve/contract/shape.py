"""The shape of a table in a contract document: which keys it has, and of which kind each value is."""

from collections.abc import Mapping
from typing import Any

_KINDS = {
    **{"text": str, "a whole number": int, "a number": (int, float), "true or false": bool, "a table": Mapping},
    **{"a list": (list, tuple), "text or a whole number": (str, int), "text or a number": (str, int, float)},
}


def shape_problems(table: Any, kinds: Mapping[str, str], required: Any, where: str) -> list[str]:
    """Return the problems of a table's keys.

    kinds: a key of `_KINDS` for each key that is known.   required: the keys that must be there.   where: what the
    messages begin with.
    """
    if not isinstance(table, Mapping):
        return [f"{where.rstrip('.: ')}: expected a table"]
    problems = [f"{where}question: an open question is left: {table['question']}"] if "question" in table else []
    unknown = [key for key in table if key not in kinds and key != "question"]
    problems += [f"{where}{key}: unknown key, expected {', '.join(kinds)}" for key in unknown]
    problems += [f"{where}{key}: missing" for key in sorted(required) if table.get(key) is None]
    for key, kind in kinds.items():
        value = table.get(key)
        is_wrong_bool = isinstance(value, bool) and kind != "true or false"
        if value is not None and (is_wrong_bool or not isinstance(value, _KINDS[kind])):
            problems.append(f"{where}{key}: expected {kind}")
    return problems


def are_texts(values: Any) -> bool:
    """Return whether a value is a list of texts."""
    return isinstance(values, list | tuple) and all(isinstance(value, str) for value in values)

"""A notebook's parameters: names, types and defaults, and the check of values against them.

They are read from the cell tagged `parameters` with Python's own parser: papermill's inspection works by line and
pattern, and misses a parameter with `|` in its type or a second `=` in its comment.
"""

import ast
import difflib
import json
import reprlib
from collections.abc import Iterator, Mapping
from inspect import formatannotation
from pathlib import Path
from typing import Any

import msgspec

from loan_approval.errors import ParameterError
from serve import strict_json
from serve.errors import JSONError

_TYPES = {kind.__name__: kind for kind in (str, bool, int, float, list, dict, object)}


def check_parameters(notebook: Path, parameters: Mapping[str, object]) -> None:
    """Raise ParameterError, with every problem in it, for names the notebook does not have and values of other types.

    A type is the annotation or type comment, else that of the default. An int fits a float; a bool is no int.
    """
    declared = _declared_types(notebook)
    problems = [_describe_unknown(name, declared) for name in parameters if name not in declared]
    for name, value in parameters.items():
        if name in declared and not _fits(value, declared[name]):
            got = f"{reprlib.repr(value)} ({type(value).__name__})"
            problems.append(f"{name} is {got}, expected {formatannotation(declared[name])}")
    if problems:
        expected = ", ".join(f"{name}: {formatannotation(kind)}" for name, kind in declared.items()) or "none"
        raise ParameterError(f"{notebook}: {'; '.join(problems)}. The notebook's parameters: {expected}")


def parse_parameters(notebook: Path, texts: Mapping[str, str]) -> dict[str, object]:
    """Return the values of texts from a command line, by the notebook's types. Raises ParameterError.

    Text is taken as it is, anything else is read as JSON (True and False are understood).
    """
    declared = _declared_types(notebook)
    values = {name: _parse(text, declared[name]) if name in declared else text for name, text in texts.items()}
    check_parameters(notebook, values)
    return values


def default_parameters(notebook: Path) -> dict[str, object]:
    """Return the values of a notebook's parameters cell, which holds literals. Raises ParameterError."""
    return {name: ast.literal_eval(default) for name, _, default in _assignments(notebook)}


def _declared_types(notebook: Path) -> dict[str, Any]:
    declared = {}
    for name, kind, _ in _assignments(notebook):
        try:
            declared[name] = eval(kind, {"__builtins__": {}}, _TYPES)  # noqa: S307 (a type in a notebook of the project)
            msgspec.json.Decoder(declared[name])
        except (AttributeError, NameError, SyntaxError, TypeError) as err:
            raise ParameterError(f"{notebook}: {name}: {kind} is no type a parameter can have") from err
    return declared


def _assignments(notebook: Path) -> Iterator[tuple[str, str, ast.expr]]:
    """Yield name, type and default of each parameter."""
    for statement in _statements(notebook):
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=kind, value=default):
                quoted = isinstance(kind, ast.Constant) and isinstance(kind.value, str)
                yield name, kind.value if quoted else ast.unparse(kind), default
            case ast.Assign(targets=[ast.Name(id=name)], value=default, type_comment=comment):
                # As in papermill, what follows the first word of a type comment is help.
                yield name, comment.split()[0] if comment else _type_of(default), default


def _statements(notebook: Path) -> list[ast.stmt]:
    import nbformat  # slow to import, and most commands need no notebook

    try:
        cells = nbformat.read(notebook, as_version=4).cells
        tagged = [cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])]
        return ast.parse(tagged[0], type_comments=True).body if tagged else []
    except SyntaxError as err:
        raise ParameterError(f"{notebook}: the parameters cell is not plain Python: {err}") from err
    except (OSError, ValueError, nbformat.ValidationError) as err:
        raise ParameterError(f"{notebook}: can't be read as a notebook: {err}") from err


def _type_of(default: ast.expr) -> str:
    try:
        name = type(ast.literal_eval(default)).__name__
    except ValueError:
        return "object"
    return name if name in _TYPES else "object"  # None alone does not tell a type


def _fits(value: object, kind: Any) -> bool:
    """Return whether a value is of a type and can be written as JSON."""
    try:
        msgspec.convert(value, kind)
        json.dumps(value)
    except (msgspec.ValidationError, TypeError, ValueError):
        return False
    return True


def _parse(text: str, kind: Any) -> object:
    try:
        value = strict_json.loads({"True": "true", "False": "false"}.get(text, text).encode())
    except JSONError:
        return text
    return text if _fits(text, kind) and not (value is None and _fits(None, kind)) else value


def _describe_unknown(name: str, declared: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, declared, n=1)
    return f"no parameter {name!r}" + (f", did you mean {close[0]!r}?" if close else "")

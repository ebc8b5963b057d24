"""A notebook's parameters: which there are, of which types, and whether given ones fit.

They are read from the cell tagged `parameters` with Python's own parser: papermill's inspection works by line and
pattern, and misses a parameter with `|` in its type or a second `=` in its comment.
"""

import ast
import difflib
import json
import reprlib
from collections.abc import Mapping
from pathlib import Path

from loan_approval.errors import ParameterError
from serve import strict_json
from serve.errors import JSONError

_TYPES = {"str": str, "bool": bool, "int": int, "float": (int, float), "list": list, "dict": dict, "object": object}


def check_parameters(notebook: Path, parameters: Mapping[str, object]) -> None:
    """Raise ParameterError, with every problem in it, for names the notebook does not have and values of other types.

    A type is the annotation or type comment, else that of the default. An int fits a float; a bool is no int.
    """
    declared = _declared(notebook)
    problems = [_unknown(name, declared) for name in parameters if name not in declared]
    for name, value in parameters.items():
        if name in declared and not (_fits(value, declared[name]) and _is_json(value)):
            got = f"{reprlib.repr(value)} ({type(value).__name__})"
            problems.append(f"{name} is {got}, expected {ast.unparse(declared[name])}")
    if problems:
        expected = ", ".join(f"{name}: {ast.unparse(kind)}" for name, kind in declared.items()) or "none"
        raise ParameterError(f"{notebook}: {'; '.join(problems)}. The notebook's parameters: {expected}")


def parse_parameters(notebook: Path, texts: Mapping[str, str]) -> dict[str, object]:
    """Return the values that texts from a command line stand for, by the notebook's types.

    Text is taken as it is, anything else is read as JSON (True and False are understood). Raises ParameterError.
    """
    declared = _declared(notebook)
    values = {name: _parse(text, declared[name]) if name in declared else text for name, text in texts.items()}
    check_parameters(notebook, values)
    return values


def default_parameters(notebook: Path) -> dict[str, object]:
    """Return the values of a notebook's parameters cell, which holds literals. Raises ParameterError."""
    defaults = {}
    for statement in _statements(notebook):
        for name, _ in _assigned(statement):
            defaults[name] = ast.literal_eval(statement.value)
    return defaults


def _declared(notebook: Path) -> dict[str, ast.expr]:
    declared = {name: kind for statement in _statements(notebook) for name, kind in _assigned(statement)}
    for name, kind in declared.items():
        if not _is_supported(kind):
            raise ParameterError(f"{notebook}: {name}: {ast.unparse(kind)} is no type a parameter can have")
    return declared


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


def _assigned(statement: ast.stmt) -> list[tuple[str, ast.expr]]:
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Constant(value=str(quoted))):
            return [(name, ast.parse(quoted, mode="eval").body)]
        case ast.AnnAssign(target=ast.Name(id=name), annotation=kind):
            return [(name, kind)]
        case ast.Assign(targets=targets, value=value, type_comment=comment):
            # As in papermill, what follows the first word of a type comment is help.
            kind = ast.parse(comment.split()[0], mode="eval").body if comment else _type_of(value)
            return [(target.id, kind) for target in targets if isinstance(target, ast.Name)]
    return []


def _type_of(default: ast.expr) -> ast.expr:
    try:
        value = ast.literal_eval(default)
    except ValueError:
        return ast.Name("object")
    name = type(value).__name__
    return ast.Name(name if name in _TYPES else "object")  # None alone does not tell a type


def _is_supported(kind: ast.expr) -> bool:
    match kind:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _is_supported(left) and _is_supported(right)
        case ast.Subscript(value=ast.Name(id="list"), slice=item):
            return _is_supported(item)
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[ast.Name(id="str"), item])):
            return _is_supported(item)
        case ast.Constant(value=None):
            return True
    return isinstance(kind, ast.Name) and kind.id in _TYPES


def _fits(value: object, kind: ast.expr) -> bool:
    match kind:
        case ast.BinOp(left=left, right=right):
            return _fits(value, left) or _fits(value, right)
        case ast.Subscript(value=ast.Name(id="list"), slice=item):
            return isinstance(value, list) and all(_fits(member, item) for member in value)
        case ast.Subscript(slice=ast.Tuple(elts=[key, item])):
            return isinstance(value, dict) and all(_fits(k, key) and _fits(v, item) for k, v in value.items())
        case ast.Name(id=name):
            return isinstance(value, _TYPES[name]) and (name in ("bool", "object") or not isinstance(value, bool))
    return value is None


def _is_json(value: object) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def _parse(text: str, kind: ast.expr) -> object:
    try:
        value = strict_json.loads({"True": "true", "False": "false"}.get(text, text).encode())
    except JSONError:
        return text
    return text if _fits(text, kind) and not (value is None and _fits(None, kind)) else value


def _unknown(name: str, declared: Mapping[str, ast.expr]) -> str:
    close = difflib.get_close_matches(name, declared, n=1)
    return f"no parameter {name!r}" + (f", did you mean {close[0]!r}?" if close else "")

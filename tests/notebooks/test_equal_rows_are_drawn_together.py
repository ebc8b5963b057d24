"""A copy of a row is no further evidence: what draws or permutes rows in a notebook is told which rows are equal."""

import ast
import importlib
import inspect
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
UNITS = "distinct", "data.units('calibrate')"
TAKES = {"groups", "equal"}  # the parameters that say so


@pytest.mark.parametrize(("name", "expected"), [("02_train", 7), ("03_validate", 5)])
def test_every_interval_is_told_which_rows_are_equal(name: str, expected: int) -> None:
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    tree = ast.parse("\n".join(cell.source for cell in cells if cell.cell_type == "code"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and "loan" in node.module]
    pairs = [(importlib.import_module(node.module), alias.name) for node in imports for alias in node.names]
    functions = {name: getattr(module, name, None) for module, name in pairs}  # None: a module
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) in functions]
    checked = 0
    for call in calls:
        function = functions[ast.unparse(call.func)]
        if inspect.isfunction(function) and TAKES & set(inspect.signature(function).parameters):
            named = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
            bound = inspect.signature(function).bind(*call.args, **named)
            assert any(ast.unparse(bound.arguments[each]) in UNITS for each in TAKES & set(bound.arguments))
            checked += 1
    assert checked == expected

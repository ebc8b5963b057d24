"""What is chosen among many runs must not be chosen on test rows: with `register = False` 02_train takes none."""

import ast
from pathlib import Path

import nbformat

PATH = Path(__file__).parents[2] / "notebooks" / "02_train.ipynb"


def test_rows_are_taken_by_the_role_that_register_settles() -> None:
    cells = [cell for cell in nbformat.read(PATH, as_version=4).cells if cell.cell_type == "code"]
    tree = ast.parse("\n".join(cell.source for cell in cells))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    taken = {ast.unparse(call.args[0]) for call in calls if call.func.attr == "rows"}
    settled = {
        ast.unparse(node.value) for node in ast.walk(tree) if isinstance(node, ast.Assign) and "judged" in names(node)
    }
    assert taken == {"'calibrate'", "judged"}
    assert settled == {"'test' if register else 'calibrate'"}


def names(node: ast.Assign) -> set[str]:
    return {target.id for target in node.targets if isinstance(target, ast.Name)}

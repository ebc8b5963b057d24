"""A choice among many runs must not depend on test rows: with `register = False` 02_train reads none of them."""

import ast
from pathlib import Path

import nbformat

PATH = Path(__file__).parents[2] / "notebooks" / "02_train.ipynb"


def test_register_decides_which_split_is_judged() -> None:
    cells = [cell for cell in nbformat.read(PATH, as_version=4).cells if cell.cell_type == "code"]
    tree = ast.parse("\n".join(cell.source for cell in cells))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    taken = {ast.unparse(call.args[0]) for call in calls if call.func.attr == "rows"}
    chosen = {
        ast.unparse(node.value) for node in ast.walk(tree) if isinstance(node, ast.Assign) and "judged" in names(node)
    }
    assert taken == {"'calibrate'", "judged"}
    assert chosen == {"'test' if register else 'calibrate'"}


def test_figures_are_titled_by_the_split_they_show() -> None:
    cells = [cell for cell in nbformat.read(PATH, as_version=4).cells if cell.cell_type == "code"]
    calls = [node for node in ast.walk(ast.parse("\n".join(c.source for c in cells))) if isinstance(node, ast.Call)]
    titled = ("plot_confusion", "plot_calibration", "plot_scores", "plot_roc", "measure_importance")
    drawn = {ast.unparse(call.func): call for call in calls if ast.unparse(call.func) in titled}
    assert len(drawn) == len(titled)
    assert all("judged" in map(ast.unparse, call.args) for call in drawn.values())


def names(node: ast.Assign) -> set[str]:
    return {target.id for target in node.targets if isinstance(target, ast.Name)}

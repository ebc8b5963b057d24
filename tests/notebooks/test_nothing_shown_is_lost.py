"""A cell shows its last value alone: whatever else it makes for the page is handed to `display`, or lost."""

import ast
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def find_lost(source: str) -> list[str]:
    """Return the statements of a cell that make something to show and are neither its last nor shown."""
    *others, _ = ast.parse(source).body or [None]
    calls = [each.value for each in others if isinstance(each, ast.Expr) and isinstance(each.value, ast.Call)]
    return [ast.unparse(call) for call in calls if ast.unparse(call.func).startswith("show.")]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_table_figure_or_sentence_is_made_and_not_shown(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    assert [lost for cell in cells if cell.cell_type == "code" for lost in find_lost(cell.source)] == []


def test_a_table_before_a_sentence_is_lost_and_one_in_display_is_not() -> None:
    assert find_lost("show.table(a)\nshow.say(b)") == ["show.table(a)"]
    assert find_lost("display(show.table(a))\nshow.say(b)") == []

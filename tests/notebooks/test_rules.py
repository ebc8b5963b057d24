"""What every notebook keeps."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOST_CELLS, MOST_LINES = 32, 15

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_a_notebook_is_named_by_number_and_verb_and_what_it_is_done_to(path: Path) -> None:
    assert re.fullmatch(r"\d\d_[a-z]+(_[a-z]+)?", path.stem)


def test_no_outputs_are_committed(path: Path) -> None:
    assert all(not cell.outputs and cell.execution_count is None for cell in code_cells(path))


def test_the_first_cell_tells_question_inputs_and_outputs(path: Path) -> None:
    first = nbformat.read(path, as_version=4).cells[0]
    assert first.cell_type == "markdown"
    assert all(f"**{word}.**" in first.source for word in ("Question", "Inputs", "Outputs"))


def test_one_parameters_cell_holds_commented_literals_and_nothing_else(path: Path) -> None:
    (cell,) = [cell for cell in code_cells(path) if "parameters" in cell.metadata.get("tags", [])]
    for line in cell.source.splitlines():
        assert "  # " in line, f"no comment: {line}"
    for statement in ast.parse(cell.source).body:
        assert isinstance(statement, ast.Assign | ast.AnnAssign)
        ast.literal_eval(statement.value)


def test_code_is_thin(path: Path) -> None:
    cells = code_cells(path)
    assert len(cells) <= MOST_CELLS
    for cell in cells:
        nodes = list(ast.walk(ast.parse(cell.source)))
        assert len(cell.source.splitlines()) <= MOST_LINES or imports_alone(cell), cell.source
        assert not [n for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef | ast.Lambda | ast.Try)]
        assert not re.search(r"^\s*[%!]", cell.source, re.MULTILINE)


def imports_alone(cell: nbformat.NotebookNode) -> bool:
    return all(isinstance(statement, ast.Import | ast.ImportFrom) for statement in ast.parse(cell.source).body)


def test_what_the_story_is_told_with_stands_in_one_cell_of_imports(path: Path) -> None:
    importing = [cell for cell in code_cells(path) if re.search(r"^(import|from) ", cell.source, re.MULTILINE)]
    assert len(importing) == 1


def test_no_value_is_shown_as_python_writes_it(path: Path) -> None:
    """Jupyter displays the last expression of a cell: it is a call that shows what it makes, and no bare name."""
    shown = [ast.parse(cell.source).body[-1] for cell in code_cells(path)]
    assert [
        ast.unparse(last) for last in shown if isinstance(last, ast.Expr) and not isinstance(last.value, ast.Call)
    ] == []


def test_the_last_cell_says_the_answer_and_publishes_it(path: Path) -> None:
    last = code_cells(path)[-1].source
    assert re.search(r"\b(print|say)\(", last)
    assert "publish(" in last

"""01_explore shows labels of train and calibrate rows only."""

import ast
from pathlib import Path

import nbformat

PATH = Path(__file__).parents[2] / "notebooks" / "01_explore.ipynb"


def test_only_missing_cells_are_shown_of_all_rows() -> None:
    cells = [cell for cell in nbformat.read(PATH, as_version=4).cells if cell.cell_type == "code"]
    lines = "\n".join(cell.source for cell in cells).splitlines()
    users = [ast.unparse(ast.parse(line)) for line in lines if "data.frame" in line or "shown.frame" in line]
    assert users == [
        "with_labels = data.frame[data.splits != 'test']",
        "gaps = plots.plot_missing(data.frame[list(names)].rename(columns=names))",
        "show.figure(gaps, describe_missing(data.frame.rename(columns=titles)), front=True)",
        "patterns = missing_patterns(data.frame.rename(columns=titles))",
        "about = describe_sample(shown.frame, data.frame, 'the best by themselves')",  # counts rows and columns
        "with_labels_shown = shown.frame[shown.splits != 'test']",
        "matrix = association_matrix(shown.frame.drop(columns=contract.target.name).rename(columns=titles))",
        "gaps = data.frame.isna().mean()",
    ]

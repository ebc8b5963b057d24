"""Reports of notebooks that a person ran, in JupyterLab or with papermill alone.

A notebook cannot render itself: its last cell runs before its outputs are saved. So the report is made afterwards, from
the saved notebook.
"""

from pathlib import Path
from typing import Any

from loan_approval.errors import DataError
from loan_approval.notebooks.reports import write_html
from loan_approval.notebooks.run import NotebookRun
from loan_approval.notebooks.summary import failed_page, published, remove_page, summarize
from serve.files import write_atomically


def report_by_hand(notebook: Path, reports: Path) -> NotebookRun:
    """Write the report of a notebook that was run by hand where a command would have written it; return its result.

    reports: the folder of all data sets' reports. Raises DataError, and writes nothing, unless every cell ran once,
    from top to bottom, without an error, and the last one published a result.
    """
    import nbformat  # slow to import

    try:
        document = nbformat.read(notebook, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError) as err:
        raise DataError(f"{notebook}: can't be read as a notebook: {err}") from err
    check_order(document, notebook)
    result = published(document, notebook)
    dataset = summarize(document, notebook.stem)["facts"].get("dataset")
    if not dataset:
        raise DataError(f"{notebook}: it shows no header with the name of the data set")
    html = reports / dataset / f"{_name(document, notebook)}.html"
    write_atomically(html.with_suffix(".ipynb"), notebook.read_bytes())
    write_html(html.with_suffix(".ipynb"), html)
    remove_page(failed_page(html))
    return NotebookRun(result, html, seconds=0.0)


def check_order(document: Any, where: Path) -> None:
    """Raise DataError unless the code cells of a notebook (nbformat's) ran once each, in order, without an error."""
    cells = [cell for cell in document.cells if cell.cell_type == "code" and cell.source.strip()]
    for number, cell in enumerate(cells, start=1):
        if any(output.output_type == "error" for output in cell.outputs):
            raise DataError(f"{where}: code cell {number} of {len(cells)} ended in an error")
        if cell.execution_count != number:
            raise DataError(
                f"{where}: code cell {number} of {len(cells)} did not run in its turn: restart the kernel, run all "
                "cells and save"
            )


def _name(document: Any, notebook: Path) -> str:
    """Return the report's name: what papermill was told or ran, else the file's own."""
    recorded = document.metadata.get("papermill", {})
    return recorded.get("parameters", {}).get("report") or Path(recorded.get("input_path") or notebook).stem

"""Reports of notebooks that papermill ran without the command; a kernel start costs seconds, so one run is shared."""

import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import papermill
import pytest

from loan_approval.errors import DataError
from loan_approval.notebooks.by_hand import report_by_hand
from tests.notebook_runs import write_notebook

ANSWER = """\
from loan_approval.notebooks import show
from loan_approval.notebooks.run import publish
show.header("loans", [("AUC", "0.8")], ["All is well."], version="3")
publish(run_id="r", seed=seed)
"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("by_hand")
    notebook = write_notebook(folder / "02_tiny.ipynb", "seed = 7", ANSWER)
    options = {"kernel_name": "python3", "language": "python", "progress_bar": False}
    papermill.execute_notebook(notebook, folder / "out.ipynb", {"seed": 8}, **options)
    return folder / "out.ipynb"


@pytest.fixture
def changed(executed: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the executed notebook, changed, and returns its path."""

    def write(change: Callable[[nbformat.NotebookNode], object]) -> Path:
        document = nbformat.read(executed, as_version=4)
        change(document)
        nbformat.write(document, tmp_path / "changed.ipynb")
        return tmp_path / "changed.ipynb"

    return write


def test_a_run_by_papermill_alone_is_reported_where_the_command_would(executed: Path, tmp_path: Path) -> None:
    run = report_by_hand(executed, tmp_path)
    assert run.result == {"run_id": "r", "seed": 8}
    assert run.html == tmp_path / "loans/02_tiny.html"
    assert run.html.with_suffix(".ipynb").exists()
    assert "All is well." in run.html.read_text()
    assert (tmp_path / "loans/02_tiny.summary.json").exists()


def test_a_notebook_of_jupyterlab_is_named_after_its_file(changed, tmp_path: Path) -> None:
    notebook = changed(lambda document: document.metadata.pop("papermill"))
    assert report_by_hand(notebook, tmp_path / "reports").html.name == "changed.html"


def test_a_finished_run_takes_the_place_of_one_that_did_not_finish(executed: Path, tmp_path: Path) -> None:
    (tmp_path / "loans").mkdir()
    (tmp_path / "loans/02_tiny.failed.html").write_text("stopped")
    report_by_hand(executed, tmp_path)
    assert not list(tmp_path.rglob("*.failed.*"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda nb: nb.cells[1].update(execution_count=None), "code cell 1 of 3 did not run in its turn"),
        (lambda nb: nb.cells[-1].update(execution_count=9), "code cell 3 of 3 did not run in its turn: restart"),
        (lambda nb: nb.cells[-1].update(execution_count=None, outputs=[]), "code cell 3 of 3 did not run"),
        (
            lambda nb: nb.cells[2].outputs.append(nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])),
            "code cell 2 of 3 ended in an error",
        ),
        (lambda nb: nb.cells[-1].update(outputs=nb.cells[-1].outputs[:-1]), r"no result, expected a call of publish"),
        (lambda nb: nb.cells[-1].update(outputs=nb.cells[-1].outputs[1:]), "no header with the name of the data set"),
    ],
)
def test_what_did_not_run_whole_is_refused_and_the_last_good_report_stays(
    executed: Path, changed, tmp_path: Path, change, words: str
) -> None:
    good = report_by_hand(executed, tmp_path / "reports").html.read_text()
    with pytest.raises(DataError, match=words):
        report_by_hand(changed(change), tmp_path / "reports")
    assert (tmp_path / "reports/loans/02_tiny.html").read_text() == good
    assert len(list((tmp_path / "reports/loans").iterdir())) == 3


def test_a_file_that_is_no_notebook_is_refused(tmp_path: Path) -> None:
    shutil.copy(__file__, tmp_path / "x.ipynb")
    with pytest.raises(DataError, match="can't be read as a notebook"):
        report_by_hand(tmp_path / "x.ipynb", tmp_path / "reports")

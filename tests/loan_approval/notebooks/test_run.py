"""Notebooks are run by papermill for real; a kernel start costs seconds, so runs are shared."""

import sys
from pathlib import Path

import nbformat
import psutil
import pytest

from loan_approval.errors import DataError, NotebookFailedError, NotebookTimeoutError, ParameterError
from loan_approval.notebooks.run import NotebookRun, execute, publish, run_notebook
from loan_approval.notebooks.summary import read_summary
from loan_approval.project import ROOT
from tests.notebook_runs import DEADLINE, is_running, write_hanging_notebook, write_notebook

ENDS = (".ipynb", ".html", ".summary.json")
PARAMETERS = 'seed = 7\nrate = 0.5\ncolumns = ["Age"]'


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="module")
def notebook(root: Path) -> Path:
    answer = """\
import os, sys
from loan_approval.notebooks.run import publish
publish(draft=True)
publish(seed=seed, rate=rate, columns=columns, label="Não", python=sys.executable, folder=os.getcwd())
"""
    return write_notebook(root / "notebooks" / "01_tiny.ipynb", PARAMETERS, answer)


@pytest.fixture(scope="module")
def run(notebook: Path, root: Path) -> NotebookRun:
    decoy = root / "home" / "kernels" / "python3"
    decoy.mkdir(parents=True)
    (decoy / "kernel.json").write_text('{"argv": ["false"], "display_name": "decoy", "language": "python"}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_DATA_DIR", str(root / "home"))  # as if the user had installed that kernel
        patch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
        return run_notebook(notebook, {"seed": 11, "rate": 1e-06}, root / "reports" / "loans")


def test_the_last_published_result_comes_back_with_the_given_parameters(run: NotebookRun) -> None:
    expected = {"seed": 11, "rate": 1e-06, "columns": ["Age"], "label": "Não"}

    assert {name: run.result[name] for name in expected} == expected
    assert "draft" not in run.result
    assert run.seconds > 0


def test_the_kernel_is_this_interpreter_in_the_repositorys_root(run: NotebookRun) -> None:
    assert (run.result["python"], run.result["folder"]) == (sys.executable, str(ROOT))


def test_both_files_are_kept_under_the_notebooks_name(run: NotebookRun, root: Path) -> None:
    folder = root / "reports" / "loans"

    assert run.html == folder / "01_tiny.html"
    assert (folder / "01_tiny.ipynb").exists()
    assert {path.name for path in folder.iterdir()} == {f"01_tiny{end}" for end in ENDS}
    assert "<title>Tiny</title>" in run.html.read_text()


def test_the_executed_notebook_names_no_folder_of_this_machine(run: NotebookRun) -> None:
    recorded = nbformat.read(run.html.with_suffix(".ipynb"), as_version=4).metadata.papermill

    assert (recorded.input_path, recorded.output_path) == ("01_tiny.ipynb", "executed/01_tiny.ipynb")


@pytest.mark.parametrize(
    ("code", "error"),
    [("raise ValueError('no rows')", "ValueError: no rows"), ("import os; os._exit(3)", "the kernel died")],
)
def test_a_failing_cell_is_named_and_what_ran_before_it_is_kept(tmp_path: Path, code: str, error: str) -> None:
    notebook = write_notebook(tmp_path / "02_fails.ipynb", "seed = 1", "print('so far')", code, "print('never')")

    with pytest.raises(
        NotebookFailedError, match=rf"02_fails\.ipynb, cell 4 of 5: {error}; kept: .*02_fails\.failed\.html$"
    ):
        run_notebook(notebook, {"seed": 2}, tmp_path / "reports", time_limit=60)

    assert "so far" in (tmp_path / "reports" / "02_fails.failed.ipynb").read_text()
    assert "so far" in (tmp_path / "reports" / "02_fails.failed.html").read_text()


def test_nothing_is_started_for_a_parameter_that_does_not_fit(notebook: Path, tmp_path: Path) -> None:
    before = psutil.Process().children(recursive=True)

    with pytest.raises(ParameterError):
        run_notebook(notebook, {"sed": 1}, tmp_path / "reports")

    assert psutil.Process().children(recursive=True) == before
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"auc": [float("nan")]}, {1, 2}, object()])
def test_a_result_that_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(DataError, match="publish: auc can't be written as JSON"):
        publish(rows=3, auc=value)


def test_a_run_that_does_not_finish_leaves_the_last_good_report_and_the_next_good_one_replaces_both(
    tmp_path: Path,
) -> None:
    finish = "from loan_approval.notebooks.run import publish\nassert seed\npublish(seed=seed)"
    notebook = write_notebook(tmp_path / "02_train.ipynb", "seed = 1", finish)
    reports = tmp_path / "reports"
    good = run_notebook(notebook, {"seed": 1}, reports).html.read_bytes()

    with pytest.raises(NotebookFailedError):
        run_notebook(notebook, {"seed": 0}, reports)

    assert (reports / "02_train.html").read_bytes() == good
    assert "did not finish: cell 3 of 3" in (reports / "02_train.failed.html").read_text()
    run_notebook(notebook, {"seed": 2}, reports)
    assert {path.name for path in reports.iterdir()} == {f"02_train{end}" for end in ENDS}
    assert [run["time"][:2] for run in read_summary(reports / "02_train.html")["earlier"]] == ["20"]


def test_a_notebook_that_publishes_nothing_did_not_finish(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "01_silent.ipynb", "seed = 1")

    with pytest.raises(DataError, match=r"01_silent\.ipynb: no result"):
        run_notebook(notebook, {}, tmp_path / "reports")

    assert not (tmp_path / "reports/01_silent.html").exists()
    assert (tmp_path / "reports/01_silent.failed.html").exists()


def test_past_the_time_limit_the_kernel_and_what_it_started_are_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    notebook = write_hanging_notebook(tmp_path / "03_hangs.ipynb", pids)

    for limit in (6, 12, 24, 48, 96):  # on a busy machine a kernel may take longer to start
        with pytest.raises(NotebookTimeoutError) as caught:
            run_notebook(notebook, {}, tmp_path / "reports", time_limit=limit, report_name="hangs")
        if pids.exists():
            break

    assert f"03_hangs.ipynb, cell 3 of 3: ended after {limit} s" in str(caught.value)
    assert [pid for pid in map(int, pids.read_text().split()) if is_running(pid)] == []
    assert (tmp_path / "reports" / "hangs.failed.html").is_file()


def test_a_notebook_that_fails_elsewhere_gives_papermills_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = write_notebook(tmp_path / "02_fails.ipynb", "seed = 1", "raise ValueError('no rows')")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path)

    assert execute(notebook, {}, tmp_path / "work/executed/02_fails.ipynb", DEADLINE, {}, False) == 1
    assert "no rows" in (tmp_path / "work/executed/02_fails.ipynb").read_text()

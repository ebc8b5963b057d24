"""Notebooks are run by papermill for real; a kernel start costs seconds, so runs are shared."""

import subprocess
import sys
from pathlib import Path

import nbformat
import psutil
import pytest

from loan_approval.errors import DataError, NotebookFailedError, NotebookTimeoutError, ParameterError
from loan_approval.notebooks.run import (
    NotebookRun,
    check_parameters,
    parse_parameters,
    publish,
    read_result,
    run_notebook,
)
from loan_approval.project import ROOT
from tests.waiting import wait_until

DEADLINE = 120  # seconds
PARAMETERS = """\
seed: int = 7  # which rows are drawn; a == b in a comment hides the line from papermill
rate = 0.5  # a float by its default
data = "a#b"
fast = False
limit: float | None = None
costs: dict[str, float] = {"wrong_approval": 5.0}
columns = [
    "Age",
]
share = 1  # type: float of the rows
"""


def write_notebook(path: Path, *sources: str) -> Path:
    """Make a notebook of code cells, the first tagged `parameters`, under a heading."""
    cells = [nbformat.v4.new_markdown_cell("# Tiny"), *map(nbformat.v4.new_code_cell, sources)]
    cells[1].metadata["tags"] = ["parameters"]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


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
    assert read_result(run.ipynb) == run.result
    assert run.seconds > 0


def test_the_kernel_is_this_interpreter_in_the_repositorys_root(run: NotebookRun) -> None:
    assert (run.result["python"], run.result["folder"]) == (sys.executable, str(ROOT))


def test_both_files_are_kept_under_the_notebooks_name(run: NotebookRun, root: Path) -> None:
    folder = root / "reports" / "loans"

    assert (run.ipynb, run.html) == (folder / "01_tiny.ipynb", folder / "01_tiny.html")
    assert {path.name for path in folder.iterdir()} == {"01_tiny.ipynb", "01_tiny.html"}
    assert "<title>Tiny</title>" in run.html.read_text()


def test_the_executed_notebook_names_no_folder_of_this_machine(run: NotebookRun) -> None:
    recorded = nbformat.read(run.ipynb, as_version=4).metadata.papermill

    assert (recorded.input_path, recorded.output_path) == ("01_tiny.ipynb", "executed/01_tiny.ipynb")


@pytest.mark.parametrize(
    ("code", "error"),
    [("raise ValueError('no rows')", "ValueError: no rows"), ("import os; os._exit(3)", "the kernel died")],
)
def test_a_failing_cell_is_named_and_what_ran_before_it_is_kept(tmp_path: Path, code: str, error: str) -> None:
    notebook = write_notebook(tmp_path / "02_fails.ipynb", "seed = 1", "print('so far')", code, "print('never')")

    with pytest.raises(NotebookFailedError, match=rf"02_fails\.ipynb, cell 4 of 5: {error}; kept: .*02_fails\.html$"):
        run_notebook(notebook, {"seed": 2}, tmp_path / "reports", time_limit=60)

    assert "so far" in (tmp_path / "reports" / "02_fails.ipynb").read_text()
    assert "so far" in (tmp_path / "reports" / "02_fails.html").read_text()


def test_past_the_time_limit_the_kernel_and_what_it_started_are_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    hang = f"""\
import os, pathlib, subprocess
sleeper = subprocess.Popen(["sleep", "600"], start_new_session=True)
pathlib.Path({str(pids)!r}).write_text(f"{{os.getpid()}} {{sleeper.pid}}")
sleeper.wait()
"""
    notebook = write_notebook(tmp_path / "03_hangs.ipynb", "seed = 1", hang)

    limit = 3
    while not pids.exists():  # on a busy machine a kernel may take longer to start
        limit *= 2
        with pytest.raises(NotebookTimeoutError) as caught:
            run_notebook(notebook, {}, tmp_path / "reports", time_limit=limit, report_name="hangs")

    assert f"03_hangs.ipynb, cell 3 of 3: ended after {limit} s" in str(caught.value)
    assert [pid for pid in map(int, pids.read_text().split()) if is_running(pid)] == []
    assert (tmp_path / "reports" / "hangs.html").is_file()


def test_a_runner_that_is_killed_takes_the_kernel_and_what_it_started_with_it(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    hang = f"""\
import os, pathlib, subprocess
sleeper = subprocess.Popen(["sleep", "600"], start_new_session=True)
pathlib.Path({str(tmp_path / "half")!r}).write_text(f"{{os.getpid()}} {{sleeper.pid}}")
pathlib.Path({str(tmp_path / "half")!r}).rename({str(pids)!r})
sleeper.wait()
"""
    notebook = write_notebook(tmp_path / "03_hangs.ipynb", "seed = 1", hang)
    code = f"""\
from pathlib import Path
from loan_approval.notebooks.run import run_notebook
run_notebook(Path({str(notebook)!r}), {{}}, Path({str(tmp_path / "reports")!r}), {DEADLINE})
"""
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as runner:
        wait_until(lambda: pids.exists() or runner.poll() is not None, DEADLINE)
        runner.kill()
    started = [int(pid) for pid in pids.read_text().split()]
    wait_until(lambda: not any(map(is_running, started)), DEADLINE)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"sed": 1}, r"01_tiny\.ipynb: no parameter 'sed', did you mean 'seed'\?.*parameters: seed: int, rate: float"),
        ({"seed": "1"}, r"01_tiny\.ipynb: seed is '1' \(str\), expected int"),
        ({"seed": True}, r"seed is True \(bool\), expected int"),
        ({"fast": 1}, r"fast is 1 \(int\), expected bool"),
        ({"rate": None}, r"rate is None \(NoneType\), expected float"),
        ({"limit": "x"}, r"limit is 'x' \(str\), expected float \| None"),
        ({"costs": {"wrong_approval": "5"}}, r"costs is .* \(dict\), expected dict\[str, float\]"),
        ({"columns": "Age"}, r"columns is 'Age' \(str\), expected list"),
        ({"columns": [Path("x")]}, r"columns is .* \(list\), expected list"),
        ({"share": "1"}, r"share is '1' \(str\), expected float"),
        ({"sed": 1, "seed": "1"}, r"no parameter 'sed'.*; seed is '1'"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(notebook: Path, parameters: dict, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        check_parameters(notebook, parameters)


def test_nothing_is_started_for_a_parameter_that_does_not_fit(notebook: Path, tmp_path: Path) -> None:
    before = psutil.Process().children(recursive=True)

    with pytest.raises(ParameterError):
        run_notebook(notebook, {"sed": 1}, tmp_path / "reports")

    assert psutil.Process().children(recursive=True) == before
    assert not (tmp_path / "reports").exists()


def test_an_int_fits_a_float_and_none_fits_where_the_type_says_so(notebook: Path) -> None:
    check_parameters(notebook, {"rate": 1, "limit": None, "costs": {"wrong_approval": 3}, "columns": []})


def test_command_line_texts_become_values_of_the_parameters_types(notebook: Path) -> None:
    texts = {"seed": "3", "rate": "1e-3", "data": "12", "fast": "True", "limit": "null", "costs": '{"a": 1}'}

    values = parse_parameters(notebook, texts | {"columns": '["Age"]'})

    assert values == {"seed": 3, "rate": 1e-3, "data": "12", "fast": True, "limit": None} | {
        "costs": {"a": 1},
        "columns": ["Age"],
    }


@pytest.mark.parametrize("texts", [{"seed": "3.5"}, {"seed": "three"}, {"costs": '{"a": 1, "a": 2}'}, {"sed": "3"}])
def test_a_text_of_another_type_is_refused(notebook: Path, texts: dict[str, str]) -> None:
    with pytest.raises(ParameterError, match=next(iter(texts))):
        parse_parameters(notebook, texts)


@pytest.mark.parametrize(
    ("cell", "message"),
    [("seed: Path = 1", "Path is no type"), ("seed = = 1", "not plain Python"), ("x: 'int' = 1", "no parameter")],
)
def test_a_parameters_cell_that_cannot_be_checked_is_refused(tmp_path: Path, cell: str, message: str) -> None:
    notebook = write_notebook(tmp_path / "01_odd.ipynb", cell)

    with pytest.raises(ParameterError, match=message):
        check_parameters(notebook, {"seed": 1})


def test_a_file_that_is_no_notebook_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.ipynb").write_text("text")

    for name in ("text.ipynb", "absent.ipynb"):
        with pytest.raises(ParameterError, match=rf"{name}: can't be read"):
            check_parameters(tmp_path / name, {})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"auc": [float("nan")]}, {1, 2}, object()])
def test_a_result_that_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(DataError, match="publish: auc can't be written as JSON"):
        publish(rows=3, auc=value)


def test_a_notebook_without_a_result_is_refused(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "01_silent.ipynb", "seed = 1")

    with pytest.raises(DataError, match=r"01_silent\.ipynb: no result"):
        read_result(notebook)

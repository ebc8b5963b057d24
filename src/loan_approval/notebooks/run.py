"""Runs notebooks with papermill: parameters checked first, a time limit, the executed notebook and its HTML kept.

Papermill and the kernel run in a child process, which is ended with all that it started.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from loan_approval.errors import DataError, NotebookFailedError, NotebookTimeoutError
from loan_approval.notebooks.parameters import check_parameters
from loan_approval.notebooks.reports import write_html
from loan_approval.notebooks.summary import RESULT_MIME, failed_page, published, remove_page
from loan_approval.project import ROOT
from serve.files import write_atomically


def execute(
    notebook: Path,
    parameters: Mapping[str, object],
    executed: Path,
    time_limit: float,
    environment: Mapping[str, str],
    progress: bool,
) -> int:
    """Run a notebook into the file `executed`, two folders below a temporary one; returns papermill's exit code.

    The kernel is this interpreter, its working directory the repository's root. Whatever happens to this process,
    the kernel and all it started end with it. Raises subprocess.TimeoutExpired after time_limit seconds.
    """
    work = executed.parent.parent
    executed.parent.mkdir()
    (work / notebook.name).write_bytes(notebook.read_bytes())
    # A request to papermill's Python interface: its parameter files are YAML, where 1e-06 is text.
    request = {
        "parent": os.getpid(),
        "folder": str(work),
        "input_path": notebook.name,
        "output_path": f"{executed.parent.name}/{executed.name}",
        "parameters": dict(parameters),
        "kernel_name": "python3",
        "language": "python",  # a notebook may leave it out
        "cwd": str(ROOT),
        "progress_bar": progress,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "loan_approval.notebooks.child"],
        env=os.environ | _environment(work) | dict(environment),
        stdin=subprocess.PIPE,
        stdout=2,  # standard output is the calling command's
        text=True,
        start_new_session=True,
    )
    try:
        process.communicate(json.dumps(request), timeout=time_limit)
    finally:
        if process.poll() is None:  # on Ctrl-C too, which does not reach another session
            end_family(process.pid)
            process.wait()
    return process.returncode


def _environment(work: Path) -> dict[str, str]:
    """Make this interpreter the `python3` kernel, without the user's kernels and startup files."""
    from ipykernel.kernelspec import write_kernel_spec  # slow to import

    write_kernel_spec(work / "jupyter" / "kernels" / "python3")
    return {
        "JUPYTER_PATH": str(work / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(work / "runtime"),
        "IPYTHONDIR": str(work / "ipython"),
        "PYTHONWARNINGS": "ignore:IProgress not found",  # a widget that reports do not show
    }


def end_family(pid: int) -> None:
    """Kill a process and all that it started, whatever groups they have made."""
    root, family, groups = psutil.Process(pid), set(), set()
    # All are stopped first: a running one could start another that is not in the list.
    while new := {root, *root.children(recursive=True)} - family:
        family |= new
        for member in new:
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                member.suspend()
                groups.add(os.getpgid(member.pid))
    # Whole groups (the kernel has one of its own), to reach those whose parent has ended.
    for group in groups - {os.getpgrp()}:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    psutil.wait_procs(family - {root}, timeout=10)


@dataclass(frozen=True)
class NotebookRun:
    """What a finished notebook published, and where its report is."""

    result: dict[str, object]
    html: Path
    seconds: float


def publish(**result: object) -> None:
    """Show a notebook's result in its last cell, as an output that `published` finds in the executed notebook.

    Raises DataError for a value that JSON can't hold, such as NaN or a numpy number.
    """
    for name, value in result.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as err:
            raise DataError(f"publish: {name} can't be written as JSON: {err}") from err
    from IPython.display import display

    document = json.loads(json.dumps(result))
    text = f"published: {', '.join(document)}. Run by hand? Save, then: loan-approval report <this notebook>"
    display({RESULT_MIME: document, "text/plain": text}, raw=True)


def run_notebook(
    notebook: Path,
    parameters: Mapping[str, object],
    reports: Path,
    time_limit: float = 1800,
    report_name: str | None = None,
    environment: Mapping[str, str] | None = None,
    progress: bool = True,
) -> NotebookRun:
    """Run a notebook in a process of its own; keep `<report_name>.ipynb` and `.html` in `reports`.

    What a run that does not finish has left is kept as `<report_name>.failed.…`, beside the last good report, until
    one finishes again. The report shows the parameters: never pass a secret; notebooks read those from environment
    variables.
    time_limit: seconds, after which the kernel and all it started are killed.   environment: variables of the kernel
    in addition to this process's own.   progress: whether to show a bar of its cells.
    Raises ParameterError before anything is started, NotebookFailedError, NotebookTimeoutError, and DataError when
    the notebook published no result.
    """
    check_parameters(notebook, parameters)
    html = reports / f"{report_name or notebook.stem}.html"
    broken, began, finished = failed_page(html), time.monotonic(), False
    with tempfile.TemporaryDirectory(prefix="notebook-") as folder:
        executed = Path(folder, "executed", f"{html.stem}.ipynb")
        try:
            status = execute(notebook, parameters, executed, time_limit, environment or {}, progress)
            if status:
                where, error = _stopped_at(executed)
                raise NotebookFailedError(f"{notebook}, {where}: {error}; kept: {broken}")
            result = published(_read(executed), notebook)
            finished = True
        except subprocess.TimeoutExpired as err:
            where, _ = _stopped_at(executed)
            raise NotebookTimeoutError(f"{notebook}, {where}: ended after {time_limit:g} s; kept: {broken}") from err
        finally:
            _keep(executed, html if finished else broken, "" if finished else _stopped_at(executed)[0])
    remove_page(broken)
    return NotebookRun(result, html, time.monotonic() - began)


def _keep(executed: Path, html: Path, unfinished: str) -> None:
    # Absent if papermill did not reach the first cell, and incomplete if it was killed while writing.
    with contextlib.suppress(FileNotFoundError, ValueError):
        json.loads(executed.read_bytes())
        ipynb = html.with_suffix(".ipynb")
        write_atomically(ipynb, executed.read_bytes())
        write_html(ipynb, html, unfinished)


def _stopped_at(executed: Path) -> tuple[str, str]:
    """Return the cell, counted as in the source notebook, that raised or was running, and its error."""
    try:
        cells = _read(executed).cells
    except (FileNotFoundError, ValueError):
        cells = []
    added = {"injected-parameters", "papermill-error-cell-tag"}
    source = [cell for cell in cells if not added & set(cell.metadata.get("tags", []))]
    begun = [number for number, cell in enumerate(source, start=1) if cell.metadata.papermill.get("start_time")]
    if not begun:
        return "before its first cell", "the kernel did not start"
    errors = [output for output in source[begun[-1] - 1].get("outputs", []) if output.output_type == "error"]
    error = f"{errors[0].ename}: {errors[0].evalue}" if errors else "the kernel died"
    return f"cell {begun[-1]} of {len(source)}", error


def _read(notebook: Path) -> Any:
    import nbformat  # slow to import, and most commands need no notebook

    return nbformat.read(notebook, as_version=4)

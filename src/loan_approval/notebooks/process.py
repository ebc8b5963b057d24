"""Starts the child process in which papermill and a kernel run a notebook, and ends it with all that it started."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from loan_approval.project import ROOT


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

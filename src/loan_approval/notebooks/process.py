"""The process in which papermill and a kernel run a notebook, and how it is ended with all that it started."""

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

# The request comes as JSON and goes to papermill's Python interface: its parameter files are YAML, where 1e-06 is text.
# A cell's error is in the executed notebook; its traceback need not be printed as well. Encryption, because the kernel
# listens on ports that other users of the machine can reach (socket files have paths of 100 characters at most).
# A runner that is killed can't end what it started: the child watches it, and takes the kernel with it.
_PAPERMILL = """
import json, os, sys, threading, time, papermill, psutil, traitlets.config
request = json.load(sys.stdin)
runner = request.pop("runner")
def end_with_runner():
    while os.getppid() == runner:
        time.sleep(0.5)
    for member in psutil.Process().children(recursive=True):
        member.kill()
    os._exit(1)
threading.Thread(target=end_with_runner, daemon=True).start()
try:
    config = traitlets.config.Config(KernelManager={"transport_encryption": "auto"})
    papermill.execute_notebook(**request, config=config)
except papermill.PapermillExecutionError:
    sys.exit(1)
"""


def execute(
    notebook: Path,
    parameters: Mapping[str, object],
    executed: Path,
    time_limit: float,
    environment: Mapping[str, str],
    progress: bool,
) -> int:
    """Run a notebook into the file `executed`, two folders below one of its own; returns papermill's exit code.

    The kernel is this interpreter, its working directory the repository's root. Whatever happens to this process,
    the kernel and all it started end with it. Raises subprocess.TimeoutExpired after time_limit seconds.
    """
    # Names relative to the working folder, because papermill records them in the notebook.
    work = executed.parent.parent
    executed.parent.mkdir()
    (work / notebook.name).write_bytes(notebook.read_bytes())
    request = {
        "input_path": notebook.name,
        "output_path": f"{executed.parent.name}/{executed.name}",
        "parameters": dict(parameters),
        "kernel_name": "python3",
        "language": "python",  # a notebook need not say so
        "cwd": str(ROOT),
        "progress_bar": progress,
        "runner": os.getpid(),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", _PAPERMILL],
        cwd=work,
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
    """Make this interpreter the `python3` kernel; the user's kernels and startup files stay out of it."""
    from ipykernel.kernelspec import write_kernel_spec  # slow to import

    write_kernel_spec(work / "jupyter" / "kernels" / "python3")
    return {
        "JUPYTER_PATH": str(work / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(work / "runtime"),
        "IPYTHONDIR": str(work / "ipython"),
        "PYTHONWARNINGS": "ignore:IProgress not found",  # of a widget that a report could not show
    }


def end_family(pid: int) -> None:
    """Kill a process and all that it started, whatever groups they have made."""
    root, family, groups = psutil.Process(pid), set(), set()
    # All are stopped first, for one that runs could start another that is not in the list.
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

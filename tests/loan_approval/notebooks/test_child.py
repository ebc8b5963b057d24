"""The child process ends when its parent does."""

import subprocess
import sys
from pathlib import Path

from tests.notebook_runs import DEADLINE, await_that, is_running, write_hanging_notebook


def test_when_the_parent_is_killed_the_kernel_and_what_it_started_end_too(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    notebook = write_hanging_notebook(tmp_path / "03_hangs.ipynb", pids)
    code = f"""\
from pathlib import Path
from loan_approval.notebooks.run import run_notebook
run_notebook(Path({str(notebook)!r}), {{}}, Path({str(tmp_path / "reports")!r}), {DEADLINE})
"""
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as parent:
        await_that(lambda: pids.exists() or parent.poll() is not None)
        parent.kill()
    started = [int(pid) for pid in pids.read_text().split()]
    await_that(lambda: not any(map(is_running, started)))

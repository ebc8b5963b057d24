"""The child process ends when its parent does."""

import subprocess
import sys
from pathlib import Path

from tests.notebook_runs import DEADLINE, is_running, write_hanging_notebook
from tests.waiting import wait_until


def test_when_the_parent_is_killed_the_kernel_and_what_it_started_end_too(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    notebook = write_hanging_notebook(tmp_path / "03_hangs.ipynb", pids)
    code = f"""\
from pathlib import Path
from loan_approval.notebooks.run import run_notebook
run_notebook(Path({str(notebook)!r}), {{}}, Path({str(tmp_path / "reports")!r}), {DEADLINE})
"""
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as parent:
        wait_until(lambda: pids.exists() or parent.poll() is not None, DEADLINE)
        parent.kill()
    started = [int(pid) for pid in pids.read_text().split()]
    wait_until(lambda: not any(map(is_running, started)), DEADLINE)

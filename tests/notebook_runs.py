"""Small notebooks for tests, one whose kernel hangs, and what became of the processes that it started."""

from pathlib import Path

import nbformat
import psutil

DEADLINE = 120  # seconds


def write_notebook(path: Path, *sources: str) -> Path:
    """Make a notebook of code cells, the first tagged `parameters`, under a heading."""
    cells = [nbformat.v4.new_markdown_cell("# Tiny"), *map(nbformat.v4.new_code_cell, sources)]
    cells[1].metadata["tags"] = ["parameters"]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def write_hanging_notebook(path: Path, pids: Path) -> Path:
    """Make a notebook whose kernel starts a process in a session of its own, writes both ids into a file and waits."""
    half = pids.with_suffix(".half")
    source = f"""\
import os, pathlib, subprocess
sleeper = subprocess.Popen(["sleep", "600"], start_new_session=True)
pathlib.Path({str(half)!r}).write_text(f"{{os.getpid()}} {{sleeper.pid}}")
pathlib.Path({str(half)!r}).rename({str(pids)!r})
sleeper.wait()
"""
    return write_notebook(path, "seed = 1", source)


def is_running(pid: int) -> bool:
    """Return whether a process is there and no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

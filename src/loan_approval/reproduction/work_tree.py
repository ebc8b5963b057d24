"""Checks out a commit of this repository in a temporary folder and runs its code there."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loan_approval.errors import RebuildError
from loan_approval.project import ROOT

_SCRIPT = Path(__file__).with_name("recorded_code.py")
_LONGEST_OUTPUT = 2000  # characters of a failed run's output, in the error


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """Yield the project's root folder as it is in a commit. Raises RebuildError when the commit is not here.

    The folder and git's record of it are removed at the end; those of a killed process, at the next checkout.
    """
    if not re.fullmatch(r"[0-9a-f]{40}([0-9a-f]{24})?", commit):
        raise RebuildError(f"commit: the file records {commit[:20]!r}, expected a commit's hash")
    if _git("rev-parse", "--git-dir").returncode:
        raise RebuildError(f"commit: {ROOT} is no git checkout, expected one that has {commit[:12]}")
    if _git("cat-file", "-e", f"{commit}^{{commit}}").returncode:
        raise RebuildError(f"commit: {commit} is not in this repository; fetch it first")
    inside = os.fsdecode(_git("rev-parse", "--show-prefix").stdout.strip())
    with tempfile.TemporaryDirectory(prefix="rebuild-") as folder:
        tree = Path(folder, "tree")
        _git("worktree", "prune")
        added = _git("worktree", "add", "--detach", str(tree), commit)
        try:
            if added.returncode:
                raise RebuildError(f"commit: git can't check it out: {os.fsdecode(added.stderr).strip()}")
            yield tree / inside
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    # Without the user's hooks, which may do anything to a fresh checkout.
    command = ["git", "-c", "core.hooksPath=/dev/null", *arguments]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    except FileNotFoundError:
        raise RebuildError("commit: there is no git to check it out with") from None


def run_code(tree: Path, arguments: list[str], time_limit: float, purpose: str, standard_input: bytes = b"") -> None:
    """Run `recorded_code.py` on the code of a work tree, without the tracking server that is set here.

    time_limit: seconds.   purpose: named in the error.
    Raises RebuildError when it fails, with the end of its output, or when it takes too long.
    """
    settings = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "PYTHON"))}
    path = os.pathsep.join([str(tree / "src"), str(tree)])
    settings |= {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "agg"}
    settings |= {"MLFLOW_TRACKING_URI": f"sqlite:///{tree / 'unused.db'}"}
    command = [sys.executable, "-P", str(_SCRIPT), *arguments]  # -P: this checkout's folder is not importable
    try:
        run = subprocess.run(
            command, input=standard_input, cwd=tree, env=settings, capture_output=True, timeout=time_limit
        )
    except subprocess.TimeoutExpired as err:
        raise RebuildError(f"{purpose}: ended after {time_limit:g} s") from err
    if run.returncode:
        output = run.stderr.decode(errors="replace")[-_LONGEST_OUTPUT:]
        raise RebuildError(f"{purpose}: that commit's code failed:\n{output}")

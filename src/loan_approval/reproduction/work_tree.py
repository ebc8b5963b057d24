"""A commit of this repository, checked out beside the work at hand, its code run, and removed afterwards."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from loan_approval.errors import RebuildError
from loan_approval.project import ROOT

_TAIL = 2000  # characters of what a failed run said


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """Yield the project's root folder as it is in a commit. Raises RebuildError when the commit is not here.

    The folder goes with the block, and what the repository remembers of it; a killed process's is forgotten next time.
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
    try:
        # Without the user's hooks, which may do anything to a fresh checkout.
        command = ["git", "-c", "core.hooksPath=/dev/null", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    except FileNotFoundError:
        raise RebuildError("commit: there is no git to check it out with") from None


def run_code(tree: Path, command: Sequence[str], given: bytes, time_limit: float, part: str) -> None:
    """Run a command on the code of a work tree, away from the tracking server that is set here.

    given: its standard input.   time_limit: seconds.   part: what it is for, in the error.
    Raises RebuildError when it fails, with the end of what it said, or when it takes too long.
    """
    settings = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "PYTHON"))}
    path = os.pathsep.join([str(tree / "src"), str(tree)])
    settings |= {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "agg"}
    settings |= {"MLFLOW_TRACKING_URI": f"sqlite:///{tree / 'unused.db'}"}
    try:
        run = subprocess.run(
            command, input=given, cwd=tree, env=settings, capture_output=True, check=False, timeout=time_limit
        )
    except subprocess.TimeoutExpired as err:
        raise RebuildError(f"{part}: ended after {time_limit:g} s") from err
    if run.returncode:
        raise RebuildError(f"{part}: that commit's code failed:\n{run.stderr.decode(errors='replace')[-_TAIL:]}")

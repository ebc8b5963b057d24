"""A commit of this repository, checked out beside the work at hand and removed afterwards."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loan_approval.errors import RebuildError
from loan_approval.project import ROOT


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

"""The folder in which the processes of a server publish their counts and gauges, in two files each.

Servers without metrics have none: what it takes to make and remove it is imported for it alone.
"""

import os
from pathlib import Path

from serve.files import try_lock

COUNTS, GAUGES = ".counts", ".gauges"


def find_shared() -> Path:
    """Return the folder for such folders: one that can be written where the server's tree can't."""
    memory = Path("/dev", "shm")
    if os.access(memory, os.W_OK):
        return memory
    import tempfile

    return Path(tempfile.gettempdir())


def make_counts(shared: Path) -> Path:
    """Return a new folder of counts, whose lock this process and its children hold as long as one of them lives."""
    import tempfile

    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"serve-{os.getpid()}-", dir=shared))
        if try_lock(folder) is not None and folder.exists():  # another start may have swept it before it was locked
            return folder


def remove_counts(folder: Path) -> None:
    """Remove a folder of counts."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def sweep_counts(shared: Path) -> None:
    """Remove the folders of counts whose servers were killed."""
    for folder in shared.glob("serve-*-*"):
        # The lock decides: the number of a process in its name may be in use again, or be another container's.
        if folder.name.split("-")[1].isdecimal() and (lock := try_lock(folder)) is not None:
            remove_counts(folder)
            os.close(lock)


def forget_gauges(path: Path) -> None:
    """Remove the gauges of a process that has died; its counts stay in the sums."""
    path.with_suffix(GAUGES).unlink(missing_ok=True)

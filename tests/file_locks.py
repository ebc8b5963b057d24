"""Whether somebody holds a file, as a writer of the prediction log holds its own."""

import fcntl
from pathlib import Path


def is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False

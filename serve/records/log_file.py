"""Append-only files of lines; a new file begins each UTC day, and when a file is large enough.

`<folder>/<kind>/<YYYY-MM-DD>/<writer>-<NNNNNN>.jsonl`. The writer holds an exclusive `flock` on its file from before it
has this name until it is finished, so a process that gets the lock has a finished file. A file `<same name>.rotate`
beside it asks the writer to finish the file and to continue in a new one.
"""

import errno
import fcntl
import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

DAY = 86_400  # seconds
PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
encode_lines = msgspec.json.Encoder().encode_lines


def make_private_folder(folder: Path) -> None:
    """Make a folder and its missing parents, all private to this user. Raises OSError."""
    for each in reversed((folder, *folder.parents)):
        if not each.exists():
            each.mkdir(PRIVATE_FOLDER, exist_ok=True)


class LogFile:
    """One writer's files of one kind. Not thread-safe: callers in several threads need a lock."""

    def __init__(self, folder: Path, kind: str, largest: int, clock: Callable[[], float] = time.time) -> None:
        """largest: bytes of a file before the next one begins. clock: unix time. `append` makes the folders."""
        self._folder, self._largest, self._clock = folder / kind, largest, clock
        self._writer = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}-{secrets.token_hex(4)}"
        self._file: int | None = None
        self._path = folder  # of the open file
        self._number = self._day = self._size = 0

    def append(self, lines: bytes, at: float | None = None) -> None:
        """Write whole lines in one call to the file of the UTC day of `at`, by default today.

        Raises OSError, and then none of the lines is in the log. Written lines survive the end of the process, and
        that of the machine once the system has flushed them.
        """
        day = int(self._clock() if at is None else at) // DAY
        if self._file is None or day != self._day or (self._size and self._size + len(lines) > self._largest):
            self._begin(day)
        try:
            if os.write(self._file, lines) < len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            # What the write left is cut off, or stays as the torn last line; the next write begins a new file.
            try:
                os.ftruncate(self._file, self._size)
            except OSError:
                self._size = max(self._size, 1)  # it is not empty
            if self._size:
                self.close()
            raise
        self._size += len(lines)

    def tick(self) -> None:
        """Finish the file if that is requested, if its day is over, or if the file was removed. Raises OSError."""
        if self._file is None:
            return
        request = self._path.with_name(f"{self._path.name}.rotate")
        # If the file was removed, more lines in it would be lost when it is closed.
        if not self._path.exists() or int(self._clock()) // DAY > self._day or request.exists():
            self.close()
            request.unlink(missing_ok=True)

    def close(self) -> None:
        """Finish the file; the next `append` begins another. An empty file is removed."""
        if self._file is None:
            return
        file, self._file = self._file, None
        with suppress(OSError):
            if not self._size:
                self._path.unlink(missing_ok=True)
        os.close(file)

    def _begin(self, day: int) -> None:
        self.close()
        folder = self._folder / time.strftime("%Y-%m-%d", time.gmtime(day * DAY))
        make_private_folder(folder)
        self._number += 1
        path = folder / f"{self._writer}-{self._number:06}.jsonl"
        beside = path.with_name(f"{path.name}.new")
        file = os.open(beside, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            beside.rename(path)
        except OSError:
            os.close(file)
            beside.unlink(missing_ok=True)
            raise
        self._file, self._path, self._day, self._size = file, path, day, 0

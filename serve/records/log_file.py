"""Append-only files of lines, begun anew by size and by UTC day: what one writer leaves for others to read.

`<folder>/<kind>/<YYYY-MM-DD>/<writer>-<NNNNNN>.jsonl`. The writer holds an exclusive `flock` on the file it writes to,
from before the file has its name until it is finished: whoever gets the lock has a file that nobody writes to. A file
`<same name>.rotate` beside it asks the writer to finish that file and to go on in a new one.
"""

import errno
import fcntl
import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

DAY = 86_400  # seconds
PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600


def make_private_folder(folder: Path) -> None:
    """Make a folder, and those above it that are not there, for this user alone. Raises OSError."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(PRIVATE_FOLDER, exist_ok=True)


class LogFile:
    """One writer's files of one kind. Not for several threads at once: the caller has the lock."""

    def __init__(self, folder: Path, kind: str, largest: int, clock: Callable[[], float] = time.time) -> None:
        """largest: bytes of a file, then the next one begins. clock: unix time. Nothing is made before `append`."""
        self._folder, self._largest, self._clock = folder / kind, largest, clock
        self._writer = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}-{secrets.token_hex(4)}"
        self._number = 0
        self._file: int | None = None
        self._path = folder  # of the open file
        self._day = self._size = 0

    def append(self, lines: bytes, at: float | None = None) -> None:
        """Write whole lines, all of them at once; those of a time `at` go to its UTC day, without one to today's.

        Raises OSError, and then nothing of them stands in the log. What is written survives the end of the process;
        the system's own flush decides what survives that of the machine.
        """
        day = int(self._clock() if at is None else at) // DAY
        if self._file is None or day != self._day or (self._size and self._size + len(lines) > self._largest):
            self._begin(day)
        written = 0
        try:
            written = os.write(self._file, lines)
            if written < len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            self._take_back()
            raise
        self._size += written

    def tick(self) -> None:
        """Finish the file if somebody asks for it, if its day is over, or if it was taken away. Raises OSError."""
        if self._file is None:
            return
        request = self._path.with_name(f"{self._path.name}.rotate")
        gone = not self._path.exists()  # lines in a file without a name would be lost with the process
        if gone or int(self._clock()) // DAY > self._day or request.exists():
            self.close()
            request.unlink(missing_ok=True)

    def close(self) -> None:
        """Finish the file; the next `append` begins another. A file without a line is taken away."""
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
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        file = os.open(beside, flags, PRIVATE_FILE)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            beside.rename(path)
        except OSError:
            os.close(file)
            beside.unlink(missing_ok=True)
            raise
        self._file, self._path, self._day, self._size = file, path, day, 0

    def _take_back(self) -> None:
        """Cut off what a failed write left, or leave it as the file's torn last line; the next write has a new file,
        as it may be the old one that can't grow.
        """
        try:
            os.ftruncate(self._file, self._size)
        except OSError:
            self._size = max(self._size, 1)  # it is not empty
        if self._size:
            self.close()

"""Writes files atomically; reads bounded regular files and refuses pipes and devices."""

import errno
import fcntl
import os
import re
import stat
import time
from contextlib import suppress
from pathlib import Path

_BESIDE = re.compile(r"\..+\.[0-9a-f]{8}")  # the name of a file that is being written
ABANDONED_SECONDS = 60.0  # a writer holds the lock of such a file but for an instant at both ends


def write_atomically(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write beside, flush to the disk, rename: a reader sees the old file or the new one, never a part.

    mode: the new file's permissions, less the umask.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        with open(beside, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            with suppress(OSError):  # a file system without locks is not swept either
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    flush_folder(path.parent)


def sweep(folder: Path) -> None:
    """Remove what killed writers left half written in a folder, if it can be changed."""
    with suppress(OSError):
        for path in [path for path in folder.iterdir() if _BESIDE.fullmatch(path.name)]:
            age = time.time() - path.lstat().st_mtime
            if age > ABANDONED_SECONDS and (lock := try_lock(path)) is not None:
                path.unlink(missing_ok=True)
                os.close(lock)


def try_lock(path: Path) -> int | None:
    """Return a descriptor that holds the lock of a file or folder until it is closed everywhere, None without it."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        return descriptor
    return None


def flush_folder(path: Path) -> None:
    """Flush a folder to the disk, so that new, renamed and removed names in it survive a power cut."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_regular(path: Path, most: int) -> bytes:
    """Return the bytes of a regular file of at most `most` bytes. Raises OSError."""
    # Without O_NONBLOCK the opening of a pipe waits until somebody writes to it.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        data = file.read(most + 1)
        if len(data) > most:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        return data

"""What changes a prediction log beside the servers that write it: one at a time, nothing half-written, nothing lost.

A server holds a `flock` on the file it writes to, so a file without one is finished. `<file>.rotate` beside it asks
the server to finish it and to go on in a new one.
"""

import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from loan_approval.errors import LogError
from loan_approval.records.prediction_log import split_lines
from serve.files import write_atomically
from serve.records.log_file import PRIVATE_FILE

WAIT_SECONDS = 30.0  # a server looks for requests each second
_LOOK_SECONDS = 0.02
_LEFT_BESIDE = re.compile(r"\..+\.jsonl\.[0-9a-f]{8}|\.\d{4}-\d\d-\d\d\.removed")


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Keep everybody else who would change this log out meanwhile, and sweep what was left by one who was killed.

    Raises LogError when the log is not there or can't be changed, whichever step it was that failed.
    """
    if not folder.is_dir():
        raise LogError(f"{folder}: not there, expected the folder of a prediction log (SERVE_PREDICTION_LOG)")
    try:
        with _open_to_append(folder / ".lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # goes with the process
            _sweep(folder)
            yield
    except OSError as err:
        raise LogError(f"{err.filename or folder}: can't be changed: {err.strerror}") from err


def finish_files(paths: Iterable[Path], seconds: float = WAIT_SECONDS) -> None:
    """Ask the servers that write to these files to go on in others, and wait until nobody writes to any of them.

    Raises LogError that names the file which is still being written to after so many seconds.
    """
    asked = {path: path.with_name(f"{path.name}.rotate") for path in paths if _is_written(path)}
    deadline = time.monotonic() + seconds
    try:
        for request in asked.values():
            request.touch()
        for path in asked:
            while _is_written(path):
                if time.monotonic() > deadline:
                    raise LogError(f"{path}: its server still writes to it after {seconds:g} s; nothing was removed")
                time.sleep(_LOOK_SECONDS)
    finally:
        for request in asked.values():  # of a server that ended instead
            request.unlink(missing_ok=True)


def keep_lines(path: Path, keep: Callable[[bytes], bool]) -> int:
    """Rewrite a finished file with the lines to keep and return how many went: a reader sees the old or the new file.

    A torn last line goes too, uncounted: nobody can read it, nor say whose it is.
    """
    try:
        lines, torn = split_lines(path)
    except FileNotFoundError:
        return 0
    kept = [line for line in lines if keep(line)]
    if torn or len(kept) < len(lines):
        write_atomically(path, b"".join(line + b"\n" for line in kept), path.stat().st_mode & 0o777)
    return len(lines) - len(kept)


def append_line(path: Path, document: Mapping[str, Any]) -> None:
    """Append a line and wait until it is on the disk; a line that a killed one left torn goes first."""
    line = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    if path.exists():
        keep_lines(path, lambda line: True)
    with _open_to_append(path) as file:
        end = file.tell()
        try:
            if end and not path.read_bytes().endswith(b"\n"):
                file.write(b"\n")
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            file.truncate(end)  # a full disk: the file stays as it was
            raise
    _flush_folder(path.parent)


def remove_folder(path: Path) -> None:
    """Remove a folder: gone for readers at once, from the disk a moment later."""
    hidden = path.with_name(f".{path.name}.removed")
    path.rename(hidden)
    _flush_folder(path.parent)
    shutil.rmtree(hidden)


def _open_to_append(path: Path) -> BinaryIO:
    """Open a file, a new one for this user alone, as the server makes its own."""
    return open(path, "ab", opener=lambda name, flags: os.open(name, flags, PRIVATE_FILE))


def _is_written(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _sweep(folder: Path) -> None:
    for path in [*folder.glob(".*"), *folder.glob("*/.*"), *folder.glob("*/*/.*")]:
        if _LEFT_BESIDE.fullmatch(path.name):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _flush_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

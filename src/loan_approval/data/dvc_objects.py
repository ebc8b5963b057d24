"""Reads and writes files that DVC keeps by their MD5, in its cache and in its remote.

`dvc.api` finds files by path and revision, not by MD5, so this asks DVC's object stores. The default cache is read
without DVC, whose import takes a second.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loan_approval.errors import DataError
from loan_approval.project import ROOT


def md5_of_bytes(data: bytes) -> str:
    """Return the MD5 by which DVC names a file, in hexadecimal; it identifies the bytes and protects nothing."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def from_default_cache(md5: str) -> bytes | None:
    """Return a file from the cache in `.dvc`, None when it is not there."""
    return _read(ROOT / ".dvc/cache/files/md5" / md5[:2] / md5[2:], md5)


def from_cache(md5: str) -> bytes | None:
    """Return a file from the configured cache, None when it is not there."""
    data = from_default_cache(md5)
    if data is None and (ROOT / ".dvc").is_dir():
        with _open_repo() as repo:
            data = _read(Path(repo.cache.local.oid_to_path(md5)), md5)
    return data


def from_remote(md5: str) -> bytes | None:
    """Return a file from the default remote, None when it is not there. Raises DataError when it can't be read."""
    if not (ROOT / ".dvc").is_dir():
        return None
    with _open_repo() as repo:
        from dvc.config import NoRemoteError

        name = repo.config["core"].get("remote")
        try:
            store = repo.cloud.get_remote_odb()
            with store.fs.open(store.oid_to_path(md5), "rb") as file:
                data = file.read()
        except (NoRemoteError, FileNotFoundError):
            return None
        except Exception as err:  # each kind of remote raises its own errors
            raise DataError(f"DVC's remote {name!r} can't be read: {type(err).__name__}: {err}") from err
    if md5_of_bytes(data) != md5:
        raise DataError(f"DVC's remote {name!r}: the object {md5} holds other bytes than its name says")
    return data


def keep(data: bytes) -> None:
    """Put bytes into the cache, from which `dvc push` uploads them."""
    md5 = md5_of_bytes(data)
    if from_default_cache(md5) is None:
        with _open_repo() as repo:
            cache = repo.cache.local
            if not cache.exists(md5):
                cache.add_bytes(md5, data)
                cache.protect(cache.oid_to_path(md5))


@contextmanager
def _open_repo() -> Iterator[Any]:
    try:
        from dvc.exceptions import DvcException
        from dvc.repo import Repo
        from dvc.scm import NoSCM
    except ImportError as err:
        raise DataError("DVC is not installed, expected the packages of locks/dev.txt (make setup)") from err
    try:
        with Repo(str(ROOT), scm=NoSCM(str(ROOT))) as repo:  # works without git, which reading objects doesn't need
            yield repo
    except DvcException as err:
        raise DataError(f"DVC can't open {ROOT}: {err}") from err


def _read(path: Path, md5: str) -> bytes | None:
    """Return the bytes of a cached file; None when it is not there or was edited in place."""
    data = path.read_bytes() if path.is_file() else None
    return data if data is not None and md5_of_bytes(data) == md5 else None

"""The bytes that DVC keeps, by their md5: in its cache, and in its remote.

The default cache is read without DVC, whose import takes a second; whatever else is configured is found through it.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from loan_approval.errors import DataError
from loan_approval.project import ROOT
from serve.files import write_atomically

if TYPE_CHECKING:
    from dvc.repo import Repo


def md5_of_bytes(data: bytes) -> str:
    """Return the MD5 that DVC names bytes by, in hexadecimal: a name, not a proof."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def from_default_cache(md5: str) -> bytes | None:
    """Return an object of the cache in `.dvc`, None when it is not there."""
    return _read(ROOT / ".dvc/cache/files/md5" / md5[:2] / md5[2:], md5)


def from_cache(md5: str) -> bytes | None:
    """Return an object of the cache, wherever it is configured to be; None when it is not there."""
    found = from_default_cache(md5)
    if found is None and (ROOT / ".dvc").is_dir():
        with _open_repo() as repo:
            found = _read(Path(repo.cache.local.oid_to_path(md5)), md5)
    return found


def from_remote(md5: str) -> bytes | None:
    """Return an object of the default remote, None when there is none. Raises DataError when it can't be asked."""
    if not (ROOT / ".dvc").is_dir():
        return None
    with _open_repo() as repo:
        from dvc.config import NoRemoteError

        name = repo.config["core"].get("remote")
        try:
            objects = repo.cloud.get_remote_odb()
            with objects.fs.open(objects.oid_to_path(md5), "rb") as file:
                data = file.read()
        except (NoRemoteError, FileNotFoundError):
            return None
        except Exception as err:  # each kind of remote has errors of its own
            raise DataError(f"DVC's remote {name!r} can't be read: {type(err).__name__}: {err}") from err
    if md5_of_bytes(data) != md5:
        raise DataError(f"DVC's remote {name!r}: the object {md5} holds other bytes than its name says")
    return data


def keep(data: bytes) -> None:
    """Put bytes into the cache, so that a push takes them along: without them it would only warn."""
    if from_default_cache(md5_of_bytes(data)) is not None:
        return
    with _open_repo() as repo:
        path = Path(repo.cache.local.oid_to_path(md5_of_bytes(data)))
        if not path.is_file():
            write_atomically(path, data)
            path.chmod(0o444)  # as DVC does: an edit would change what the name stands for


@contextmanager
def _open_repo() -> Iterator["Repo"]:
    try:
        from dvc.exceptions import DvcException
        from dvc.repo import Repo
        from dvc.scm import NoSCM
    except ImportError as err:
        raise DataError("DVC is not installed, expected the packages of locks/dev.txt (make setup)") from err
    try:
        # Reading objects asks nothing of git, so it may be absent.
        with Repo(str(ROOT), scm=NoSCM(str(ROOT))) as repo:
            yield repo
    except DvcException as err:
        raise DataError(f"DVC can't open {ROOT}: {err}") from err


def _read(path: Path, md5: str) -> bytes | None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    # An object that was edited in place is no longer the one that its name says.
    return data if md5_of_bytes(data) == md5 else None

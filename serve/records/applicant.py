"""Applicants' keys, of which only a keyed hash is logged, and the secret for it, kept in the log's folder."""

import hmac
import logging
import os
import secrets
from contextlib import suppress
from pathlib import Path

from serve.errors import SettingsError
from serve.files import read_regular
from serve.records.log_file import make_private_folder
from serve.settings import Settings

HEADER = "X-Applicant-Key"
LONGEST_KEY = 256  # bytes
SHORTEST_SECRET, LONGEST_SECRET = 16, 4096  # bytes
SECRET = "applicant.secret"  # noqa: S105 (a file's name)
_PRINTABLE = frozenset(range(0x20, 0x7F)) - {ord(",")}  # a comma would join the values of a repeated header
log = logging.getLogger(__name__)


def is_key(key: bytes) -> bool:
    """Return whether a header's value is a valid key: 1 to 256 printable ASCII characters without a comma."""
    return 1 <= len(key) <= LONGEST_KEY and _PRINTABLE.issuperset(key)


def hash_applicant(secret: bytes, key: bytes) -> str:
    """Return the HMAC-SHA256 of a key in hexadecimal digits."""
    return hmac.digest(secret, key, "sha256").hex()


def read_secret(path: Path) -> bytes:
    """Return the secret in a file, without the end of its line. Raises OSError, SettingsError."""
    secret = read_regular(path, LONGEST_SECRET).rstrip(b"\r\n")
    if len(secret) < SHORTEST_SECRET:
        raise SettingsError(f"{path}: expected a secret of at least {SHORTEST_SECRET} bytes, it has {len(secret)}")
    return secret


def load_or_make_secret(folder: Path, file: Path | None = None) -> bytes:
    """Return the secret in a file, or else that in the log's folder, made if missing. Raises OSError, SettingsError."""
    path = file or folder / SECRET
    if not file and not path.exists():
        from tempfile import NamedTemporaryFile

        make_private_folder(folder)
        # A link, unlike a rename, never replaces the secret that another process has made meanwhile.
        with NamedTemporaryFile(dir=folder, prefix=f".{SECRET}.") as new, suppress(FileExistsError):
            new.write(secrets.token_hex(32).encode() + b"\n")
            new.flush()
            os.fsync(new.fileno())
            os.link(new.name, path)
    return read_secret(path)


def check_log_folder(settings: Settings) -> None:
    """Test at the start that the log's folder can be written and its secret be read. Raises SettingsError.

    In mode `drop` a folder that can't be written is only an error message.
    """
    from tempfile import TemporaryFile

    folder, file = settings.prediction_log, settings.applicant_secret_file
    if file:
        try:
            read_secret(file)
        except OSError as err:
            raise SettingsError(f"SERVE_APPLICANT_SECRET_FILE: can't be read: {err.strerror}") from err
    if folder is None:
        return
    try:
        make_private_folder(folder)
        with TemporaryFile(dir=folder) as trial:
            trial.write(b"\n")
        load_or_make_secret(folder, file)
    except OSError as err:
        fault = f"SERVE_PREDICTION_LOG={str(folder)!r}: can't be written: {err.strerror}"
        if settings.prediction_log_mode == "required":
            raise SettingsError(fault) from err
        log.error("%s; until it can, decisions go unrecorded", fault)

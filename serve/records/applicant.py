"""The applicant's key of a request: what one may be, and the keyed hash that alone is kept of it."""

import hmac
import os
import secrets
from pathlib import Path

from serve.errors import SettingsError
from serve.files import read_regular
from serve.records.log_file import PRIVATE_FILE, make_private_folder

HEADER = "X-Applicant-Key"
LONGEST_KEY = 256  # bytes
SHORTEST_SECRET = 16
LONGEST_SECRET = 4096
SECRET = "applicant.secret"  # noqa: S105 (a file's name)
_PRINTABLE = frozenset(range(0x20, 0x7F)) - {ord(",")}


def is_key(key: bytes) -> bool:
    """Whether a header's value can be an applicant's key: 1 to 256 printable ASCII characters, no comma among them: of
    a header that stands twice one could not say which was meant.
    """
    return 1 <= len(key) <= LONGEST_KEY and _PRINTABLE.issuperset(key)


def hash_applicant(secret: bytes, key: bytes) -> str:
    """Return the HMAC-SHA256 of a key in hexadecimal digits."""
    return hmac.digest(secret, key, "sha256").hex()


def read_secret(path: Path) -> bytes:
    """Return the secret of a file, without the end of its line. Raises OSError, SettingsError."""
    secret = read_regular(path, LONGEST_SECRET).rstrip(b"\r\n")
    if len(secret) < SHORTEST_SECRET:
        raise SettingsError(f"{path}: expected a secret of at least {SHORTEST_SECRET} bytes, it has {len(secret)}")
    return secret


def make_secret(folder: Path) -> bytes:
    """Return the secret that is kept in a log's folder, made by whoever comes first. Raises OSError, SettingsError."""
    path = folder / SECRET
    if not path.exists():
        make_private_folder(folder)
        beside = folder / f".{SECRET}.{secrets.token_hex(4)}"
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            with os.fdopen(file, "wb") as out:
                out.write(secrets.token_hex(32).encode() + b"\n")
                out.flush()
                os.fsync(out.fileno())
            os.link(beside, path)  # unlike a rename, this never takes another's place
        except FileExistsError:
            pass
        finally:
            beside.unlink(missing_ok=True)
    return read_secret(path)

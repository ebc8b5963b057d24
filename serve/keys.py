"""API keys, stored as their SHA-256. `python -m serve.keys new NAME` makes one.

A key is 256 random bits, which nobody guesses, so a plain hash is enough: a slow one, as for passwords that people
choose, would cost milliseconds a request and protect nothing more.
"""

import hashlib
import hmac
import logging
import re
import secrets
import sys
import time
from base64 import b64decode
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from serve.errors import SettingsError
from serve.files import read_regular

MOST_KEYS = 1000  # each request is compared with all of them
CHECK_SECONDS = 1.0  # between two reads of the file
MOST_BYTES = 2**20  # of the file, comments included
_read_line = re.compile(rb"([A-Za-z0-9._-]{1,64}):([0-9a-f]{64})").fullmatch
_read_scheme = re.compile(rb"(bearer|basic) +([^ ]+)", re.IGNORECASE).fullmatch
log = logging.getLogger(__name__)


class Keys:
    """The keys of one file, read again when it changes; while the file is unusable no key is valid."""

    def __init__(self, path: Path) -> None:
        """Raise SettingsError when the file can't be used."""
        self._path = path
        self._data = _read(path)
        self._entries = parse_keys(path.name, self._data)
        self._next_check = time.monotonic() + CHECK_SECONDS

    def holder(self, headers: Mapping[bytes, bytes]) -> str | None:
        """Return the name of the key in a request, None without a valid one. `headers` by lower-case name."""
        if time.monotonic() >= self._next_check:
            self.refresh()
        holder = None
        for key in _presented(headers):
            digest = hashlib.sha256(key).digest()
            for name, known in self._entries:  # all of them, so that the time does not depend on the match
                if hmac.compare_digest(digest, known):
                    holder = name
        return holder

    def refresh(self) -> None:
        """Read the file again. It compares bytes, not times, to see a change within one tick of the clock."""
        self._next_check = time.monotonic() + CHECK_SECONDS
        try:
            data = _read(self._path)
            if data == self._data:
                return
            entries = parse_keys(self._path.name, data)
        except SettingsError as err:
            if self._entries:
                log.error("nobody is let in: %s", err)
            self._entries, self._data = (), None
            return
        self._entries, self._data = entries, data
        log.info("%d API keys are valid now", len(entries))


def parse_keys(where: str, data: bytes) -> tuple[tuple[str, bytes], ...]:
    """Return names and hashes. Raises SettingsError that names file and line, and never quotes the line."""
    entries: dict[str, bytes] = {}
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith(b"#"):
            continue
        match = _read_line(line.strip())
        if not match:
            raise SettingsError(f"{where} line {number}: expected name:sha256, 64 digits 0-9a-f after the colon")
        name, digest = match[1].decode(), bytes.fromhex(match[2].decode())
        if name in entries or digest in entries.values():
            raise SettingsError(f"{where} line {number}: this name or key stands there twice")
        entries[name] = digest
    if not 1 <= len(entries) <= MOST_KEYS:
        raise SettingsError(f"{where}: expected 1 to {MOST_KEYS} keys")
    return tuple(entries.items())


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, MOST_BYTES)
    except OSError as err:
        raise SettingsError(f"{path.name}: can't be read: {err.strerror}") from err


def _presented(headers: Mapping[bytes, bytes]) -> list[bytes]:
    """Return the keys in a request: a bearer token, the password of Basic (which browsers send), X-API-Key."""
    keys = []
    match = _read_scheme(headers.get(b"authorization", b""))
    if match and match[1].lower() == b"bearer":
        keys.append(match[2])
    elif match:
        with suppress(ValueError):
            keys.append(b64decode(match[2], validate=True).partition(b":")[2])
    keys.append(headers.get(b"x-api-key", b""))
    return [key for key in keys if key]


def main(arguments: list[str]) -> None:
    """Print a new key to standard error, and its line for the file to standard output."""
    if len(arguments) != 2 or arguments[0] != "new" or not _read_line(f"{arguments[1]}:{'0' * 64}".encode()):
        sys.exit("usage: python -m serve.keys new NAME >> FILE   (NAME: 1 to 64 of A-Z a-z 0-9 . _ -)")
    key = secrets.token_urlsafe(32)
    print(f"The key, shown this once: {key}", file=sys.stderr)
    print(f"{arguments[1]}:{hashlib.sha256(key.encode()).hexdigest()}")


if __name__ == "__main__":
    main(sys.argv[1:])

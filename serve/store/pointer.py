"""The pointer: which file of a store answers, and its identity in the registry."""

import re
from dataclasses import asdict, dataclass, fields

from serve.errors import StoreError

TRUSTED_VERDICTS = ("passed", "forced")
LARGEST_POINTER = 65_536  # bytes


@dataclass(frozen=True)
class Pointer:
    """The sha256 of the file that answers, and its identity in the registry. Raises StoreError."""

    sha256: str
    name: str
    alias: str
    version: str
    run: str
    verdict: str

    def __post_init__(self) -> None:
        if not all(isinstance(value, str) for value in asdict(self).values()):
            raise StoreError("a pointer holds text only")
        if not (self.version and self.version.isprintable() and self.version.isascii()):  # it is sent in a header
            raise StoreError("the pointer's version is not printable ASCII")
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise StoreError("the pointer's sha256 is not 64 hexadecimal digits")
        if self.verdict not in TRUSTED_VERDICTS:
            raise StoreError(f"the verdict is {self.verdict!r}, expected {' or '.join(TRUSTED_VERDICTS)}")


def read_pointer(document: object, file_name: str) -> Pointer:
    """Return the pointer in a JSON document. Raises StoreError."""
    keys = [field.name for field in fields(Pointer)]
    if not isinstance(document, dict) or document.keys() != set(keys):
        raise StoreError(f"{file_name}: not a pointer: expected an object with the keys {', '.join(keys)}")
    return Pointer(**document)

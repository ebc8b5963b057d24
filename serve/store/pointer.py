"""The pointer: which file of a store answers, and what it is in the registry."""

import re
from dataclasses import asdict, dataclass, fields

from serve.errors import StoreError

TRUSTED_VERDICTS = ("passed", "forced")
LARGEST_POINTER = 65_536  # bytes


@dataclass(frozen=True)
class Pointer:
    """Which file answers: its sha256 and what it is in the registry."""

    sha256: str
    name: str
    alias: str
    version: str
    run: str
    verdict: str

    def __post_init__(self) -> None:
        if not all(isinstance(value, str) for value in asdict(self).values()):
            raise StoreError("a pointer holds text only")
        if not (self.version and self.version.isprintable() and self.version.isascii()):  # it stands in a header
            raise StoreError("the pointer's version is not printable ASCII")
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise StoreError("the pointer's sha256 is not 64 hexadecimal digits")
        if self.verdict not in TRUSTED_VERDICTS:
            raise StoreError(f"the verdict is {self.verdict!r}, expected {' or '.join(TRUSTED_VERDICTS)}")


def read_pointer(document: object, name: str) -> Pointer:
    """Return the pointer that a document from JSON is. name: of the file. Raises StoreError."""
    if problem := _shape_problem(document):
        raise StoreError(f"{name}: not a pointer: {problem}")
    return Pointer(**document)


def _shape_problem(document: object) -> str:
    """Return why a document from JSON has not the keys of a pointer, "" if it has."""
    if not isinstance(document, dict):
        return "not an object"
    keys = [field.name for field in fields(Pointer)]
    problems = [f"missing key {key}" for key in keys if key not in document]
    problems += [f"unknown key {key[:60]!r}" for key in document if key not in keys]
    return problems[0] if problems else ""

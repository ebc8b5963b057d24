"""The pointer: which file of a store answers, and its identity in the registry."""

import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from serve import strict_json
from serve.errors import JSONError, StoreError
from serve.files import read_regular
from serve.store.documents import reason_of
from serve.store.start import LARGEST_POINTER

TRUSTED_VERDICTS = ("passed", "forced")
LONGEST = {"name": 256, "alias": 256, "version": 64, "run": 64}  # characters; MLflow's own limit of names is 256


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
        for field, most in LONGEST.items():
            if len(getattr(self, field)) > most:
                raise StoreError(f"the pointer's {field} is longer than {most} characters")
        if not (self.version and self.version.isprintable() and self.version.isascii()):  # it is sent in a header
            raise StoreError("the pointer's version is not printable ASCII")
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise StoreError("the pointer's sha256 is not 64 hexadecimal digits")
        if self.verdict not in TRUSTED_VERDICTS:
            raise StoreError(f"the verdict is {self.verdict!r}, expected {' or '.join(TRUSTED_VERDICTS)}")


def read_pointer(path: Path, alias: str, name: str | None = None) -> Pointer | None:
    """Return the pointer of an alias in a file, None if there is no file.

    name: of the registered model that it must be of, if it must.   Raises StoreError if it can't be used.
    """
    try:
        document = strict_json.loads(read_regular(path, LARGEST_POINTER))
    except FileNotFoundError:
        return None
    except (OSError, JSONError) as err:
        raise StoreError(f"{path.name}: not a pointer: {reason_of(err)}") from err
    keys = [field.name for field in fields(Pointer)]
    if not isinstance(document, dict) or document.keys() != set(keys):
        raise StoreError(f"{path.name}: not a pointer: expected an object with the keys {', '.join(keys)}")
    pointer = Pointer(**document)
    if pointer.alias != alias:
        raise StoreError(f"{path.name}: it is of the alias {pointer.alias!r}, not {alias!r}")
    if name not in (None, pointer.name):
        raise StoreError(f"{path.name}: it is of the model {pointer.name!r}, not {name!r}")
    return pointer

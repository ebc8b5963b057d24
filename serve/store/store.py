"""The store: immutable model files named by content, and one small pointer an alias, replaced atomically.

<store>/<sha256>.onnx       the model file
<store>/<sha256>.json       its metadata: metrics, gates, verdict
<store>/<sha256>.sig        its signature in base64, where it was signed
<store>/<alias>.json        the pointer
"""

import errno
import fcntl
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from serve import strict_json
from serve.errors import JSONError, ModelFileError, StoreBusyError, StoreError
from serve.files import read_regular, write_atomically
from serve.model.scorer import Scorer
from serve.settings import LARGEST_FILE, Settings
from serve.store.pointer import LARGEST_POINTER, Pointer, read_pointer
from serve.store.signature import LARGEST_SIGNATURE, Verifier

LARGEST_METADATA = 16 * 2**20  # bytes


class Store:
    """A folder of model files and the pointer of one alias."""

    def __init__(
        self, path: Path, alias: str = "production", largest: int = LARGEST_FILE, verifier: Verifier | None = None
    ) -> None:
        """largest: bytes a model file may have. verifier: what its signature must satisfy, None where none is asked."""
        self.path, self._alias = path, alias
        self.pointer_path = path / f"{alias}.json"
        self._largest = largest
        self._verifier = verifier

    @contextmanager
    def locked(self, wait: bool = True) -> Iterator[None]:
        """Keep other promoters out of this store meanwhile; the lock goes with the process. Raises StoreError, and
        StoreBusyError where somebody else has the lock and this is not to wait for it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / ".lock").open("ab")
        except OSError as err:
            raise StoreError(f"{self.path}: can't write: {err.strerror}") from err
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as err:
                raise StoreBusyError(f"{self.path}: somebody else is changing it") from err
            yield

    def install(self, data: bytes, metadata: Mapping[str, Any], signature: str = "") -> Scorer:
        """Put a verified file, its metadata and its signature in place; the pointer stays. Raises ModelFileError,
        StoreError, SignatureError.
        """
        if len(data) > self._largest:
            raise self._too_large()
        if self._verifier:
            self._verifier.check(hashlib.sha256(data).hexdigest(), signature)
        scorer = Scorer(data)
        try:
            text = _dump(metadata)
        except (ValueError, TypeError, RecursionError) as err:  # a NaN among the metrics, say
            raise StoreError(f"the metadata is not JSON: {err}") from err
        if len(text) > LARGEST_METADATA:
            raise StoreError(f"the metadata has {len(text):,} bytes, at most {LARGEST_METADATA:,} are allowed")
        try:
            if signature:
                kept = signature[:LARGEST_SIGNATURE].encode("ascii", "replace")
                write_atomically(self.path / f"{scorer.sha256}.sig", kept)
            write_atomically(self.path / f"{scorer.sha256}.onnx", data)
            write_atomically(self.path / f"{scorer.sha256}.json", text)
        except OSError as err:
            raise StoreError(f"{self.path}: can't write: {err.strerror}") from err
        return scorer

    def file(self, sha256: str) -> bytes | None:
        """Return the bytes of an installed file, None where it is not there or not whole."""
        try:
            data = read_regular(self.path / f"{sha256}.onnx", self._largest)
        except OSError:
            return None
        return data if hashlib.sha256(data).hexdigest() == sha256 else None

    def point(self, pointer: Pointer) -> None:
        """Make an installed file the one that answers."""
        if not (self.path / f"{pointer.sha256}.onnx").is_file():
            raise StoreError(f"{self.path}: no file {pointer.sha256}.onnx to point at")
        try:
            write_atomically(self.pointer_path, _dump(asdict(pointer)))
        except OSError as err:
            raise StoreError(f"{self.pointer_path}: can't write: {err.strerror}") from err

    def unpoint(self) -> bool:
        """Take the pointer away; False where there was none. Raises StoreError."""
        try:
            self.pointer_path.unlink()
        except FileNotFoundError:
            return False
        except OSError as err:
            raise StoreError(f"{self.pointer_path}: can't be removed: {err.strerror}") from err
        return True

    def pointer(self) -> Pointer | None:
        """Return the pointer, None if there is none. Raises StoreError when it can't be read."""
        try:
            document = strict_json.loads(read_regular(self.pointer_path, LARGEST_POINTER))
        except FileNotFoundError:
            return None
        except (OSError, JSONError) as err:
            raise StoreError(f"{self.pointer_path.name}: not a pointer: {_why(err)}") from err
        pointer = read_pointer(document, self.pointer_path.name)
        if pointer.alias != self._alias:
            raise StoreError(f"{self.pointer_path.name}: it is of the alias {pointer.alias!r}, not {self._alias!r}")
        return pointer

    def load(self, pointer: Pointer) -> tuple[Scorer, dict[str, Any]]:
        """Return the verified file behind a pointer and its metadata. Raises ModelFileError when the file is refused, and
        StoreError when it or its metadata can't be read or SignatureError when it is not signed as it must be, which the
        next attempt may mend.
        """
        if self._verifier:
            self._verifier.check(pointer.sha256, self.signature(pointer.sha256))
        metadata = self._read_metadata(pointer.sha256)
        try:
            data = self._read_file(pointer.sha256)
        except OSError as err:
            raise StoreError(f"{pointer.sha256}.onnx: the file can't be read: {_why(err)}") from err
        if hashlib.sha256(data).hexdigest() != pointer.sha256:
            raise StoreError(f"{pointer.sha256}: the file has another hash, it may be half copied")
        return Scorer(data, pointer.sha256), metadata

    def _read_metadata(self, sha256: str) -> dict[str, Any]:
        """Return a file's metadata. Version and verdict are the pointer's to say: the same bytes may be two versions."""
        name = f"{sha256}.json"
        try:
            # As strictly as they will be written again: a NaN among them would fail each answer that shows them.
            metadata = strict_json.loads(read_regular(self.path / name, LARGEST_METADATA))
        except (OSError, JSONError) as err:
            raise StoreError(f"{name}: the metadata can't be read: {_why(err)}") from err
        if not isinstance(metadata, dict):
            raise StoreError(f"{name}: the metadata is not an object")
        if metadata.get("sha256", sha256) != sha256:
            raise StoreError(f"{name}: the metadata is of another file, they name another sha256")
        return metadata

    def _read_file(self, sha256: str) -> bytes:
        try:
            return read_regular(self.path / f"{sha256}.onnx", self._largest)
        except OSError as err:
            if err.errno == errno.EFBIG:
                raise self._too_large() from err
            raise

    def signature(self, sha256: str) -> str:
        """Return the signature beside a file, "" where there is none."""
        try:
            return read_regular(self.path / f"{sha256}.sig", LARGEST_SIGNATURE).decode("ascii", "replace").strip()
        except OSError:
            return ""

    def _too_large(self) -> ModelFileError:
        return ModelFileError(f"the file has more than the {self._largest:,} bytes that SERVE_MAX_MODEL_BYTES allows")


def open_store(settings: Settings) -> Store:
    """Return the store that a server was told of. Raises SettingsError when its public key can't be used."""
    key = settings.public_key_file
    verifier = Verifier(key, settings.model_name) if key else None
    return Store(settings.store, settings.model_alias, settings.max_model_bytes, verifier)


def _why(err: OSError | JSONError) -> str:
    if isinstance(err, JSONError):
        return "not JSON"
    known = {errno.EFBIG: "too large", errno.EINVAL: "not a regular file"}
    return known.get(err.errno or 0) or err.strerror or type(err).__name__


def _dump(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"

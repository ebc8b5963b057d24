"""The store: a folder of immutable model files named by their hash, and a pointer for each alias, replaced atomically.

<store>/<sha256>.onnx       the model file
<store>/<sha256>.json       its metadata: metrics, gates, verdict
<store>/<sha256>.sig        its signature in base64, if it was signed
<store>/<alias>.json        the pointer
"""

import errno
import fcntl
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
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
        """largest: bytes of a model file.   verifier: checks its signature; None where no signature is required."""
        self.path, self._alias = path, alias
        self.pointer_path = path / f"{alias}.json"
        self._largest = largest
        self._verifier = verifier

    @contextmanager
    def locked(self, wait: bool = True) -> Iterator[None]:
        """Keep other processes from changing this store until the block or the process ends.

        Raises StoreError, and StoreBusyError if another process has the lock and `wait` is false.
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
                raise StoreBusyError(f"{self.path}: another process is changing it") from err
            yield

    def install(self, data: bytes, metadata: Mapping[str, Any], signature: str = "") -> Scorer:
        """Verify a model file and write it, its metadata and its signature; the pointer stays.

        Raises ModelFileError, StoreError, SignatureError.
        """
        if len(data) > self._largest:
            raise self._too_large()
        if self._verifier:
            self._verifier.check(hashlib.sha256(data).hexdigest(), signature)
        scorer = Scorer(data)
        try:
            text = _dump(metadata)
        except (ValueError, TypeError, RecursionError) as err:  # a NaN among the metrics, for example
            raise StoreError(f"the metadata is not JSON: {err}") from err
        if len(text) > LARGEST_METADATA:
            raise StoreError(f"the metadata has {len(text):,} bytes, at most {LARGEST_METADATA:,} are allowed")
        if signature:
            self._write(f"{scorer.sha256}.sig", signature[:LARGEST_SIGNATURE].encode("ascii", "replace"))
        self._write(f"{scorer.sha256}.onnx", data)
        self._write(f"{scorer.sha256}.json", text)
        return scorer

    def point(self, pointer: Pointer) -> None:
        """Make an installed file the one that answers. Raises StoreError."""
        if not (self.path / f"{pointer.sha256}.onnx").is_file():
            raise StoreError(f"{self.path}: no file {pointer.sha256}.onnx to point at")
        self._write(self.pointer_path.name, _dump(asdict(pointer)))

    def unpoint(self) -> bool:
        """Remove the pointer; return False if there was none. Raises StoreError."""
        try:
            self.pointer_path.unlink()
        except FileNotFoundError:
            return False
        except OSError as err:
            raise StoreError(f"{self.pointer_path}: can't be removed: {err.strerror}") from err
        return True

    def pointer(self) -> Pointer | None:
        """Return the pointer, None if there is none. Raises StoreError if it can't be read."""
        name = self.pointer_path.name
        try:
            document = strict_json.loads(read_regular(self.pointer_path, LARGEST_POINTER))
        except FileNotFoundError:
            return None
        except (OSError, JSONError) as err:
            raise StoreError(f"{name}: not a pointer: {_reason(err)}") from err
        pointer = read_pointer(document, name)
        if pointer.alias != self._alias:
            raise StoreError(f"{name}: it is of the alias {pointer.alias!r}, not {self._alias!r}")
        return pointer

    def file(self, sha256: str) -> bytes | None:
        """Return the bytes of an installed file, None if it is absent or damaged."""
        with suppress(OSError):
            data = read_regular(self.path / f"{sha256}.onnx", self._largest)
            return data if hashlib.sha256(data).hexdigest() == sha256 else None
        return None

    def signature(self, sha256: str) -> str:
        """Return the signature of a file, "" if it has none."""
        with suppress(OSError):
            return read_regular(self.path / f"{sha256}.sig", LARGEST_SIGNATURE).decode("ascii", "replace").strip()
        return ""

    def load(self, pointer: Pointer) -> tuple[Scorer, dict[str, Any]]:
        """Return the verified file that a pointer names, and its metadata.

        Raises ModelFileError if the file is refused; StoreError or SignatureError if file, metadata or signature can't
        be used now, but may be at the next attempt.
        """
        sha256 = pointer.sha256
        if self._verifier:
            self._verifier.check(sha256, self.signature(sha256))
        metadata = self._read_metadata(sha256)
        try:
            data = read_regular(self.path / f"{sha256}.onnx", self._largest)
        except OSError as err:
            if err.errno == errno.EFBIG:
                raise self._too_large() from err
            raise StoreError(f"{sha256}.onnx: the file can't be read: {_reason(err)}") from err
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoreError(f"{sha256}: the file has another hash, it may be half copied")
        return Scorer(data, sha256), metadata

    def _read_metadata(self, sha256: str) -> dict[str, Any]:
        """Return a file's metadata; version and verdict are in the pointer, since two versions may share a file."""
        name = f"{sha256}.json"
        try:
            # Strict JSON, because answers repeat it: a NaN in it would fail each of them.
            metadata = strict_json.loads(read_regular(self.path / name, LARGEST_METADATA))
        except (OSError, JSONError) as err:
            raise StoreError(f"{name}: the metadata can't be read: {_reason(err)}") from err
        if not isinstance(metadata, dict):
            raise StoreError(f"{name}: the metadata is not an object")
        if metadata.get("sha256", sha256) != sha256:
            raise StoreError(f"{name}: the metadata is of another file, its sha256 differs")
        return metadata

    def _write(self, name: str, data: bytes) -> None:
        try:
            write_atomically(self.path / name, data)
        except OSError as err:
            raise StoreError(f"{self.path / name}: can't write: {err.strerror}") from err

    def _too_large(self) -> ModelFileError:
        return ModelFileError(f"the file has more than the {self._largest:,} bytes that SERVE_MAX_MODEL_BYTES allows")


def open_store(settings: Settings) -> Store:
    """Return the store that the settings name. Raises SettingsError if its public key can't be used."""
    key = settings.public_key_file
    verifier = Verifier(key, settings.model_name) if key else None
    return Store(settings.store, settings.model_alias, settings.max_model_bytes, verifier)


def _reason(err: OSError | JSONError) -> str:
    if isinstance(err, JSONError):
        return "not JSON"
    known = {errno.EFBIG: "too large", errno.EINVAL: "not a regular file"}
    return known.get(err.errno or 0) or err.strerror or type(err).__name__


def _dump(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"

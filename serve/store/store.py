"""The store: a folder of immutable model files named by their hash, and a pointer for each alias, replaced atomically.

<store>/<sha256>.onnx       the model file
<store>/<sha256>.json       its metadata: metrics, gates, verdict
<store>/<sha256>.sig        its signature in base64, if it was signed
<store>/<sha256>.verified   the check that it passed in a process of its own
<store>/<alias>.json        the pointer
<store>/.<alias>.last-good.json  the last pointer whose file was loaded: what a new worker takes if the pointer is bad
"""

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from serve.errors import ModelFileError, StoreBusyError, StoreError
from serve.files import read_regular, sweep, write_atomically
from serve.model.scorer import Scorer
from serve.model.verify import CHECK, verify
from serve.settings import LARGEST_FILE, Settings
from serve.store.documents import dump, dump_metadata, read_metadata, reason_of
from serve.store.pointer import Pointer, read_pointer
from serve.store.signature import LARGEST_SIGNATURE, Verifier
from serve.store.start import pointer_paths


class Store:
    """A folder of model files and the pointer of one alias."""

    def __init__(
        self,
        path: Path,
        alias: str = "production",
        largest: int = LARGEST_FILE,
        verifier: Verifier | None = None,
        name: str | None = None,
    ) -> None:
        """largest: bytes of a model file.   verifier: checks its signature; None where no signature is required.

        name: of the registered model whose pointers are taken; None: of any.
        """
        self.path, self._alias, self._name = path, alias, name
        self.pointer_path, self._last_good_path = pointer_paths(path, alias)
        self._largest = largest
        self._verifier = verifier

    @contextmanager
    def locked(self, wait: bool = True) -> Iterator[None]:
        """Keep other processes from changing this store until the block or the process ends.

        What killed processes left half written is removed. Raises StoreError, and StoreBusyError if another process
        has the lock and `wait` is false.
        """
        with self._lock(".lock", wait):
            sweep(self.path)
            yield

    @contextmanager
    def _lock(self, name: str, wait: bool) -> Iterator[None]:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / name).open("ab")
        except OSError as err:
            raise StoreError(f"{self.path}: can't write: {err.strerror}") from err
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as err:
                raise StoreBusyError(f"{self.path}: another process is changing it") from err
            except OSError as err:
                raise StoreError(f"{self.path}: can't be locked: {err.strerror}") from err
            yield

    def install(self, data: bytes, metadata: Mapping[str, Any], signature: str = "") -> Scorer:
        """Verify a model file and write it, its metadata and its signature; the pointer stays.

        Raises ModelFileError, StoreError, SignatureError.
        """
        if len(data) > self._largest:
            raise self._too_large()
        sha256 = hashlib.sha256(data).hexdigest()
        if self._verifier:
            self._verifier.check(sha256, signature)
        text = dump_metadata(metadata, sha256)
        verify(data, sha256)
        scorer = Scorer(data, sha256)
        if signature:
            self._write(f"{sha256}.sig", signature[:LARGEST_SIGNATURE].encode("ascii", "replace"))
        self._write(f"{sha256}.onnx", data)
        self._write(f"{sha256}.verified", CHECK)
        self._write(f"{sha256}.json", text)
        return scorer

    def point(self, pointer: Pointer) -> None:
        """Make an installed file the one that answers, once it can be loaded. Raises StoreError, ModelFileError."""
        if pointer.alias != self._alias:
            raise StoreError(f"{self.path}: a pointer of the alias {pointer.alias!r}, expected {self._alias!r}")
        if not (self.path / f"{pointer.sha256}.onnx").is_file():
            raise StoreError(f"{self.path}: no file {pointer.sha256}.onnx to point at")
        self.load(pointer)
        self._write(self.pointer_path.name, dump(asdict(pointer)))

    def unpoint(self) -> bool:
        """Remove the pointer, and the last good one; return False if there was none. Raises StoreError."""
        self._remove(self._last_good_path)
        return self._remove(self.pointer_path)

    def keep(self, pointer: Pointer) -> None:
        """Remember the pointer to fall back on, of a file that was loaded, where the store can be written."""
        with suppress(StoreError):
            if self.last_good() != pointer:
                self._write(self._last_good_path.name, dump(asdict(pointer)))

    def last_good(self) -> Pointer | None:
        """Return the last pointer whose file was loaded, None if none is known."""
        with suppress(StoreError):
            return read_pointer(self._last_good_path, self._alias, self._name)
        return None

    def pointer(self) -> Pointer | None:
        """Return the pointer, None if there is none. Raises StoreError if it can't be read."""
        return read_pointer(self.pointer_path, self._alias, self._name)

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

    def load(self, pointer: Pointer, may_verify: bool = True) -> tuple[Scorer, dict[str, Any]]:
        """Return the verified file that a pointer names, and its metadata.

        A file without the mark of this check is verified first, by one process at a time; where `may_verify` is false,
        which saves the wait, that is a StoreBusyError. Raises ModelFileError if the file is refused; StoreError or
        SignatureError if file, metadata or signature can't be used now, but may be at the next attempt.
        """
        sha256 = pointer.sha256
        if self._verifier:
            self._verifier.check(sha256, self.signature(sha256))
        metadata = read_metadata(self.path / f"{sha256}.json", sha256)
        try:
            data = read_regular(self.path / f"{sha256}.onnx", self._largest)
        except OSError as err:
            if err.errno == errno.EFBIG:
                raise self._too_large() from err
            raise StoreError(f"{sha256}.onnx: the file can't be read: {reason_of(err)}") from err
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoreError(f"{sha256}: the file has another hash, it may be half copied")
        if not self._is_verified(sha256):
            if not may_verify:
                raise StoreBusyError(f"{sha256}.onnx: the file is not verified yet")
            self._verify(data, sha256)
        return Scorer(data, sha256), metadata

    def _is_verified(self, sha256: str) -> bool:
        """Return whether a file passed this check here before.

        Whoever can write to the store can write the mark too: it saves a process, and no check of the file.
        """
        with suppress(OSError):
            return read_regular(self.path / f"{sha256}.verified", len(CHECK)) == CHECK
        return False

    def _verify(self, data: bytes, sha256: str) -> None:
        # In a read-only store there is no lock and no mark: each process has the file verified for itself.
        with self._lock(".verify.lock", wait=False) if os.access(self.path, os.W_OK) else nullcontext():
            if not self._is_verified(sha256):
                verify(data, sha256)
            with suppress(StoreError):
                self._write(f"{sha256}.verified", CHECK)

    def _write(self, name: str, data: bytes) -> None:
        try:
            write_atomically(self.path / name, data)
        except OSError as err:
            raise StoreError(f"{self.path / name}: can't write: {err.strerror}") from err

    def _remove(self, path: Path) -> bool:
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError as err:
            raise StoreError(f"{path}: can't be removed: {err.strerror}") from err
        return True

    def _too_large(self) -> ModelFileError:
        return ModelFileError(f"the file has more than the {self._largest:,} bytes that SERVE_MAX_MODEL_BYTES allows")


def open_store(settings: Settings) -> Store:
    """Return the store that the settings name. Raises SettingsError if its public key can't be used."""
    key = settings.public_key_file
    verifier = Verifier(key, settings.model_name) if key else None
    name = settings.model_name if settings.is_named else None
    return Store(settings.store, settings.model_alias, settings.max_model_bytes, verifier, name)

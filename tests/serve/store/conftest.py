"""A store that requires signatures, and changes that somebody with write access can make to it."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from serve.store.pointer import Pointer
from serve.store.signature import Verifier
from serve.store.store import Store
from tests.signing_keys import Keys, make_keys

NAME = "loan_approval_model"
METADATA = {"verdict": {"verdict": "passed"}}
LARGEST = 100_000  # bytes of a model file


@dataclass(frozen=True)
class SignedStore:
    """A store whose files must be signed."""

    store: Store
    keys: Keys
    model_file: Callable[[str], bytes]

    def promote(self, name: str) -> Pointer:
        """Install, sign and point, as a promotion does."""
        data = self.model_file(name)
        sha256 = hashlib.sha256(data).hexdigest()
        self.store.install(data, METADATA, self.keys.sign(NAME, sha256))
        return self.point(sha256)

    def point(self, sha256: str) -> Pointer:
        """Write a pointer without any check."""
        pointer = Pointer(sha256, NAME, "production", "2", "run-2", "passed")
        self.store.pointer_path.write_text(json.dumps(asdict(pointer)))
        return pointer

    def put(self, data: bytes, signature: str | None = None) -> None:
        """Write a file, signed correctly unless a signature is passed, and point at it, without any check."""
        sha256 = hashlib.sha256(data).hexdigest()
        self.path(sha256, "onnx").write_bytes(data)
        self.path(sha256, "json").write_text(json.dumps(METADATA))
        self.path(sha256, "sig").write_text(self.keys.sign(NAME, sha256) if signature is None else signature)
        self.point(sha256)

    def path(self, sha256: str, kind: str) -> Path:
        return self.store.path / f"{sha256}.{kind}"


@pytest.fixture
def signed_store(tmp_path: Path, model_file: Callable[[str], bytes]) -> SignedStore:
    keys = make_keys(tmp_path)
    return SignedStore(
        Store(tmp_path / "store", largest=LARGEST, verifier=Verifier(keys.public, NAME)), keys, model_file
    )

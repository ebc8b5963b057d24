"""Signatures of model files: Ed25519 over the registered model's name and the file's sha256.

The signed name keeps a file of one model from answering as another; the first line of the signed text keeps signatures
made for other purposes from being valid here. `cryptography` is imported only where a key is configured.
"""

import base64
from pathlib import Path

from serve.errors import SettingsError, SignatureError
from serve.files import read_regular

LARGEST_KEY = 16_384  # bytes
LARGEST_SIGNATURE = 1024  # characters; an Ed25519 signature has 88


def text_to_sign(name: str, sha256: str) -> bytes:
    """Return the bytes that are signed for a file of a registered model."""
    return f"loan-approval model file, version 1\n{name}\n{sha256}\n".encode()


class Verifier:
    """Checks signatures with one public key, for files of one registered model."""

    def __init__(self, key: Path, name: str) -> None:
        """Read the key. Raises SettingsError unless it is an Ed25519 public key in PEM."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        where = f"SERVE_PUBLIC_KEY_FILE={str(key)!r}"
        try:
            self._key = load_pem_public_key(read_regular(key, LARGEST_KEY))
            if not isinstance(self._key, Ed25519PublicKey):
                raise ValueError("another kind of key")
        except OSError as err:
            raise SettingsError(f"{where}: can't be read: {err.strerror}") from err
        except (ValueError, UnsupportedAlgorithm) as err:
            raise SettingsError(f"{where}: expected an Ed25519 public key in PEM") from err
        self._name = name

    def check(self, sha256: str, signature: str) -> None:
        """Raise SignatureError unless the key holder signed this file, in base64, for this registered model."""
        from cryptography.exceptions import InvalidSignature

        if not signature:
            raise SignatureError(f"{sha256}: the file is not signed, and SERVE_PUBLIC_KEY_FILE asks for a signature")
        try:
            self._key.verify(base64.b64decode(signature, validate=True), text_to_sign(self._name, sha256))
        except (InvalidSignature, ValueError) as err:  # ValueError: not base64
            raise SignatureError(f"{sha256}: wrong signature, expected one for {self._name} by the public key") from err

"""Ed25519 keys as PEM files, as `openssl genpkey -algorithm ed25519` makes them."""

from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from serve.store.signature import text_to_sign


@dataclass(frozen=True)
class Keys:
    """A pair of keys and the files that hold them."""

    key: Ed25519PrivateKey
    private: Path
    public: Path

    def sign(self, name: str, sha256: str) -> str:
        """Return the signature of a registered model's file."""
        return b64encode(self.key.sign(text_to_sign(name, sha256))).decode()


def make_keys(folder: Path, name: str = "key") -> Keys:
    """Write a new pair of keys below a folder."""
    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return Keys(key, private, public)

"""Signing at promotion: with the private key whose path `LOAN_APPROVAL_SIGNING_KEY` names, and without one not at all.

`openssl genpkey -algorithm ed25519 -out key.pem` makes a key, `openssl pkey -in key.pem -pubout` its public half.
"""

import os
from base64 import b64encode
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from loan_approval.errors import PromotionError
from serve.files import read_regular
from serve.store.signature import LARGEST_KEY, text_to_sign

SETTING = "LOAN_APPROVAL_SIGNING_KEY"


def load_signing_key() -> Ed25519PrivateKey | None:
    """Return the private key, None where none is configured. Raises PromotionError that never shows the key."""
    path = os.environ.get(SETTING)
    if not path:
        return None
    where = f"{SETTING}={path!r}"
    try:
        key = load_pem_private_key(read_regular(Path(path), LARGEST_KEY), password=None)
    except OSError as err:
        raise PromotionError(f"{where}: can't be read: {err.strerror}") from err
    except TypeError as err:  # cryptography's word for a missing password
        raise PromotionError(f"{where}: the key is encrypted, expected one without a password") from err
    except (ValueError, UnsupportedAlgorithm) as err:
        raise PromotionError(f"{where}: expected an Ed25519 private key in PEM") from err
    if not isinstance(key, Ed25519PrivateKey):
        raise PromotionError(f"{where}: expected an Ed25519 private key in PEM")
    return key


def sign(key: Ed25519PrivateKey, name: str, sha256: str) -> str:
    """Return the signature of a registered model's file in base64, as a registry's tag and a store hold it."""
    return b64encode(key.sign(text_to_sign(name, sha256))).decode()

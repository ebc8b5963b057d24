"""What a promotion puts into the server's store: where the store is, which version it points at, the signed file.

Files are signed with the private key whose path `LOAN_APPROVAL_SIGNING_KEY` names, and not at all without one.
`openssl genpkey -algorithm ed25519 -out key.pem` makes a key, `openssl pkey -in key.pem -pubout` its public half.
"""

import os
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from loan_approval.data.folders import dataset_folder, load_contract
from loan_approval.errors import PromotionError
from loan_approval.project import ROOT
from serve.errors import StoreError
from serve.files import read_regular
from serve.registry.mlflow_client import Version
from serve.store.signature import LARGEST_KEY, text_to_sign
from serve.store.store import Store

SETTING = "LOAN_APPROVAL_SIGNING_KEY"


def model_and_store(dataset: str) -> tuple[str, Store]:
    """Return the registered model's name of a data set, and the store its server reads (`SERVE_STORE`)."""
    name = load_contract(dataset_folder(dataset)).model_name
    return name, Store(Path(os.environ.get("SERVE_STORE") or ROOT / "store" / name))


def pointed_version(store: Store) -> str | None:
    """Return the version that the pointer names, None without one that can be read."""
    try:
        pointer = store.pointer()
    except StoreError:  # a damaged pointer is replaced like a missing one
        return None
    return pointer.version if pointer else None


def install(version: Version, data: bytes, metadata: Mapping[str, Any], store: Store) -> None:
    """Put a version's file, metadata and signature into the store; the pointer stays."""
    store.install(data, {**metadata, **version.identity()}, version.signature)


def signed(version: Version) -> Version:
    """Return a version with the signature of its file, unchanged where no key is configured.

    Only for a version that a person chose. Raises PromotionError, which never shows the key.
    """
    path = os.environ.get(SETTING)
    if not path:
        return version
    where = f"{SETTING}={path!r}"
    try:
        key = load_pem_private_key(read_regular(Path(path), LARGEST_KEY), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("another kind of key")
    except OSError as err:
        raise PromotionError(f"{where}: can't be read: {err.strerror}") from err
    except TypeError as err:  # what cryptography raises for a missing password
        raise PromotionError(f"{where}: the key is encrypted, expected one without a password") from err
    except (ValueError, UnsupportedAlgorithm) as err:
        raise PromotionError(f"{where}: expected an Ed25519 private key in PEM") from err
    return replace(version, signature=b64encode(key.sign(text_to_sign(version.name, version.sha256))).decode())

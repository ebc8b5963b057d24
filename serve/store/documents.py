"""The JSON documents of a store: how they are written, and how a model file's metadata is read and checked."""

import errno
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from serve import strict_json
from serve.errors import JSONError, StoreError
from serve.files import read_regular

LARGEST_METADATA = 16 * 2**20  # bytes


def dump(document: Mapping[str, Any]) -> bytes:
    """Return the bytes of a document. Raises ValueError, TypeError or RecursionError if it is not JSON."""
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"


def dump_metadata(metadata: Mapping[str, Any], sha256: str) -> bytes:
    """Return the bytes of a file's metadata, which `read_metadata` takes. Raises StoreError."""
    try:
        text = dump(metadata)
    except (ValueError, TypeError, RecursionError) as err:  # a NaN among the metrics, for example
        raise StoreError(f"the metadata is not JSON: {err}") from err
    if len(text) > LARGEST_METADATA:
        raise StoreError(f"the metadata has {len(text):,} bytes, at most {LARGEST_METADATA:,} are allowed")
    _parse_metadata(text, sha256)
    return text


def read_metadata(path: Path, sha256: str) -> dict[str, Any]:
    """Return a file's metadata; version and verdict are in the pointer, since two versions may share a file.

    Raises StoreError.
    """
    try:
        return _parse_metadata(read_regular(path, LARGEST_METADATA), sha256)
    except OSError as err:
        raise StoreError(f"{path.name}: the metadata can't be read: {reason_of(err)}") from err


def _parse_metadata(text: bytes, sha256: str) -> dict[str, Any]:
    name = f"{sha256}.json"
    try:
        # Strict JSON, because answers repeat it: a NaN in it would fail each of them.
        metadata = strict_json.loads(text)
    except JSONError as err:
        raise StoreError(f"{name}: the metadata can't be read: {reason_of(err)}") from err
    if not isinstance(metadata, dict):
        raise StoreError(f"{name}: the metadata is not an object")
    if metadata.get("sha256", sha256) != sha256:
        raise StoreError(f"{name}: the metadata is of another file, its sha256 differs")
    return metadata


def reason_of(err: OSError | JSONError) -> str:
    """Return in a few words why a file can't be read."""
    if isinstance(err, JSONError):
        return "not JSON"
    known = {errno.EFBIG: "too large", errno.EINVAL: "not a regular file"}
    return known.get(err.errno or 0) or err.strerror or type(err).__name__

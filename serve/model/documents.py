"""The JSON documents in a model file's metadata: contract, decision rule, provenance, background and golden rows.

Each is checked before it is used, because a file may come from anywhere.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from serve import strict_json
from serve.contract.contract import Contract
from serve.contract.fault import Fault
from serve.contract.feature import Feature
from serve.errors import JSONError, ModelFileError

FORMAT = 2
DOCUMENTS = ("contract", "decision", "provenance", "background", "golden")
MOST_BACKGROUND_ROWS = 64  # an explanation scores each of its coalitions on every row
MOST_WEIGHT = 10**9  # the number of people that a background row stands for


def read_documents(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Return the documents by name, each an object. Raises ModelFileError."""
    version = metadata.get("format")
    if version != str(FORMAT):
        raise ModelFileError(f"the file has format {version!r}, expected {str(FORMAT)!r}")
    documents = {}
    for name in DOCUMENTS:
        try:
            documents[name] = strict_json.loads(metadata[name].encode())
        except (KeyError, UnicodeError, JSONError) as err:
            raise ModelFileError(f"the metadata document {name!r} is missing or not JSON") from err
        if not isinstance(documents[name], dict):
            raise ModelFileError(f"the metadata document {name!r} is not an object")
    return documents


def read_background(document: Mapping[str, Any], contract: Contract) -> tuple[np.ndarray, np.ndarray]:
    """Return (B, F) encoded rows, NaN = missing, that applications are compared with, and (B,) weights that sum to 1.

    Rows of a file without weights count alike. Raises ModelFileError.
    """
    rows = document.get("rows")
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_BACKGROUND_ROWS:
        raise ModelFileError(f"the file has no list of 1 to {MOST_BACKGROUND_ROWS} background rows")
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(contract.scored):
            raise ModelFileError(f"background row {number} is not a value for each of {len(contract.scored)} features")
        for feature, value in zip(contract.scored, row, strict=True):
            if not _is_encoded(feature, value):
                raise ModelFileError(f"background row {number} breaks the contract at {feature.name}")
    background = np.array(rows, dtype=np.float64), _read_weights(document.get("weights", [1] * len(rows)), len(rows))
    for values in background:
        values.setflags(write=False)
    return background


def _read_weights(weights: object, rows: int) -> np.ndarray:
    """Return the (B,) shares of the rows. Raises ModelFileError."""
    if not isinstance(weights, list) or len(weights) != rows:
        raise ModelFileError(f"the file has no list of a weight for each of {rows} background rows")
    if not all(type(weight) in (int, float) and 0 < weight <= MOST_WEIGHT for weight in weights):
        raise ModelFileError(f"a weight of a background row is not a number above 0 and up to {MOST_WEIGHT:,}")
    return np.array(weights, dtype=np.float64) / sum(weights)


def _is_encoded(feature: Feature, value: object) -> bool:
    """Return whether a JSON value is an encoded value of this feature, or null where it may be missing."""
    try:
        feature.encoded.encode(value)
    except Fault:
        return False
    return True


def read_rule(rule: Mapping[str, Any]) -> tuple[float, tuple[float, float]]:
    """Return the threshold, the lowest probability of approval that is approved, and the review band.

    A person reviews probabilities from its low end to below its high end; it is empty by default.
    Raises ModelFileError.
    """
    threshold = rule.get("threshold")
    if not isinstance(threshold, float) or not 0 < threshold < 1:
        raise ModelFileError("the decision rule has no threshold between 0 and 1")
    band = rule.get("review_band", [threshold, threshold])
    if not isinstance(band, list) or [type(end) in (int, float) for end in band] != [True, True]:
        raise ModelFileError("the review band is not two numbers")
    low, high = map(float, band)
    # Outside the threshold, an answer could be "approved" and "decline" at once.
    if not 0 <= low <= threshold <= high <= 1:
        raise ModelFileError("the review band is not low <= threshold <= high between 0 and 1")
    return threshold, (low, high)

"""What decides a row's split, and which rows count as one: the only place that reads a contract's `[split]`.

Each row has an identity. Its split follows from a hash of the identity and the contract's salt, never from a run's
seed, so all models agree on the test rows. Rows with the same identity are one unit: they share a split and a fold,
bootstraps and permutations draw them together, and intervals count them once.
"""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from loan_approval.data.notation import MARKERS
from serve.contract.contract import BY_ROW, BY_VALUES

SPLITS = ("train", "calibrate", "test")  # calibrate: also chooses the threshold
SHARES = (0.6, 0.2, 0.2)


def identify_rows(X: np.ndarray, by: str = BY_VALUES, keys: Sequence[str] = ()) -> np.ndarray:
    """Return the (n,) identities, bytes, of (n, F) encoded rows.

    by: `BY_VALUES`, the row's values, so that copies are one unit; `BY_ROW`, its number in the file, so that each row
    is a unit; or a column, whose n cells are the keys. A cell that is empty or means a missing value names no group:
    its row has the identity of its values.
    """
    identities = np.empty(len(X), dtype=object)
    if by == BY_ROW:
        identities[:] = [b"row %d" % number for number in range(1, len(X) + 1)]
    elif by == BY_VALUES:
        identities[:] = list(_row_bytes(X))
    else:
        names = ("" if key.casefold() in MARKERS else key for key in map(str.strip, keys))
        identities[:] = [name.encode() or row for name, row in zip(names, _row_bytes(X), strict=True)]
    return identities


def assign_splits(identities: np.ndarray, salt: str) -> np.ndarray:
    """Return (n,) splits for (n,) identities: 60 % train, 20 % calibrate, 20 % test, by keyed hash of each."""
    key = hashlib.sha256(salt.encode()).digest()
    u = [int.from_bytes(hashlib.blake2b(each, key=key, digest_size=8).digest()) / 2**64 for each in identities]
    return np.array(SPLITS, dtype=object)[np.searchsorted(np.cumsum(SHARES)[:-1], u, side="right")]


def number_units(identities: np.ndarray) -> np.ndarray:
    """Return (n,) the number of the unit that each row is, from 0 in the order in which each first stands."""
    return pd.factorize(identities)[0]


def name_units(by: str, number: int = 2) -> str:
    """Return what so many units of a split are, in words."""
    noun = {BY_VALUES: "distinct row", BY_ROW: "row"}.get(by, "group")
    return noun + "s" * (number != 1) + f" by {by}" * (noun == "group")


def _row_bytes(X: np.ndarray) -> Iterator[bytes]:
    """Yield the bytes of each row, with one NaN and one zero: equal rows have equal bytes."""
    return (row.tobytes() for row in np.where(np.isnan(X), np.nan, X + 0.0).astype("<f8"))

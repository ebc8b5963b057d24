"""One feature of the contract: what a value may be, and the float64 the model sees for it."""

import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec
import numpy as np

NAN = float("nan")
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_MINUS_ZERO = re.compile(r"-0\s*(,|$)")
_NUMBERS = msgspec.json.Decoder(list[float])
_NUMBERS_OR_NULLS = msgspec.json.Decoder(list[float | None])


class Fault(ValueError):
    """A value breaks the contract. `kind` is the sort of fault, `expected` what would have been right, `word` the kind
    for counting: one of few, whatever the value.
    """

    def __init__(self, kind: str, expected: str = "", category: str = "") -> None:
        self.kind, self.expected, self.category = kind, expected, category or kind
        super().__init__(f"{kind}, expected {expected}" if expected else kind)


@dataclass(frozen=True)
class Feature:
    """A feature as `contract.toml` declares it.

    A number or an integer lies in [min, max] (in `unit`); a category is one of `values` and is encoded as its index.
    `use` is score, monitor (accepted and logged, never scored) or refuse (an application that has it is refused).
    `direction` is +1, -1 or 0: how the feature may move the score. `elderly_from` marks an age: from that value on
    Regulation B (12 CFR 1002.2(o): 62) calls an applicant elderly.
    """

    name: str
    type: str
    min: float | None = None
    max: float | None = None
    values: tuple[str, ...] = ()
    unit: str = ""
    missing: bool = False
    use: str = "score"
    protected: bool = False
    direction: int = 0
    elderly_from: float | None = None
    actionable: bool = False
    example: Any = None
    reason: dict[str, str] = field(default_factory=dict)

    @property
    def scored(self) -> bool:
        """Whether the model sees this feature."""
        return self.use == "score"

    @property
    def is_category(self) -> bool:
        """Whether values are names rather than numbers."""
        return self.type == "category"

    @cached_property
    def expected(self) -> str:
        """What a right value looks like, in words."""
        if self.is_category:
            text = "one of " + ", ".join(self.values)
        else:
            kind = "a whole number" if self.type == "integer" else "a number"
            text = f"{kind} from {_in_digits(self.min)} to {_in_digits(self.max)}"
        return text + (" or null" if self.missing else "")

    def encode(self, value: object) -> float:
        """Return the float64 of one value: NaN when missing, the index of a category. Raises Fault."""
        if value is None:
            if self.missing:
                return NAN
            raise Fault("missing", self.expected)
        if self.is_category:
            return self._encode_category(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Fault("not a number", self.expected)
        # An int is compared before it becomes a float: one of 400 digits has no float64.
        if isinstance(value, float) and not math.isfinite(value):
            raise Fault("not a finite number", self.expected)
        if not self.min <= value <= self.max:
            raise Fault("out of range", self.expected)
        if self.type == "integer" and value != int(value):
            raise Fault("not a whole number", self.expected)
        return float(value)

    def _encode_category(self, value: object) -> float:
        if not isinstance(value, str):
            raise Fault("not text", self.expected)
        try:
            return float(self.values.index(value))
        except ValueError:
            raise Fault("unknown category", self.expected) from None

    def decode(self, number: float) -> object:
        """Return the value that `encode` made this float64 from."""
        if math.isnan(number):
            return None
        if self.is_category:
            return self.values[int(number)]
        return int(number) if self.type == "integer" else float(number)

    def parse(self, cell: str) -> object:
        """Return the value a CSV cell stands for: an empty one is missing, a decimal is a number, the rest is text."""
        cell = cell.strip()
        if not cell:
            return None
        if not self.is_category and _DECIMAL.fullmatch(cell):
            return float(cell)
        return cell

    def encode_column(self, values: Sequence[object]) -> tuple[np.ndarray, dict[int, Fault]]:
        """Return (n,) float64 and the fault of each row that has one (its float is NaN), in the order of rows.

        `encode` is the only judge; the vectorised ways let through nothing but columns in which all is plainly right.
        """
        fast = self._encode_names(values) if self.is_category else self._encode_numbers(values)
        if fast is not None:
            return fast, {}
        encoded = np.full(len(values), NAN)
        faults: dict[int, Fault] = {}
        kinds: dict[str, Fault] = {}  # one fault of a kind stands for all of them, and holds no frame
        for row, value in enumerate(values):
            try:
                encoded[row] = self.encode(value)
            except Fault as fault:
                faults[row] = kinds.setdefault(fault.kind, fault.with_traceback(None))
        return encoded, faults

    def encode_cells(self, cells: Sequence[str]) -> tuple[np.ndarray, dict[int, Fault]]:
        """Return what `encode_column` does for the values that `parse` makes of CSV cells."""
        numbers = None if self.is_category else _read_decimals(cells)
        if numbers is not None and self._takes(numbers):
            return numbers, {}
        return self.encode_column(list(map(self.parse, cells)))

    def _encode_names(self, values: Sequence[object]) -> np.ndarray | None:
        if not set(map(type, values)) <= {str, type(None)}:
            return None
        try:
            codes = {value: self.encode(value) for value in set(values)}
        except Fault:
            return None
        return np.fromiter(map(codes.__getitem__, values), np.float64, len(values))

    def _encode_numbers(self, values: Sequence[object]) -> np.ndarray | None:
        kinds = set(map(type, values))
        if not kinds <= ({int, float, type(None)} if self.missing else {int, float}):
            return None
        try:
            numbers = _as_floats(values, type(None) in kinds)
        except (OverflowError, struct.error):
            return None
        absent = np.count_nonzero(np.isnan(numbers))
        if absent and values.count(None) != absent:
            return None  # a NaN that was written as a number
        return numbers if self._takes(numbers) else None

    def _takes(self, numbers: np.ndarray) -> bool:
        """Whether all of (n,) float64 are as the contract wants them; NaN is a missing value."""
        given = numbers[~np.isnan(numbers)] if self.missing else numbers
        within = np.all((given >= self.min) & (given <= self.max))
        return bool(within and (self.type != "integer" or np.all(given == np.trunc(given))))


def _read_decimals(cells: Sequence[str]) -> np.ndarray | None:
    """Return (n,) float64, NaN where a cell is empty; None unless every other cell is plainly a decimal.

    JSON's numbers are decimals, read as `float` reads them; a cell that is anything else is no JSON, or more than one
    item of it, or one null too many.
    """
    empty = cells.count("")
    decoder = _NUMBERS_OR_NULLS if empty else _NUMBERS
    text = ",".join([cell or "null" for cell in cells] if empty else cells)
    if "-0" in text and _MINUS_ZERO.search(text):
        return None  # to JSON a whole zero has no sign
    try:
        numbers = decoder.decode(f"[{text}]")
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    if len(numbers) != len(cells) or (empty and numbers.count(None) != empty):
        return None
    return _as_floats(numbers, bool(empty))


def _as_floats(numbers: Sequence[Any], has_none: bool) -> np.ndarray:
    """Return (n,) float64 of ints, floats and None, which becomes NaN. Raises OverflowError or struct.error."""
    if has_none:
        return np.array(numbers, dtype=np.float64)
    return np.frombuffer(struct.pack(f"{len(numbers)}d", *numbers))  # twice as fast


def _in_digits(limit: float) -> str:
    return str(int(limit)) if limit == int(limit) else repr(limit)

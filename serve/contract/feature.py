"""One feature of the contract: its valid values, their float64 encoding, and its names for readers."""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from serve.contract.dates import Dates, is_date
from serve.contract.fault import Fault
from serve.contract.numbers import READABLE, write_number
from serve.contract.words import LANGUAGES, read_meanings, translate

NAN = float("nan")
NO_REFERENCE = "no date to count from"  # the fault of a date that was not counted, as its reference is no date
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Feature:
    """A feature as `contract.toml` declares it.

    min, max: the limits of a number or an integer, in `unit`; of a date, those of its number, which follow from
    range: its first and last day, YYYY-MM-DD.   as_number: a key of `PARTS`, what number stands for a date, `as` in the
    contract; "days" counts from `since`, a date or the name of another one; then min and max are declared.
    values: of a category, encoded as its index.
    other: the one of them that stands for any text which is none of them; without it such a text is refused.
    use: score, monitor (accepted and logged, never scored) or refuse (an application that has it is refused).
    direction: +1, -1 or 0, how the feature may move the score.   elderly_from: marks an age; from this value on
    Regulation B (12 CFR 1002.2(o): 62) calls an applicant elderly.   words: of unit and values, by language.
    """

    name: str
    type: str
    min: float | None = None
    max: float | None = None
    range: tuple[str, ...] = ()
    as_number: str = ""
    since: str = ""
    values: tuple[str, ...] = ()
    other: str | None = None
    unit: str = ""
    missing: bool = False
    use: str = "score"
    protected: bool = False
    direction: int = 0
    elderly_from: float | None = None
    actionable: bool = False
    example: Any = None
    reason: dict[str, str] = field(default_factory=dict)
    words: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Feature":
        """Build a feature from its table in a contract document; null means not declared."""
        declared = {_FIELDS.get(key, key): value for key, value in document.items() if value is not None}
        lists = {key: tuple(declared[key]) for key in ("range", "values") if key in declared}
        feature = cls(**declared | lists)
        if feature.type != "date":
            return feature
        feature = replace(feature, as_number=feature.as_number or "days")
        if feature.reference:
            return feature
        since = "" if feature.takes_number else feature.since or feature.range[0]
        low, high = feature._dates.limits
        return replace(feature, min=low, max=high, since=since)

    def to_dict(self) -> dict[str, Any]:
        """Return the table that `from_dict` reads, without defaults and what follows from other keys."""
        follows = ("min", "max") if self.range else ()
        declared = {key: value for key, value in asdict(self).items() if value != _DEFAULTS[key] and key not in follows}
        return {KEYS.get(key, key): value for key, value in declared.items()}

    @property
    def scored(self) -> bool:
        """Whether the model sees this feature."""
        return self.use == "score"

    @property
    def is_category(self) -> bool:
        """Whether the values are names."""
        return self.type == "category"

    @property
    def is_text(self) -> bool:
        """Whether the values are texts that stand for numbers: names or dates."""
        return self.type in ("category", "date")

    @property
    def is_whole(self) -> bool:
        """Whether the encoded values are whole numbers between limits: integers and dates."""
        return self.type in ("integer", "date")

    @property
    def is_year(self) -> bool:
        """Whether every value is a whole number of four digits and no amount: read as a year or a code."""
        is_bare = self.as_number == "year" if self.type == "date" else self.unit in ("", "year")
        return self.is_whole and is_bare and self.min >= 1000 and self.max <= 9999

    @cached_property
    def meanings(self) -> dict[float, str]:
        """What each number means, where the unit is a list of that for all, such as "0 = no, 1 = yes"; else empty."""
        found = {} if self.is_text else read_meanings(self.say(self.unit, LANGUAGES[0]))
        if len(set(found.values())) < len(found):
            return {}
        if found and self.min is not None and self.max is not None:
            allowed = sum(self.min <= number <= self.max for number in found)
            return found if allowed >= (self.max - self.min + 1 if self.type == "integer" else 2) else {}
        return found

    @cached_property
    def reference(self) -> str:
        """The feature from whose date the days of this one are counted, "" where they aren't."""
        return "" if is_date(self.since) else self.since

    @cached_property
    def takes_number(self) -> bool:
        """Whether a date may be given as its number, such as 3 for March."""
        return self.type == "date" and (self.as_number != "days" or bool(self.reference))

    @cached_property
    def encoded(self) -> "Feature":
        """This feature with its encoded values as values, as the model sees it: a text's number is an integer."""
        if self.is_category:
            return replace(self, type="integer", min=0, max=len(self.values) - 1, values=(), other=None)
        return replace(self, type="integer", range=(), as_number="", since="") if self.type == "date" else self

    @property
    def code(self) -> str:
        """The code of this feature in reasons: declared in the contract, else made from its name."""
        return self.reason.get("code") or re.sub(r"\W", "_", self.name.upper())[:100]

    def title(self, language: str) -> str:
        """Return the contract's words for this feature in a language, else in the default one, else its name."""
        return self.reason.get(language) or self.reason.get(LANGUAGES[0]) or self.name

    def say(self, text: str, language: str) -> str:
        """Return the contract's words for the unit or a value in a language, as `translate` does."""
        return translate(self.words, text, language)

    def title_with_unit(self, language: str) -> str:
        """Return the title, and in brackets the unit, unless it is a list of meanings, which `show` writes."""
        unit = "" if self.meanings else self.say(self.unit, language)
        return self.title(language) + (f" ({unit})" if unit else "")

    @cached_property
    def expected(self) -> str:
        """The text that describes a right value."""
        if self.is_category:
            text = "one of " + ", ".join(self.values) + (" or any other text" if self.other else "")
        elif self.type == "date":
            text = "a date written YYYY-MM-DD" + (f" from {self.range[0]} to {self.range[1]}" if self.range else "")
            if self.takes_number:
                number = f"the days from {self.reference} to it" if self.reference else f"its {self.as_number}"
                text += f", or {number} as a whole number from {_in_digits(self.min)} to {_in_digits(self.max)}"
        else:
            kind = "a whole number" if self.type == "integer" else "a number"
            text = f"{kind} from {_in_digits(self.min)} to {_in_digits(self.max)}"
        return text + (" or null" if self.missing else "")

    def encode(self, value: object) -> float:
        """Return the float64 of one value: NaN when missing, the number of a text. Raises Fault."""
        if value is None:
            if self.missing:
                return NAN
            raise Fault("missing", self.expected)
        if self.is_text:
            return self._encode_text(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Fault("not a number", self.expected)
        # The int itself is compared: one of 400 digits has no float64.
        if isinstance(value, float) and not math.isfinite(value):
            raise Fault("not a finite number", self.expected)
        if not self.min <= value <= self.max:
            raise Fault("out of range", self.expected)
        if self.type == "integer" and value != int(value):
            raise Fault("not a whole number", self.expected)
        return float(value)

    def _encode_text(self, value: object) -> float:
        if self.is_category:
            return float(self.values.index(value if value in self.values else self._name_of(value)))
        try:
            if self.takes_number and isinstance(value, int | float):
                return self.encoded.encode(value)
            if self.reference:
                raise ValueError(NO_REFERENCE if is_date(value) else "not a date")
            return self._dates.encode(value)
        except ValueError as err:
            raise Fault(err.kind if isinstance(err, Fault) else str(err), self.expected) from None

    @cached_property
    def _dates(self) -> Dates:
        return Dates(self.range, self.as_number, self.since or self.range[0])

    def _name_of(self, value: object) -> str:
        """Return the category that a value means: true and 1 stand for names that are written so. Raises Fault."""
        if isinstance(value, bool):
            value = next((name for name in self.values if name.casefold() == str(value).casefold()), value)
        elif isinstance(value, int | float) and value == value and abs(value) < 2**53:
            texts = str(value), f"{value:g}", name_code(str(value))
            value = next((name for name in self.values if name in texts), value)
        if not isinstance(value, str):
            raise Fault("not text", self.expected)
        if (code := name_code(value)) in self.values:
            return value if value in self.values else code
        if self.other is None or not value.strip():
            raise Fault("unknown category", self.expected)
        return self.other

    def decode(self, number: float) -> object:
        """Return the value that `encode` made this float64 from; of a date's part its number, not the date."""
        if math.isnan(number):
            return None
        if self.is_category:
            return self.values[int(number)]
        if self.type == "date" and not self.takes_number:
            return self._dates.decode(number)
        return int(number) if self.is_whole else float(number)

    def show(self, value: float | str, digits: int = READABLE) -> str:
        """Return the text that a person reads for an encoded value, a mean of some, or a name; "nan" for none.

        digits: as `write_number` takes them.
        """
        if isinstance(value, str):
            return self.say(value, LANGUAGES[0])
        if value == value and (self.is_category or (self.type == "date" and not self.takes_number)):
            return self.say(str(self.decode(round(value))), LANGUAGES[0])
        if value in self.meanings:
            return self.meanings[value]
        text = write_number(value, digits)
        return text.replace(",", "") if self.is_year else text

    def parse(self, cell: str) -> object:
        """Return the value of a CSV cell: None if it is empty, else a float if it is a decimal, else text."""
        cell = cell.strip()
        if not cell:
            return None
        if (not self.is_text or self.takes_number) and _DECIMAL.fullmatch(cell):
            return float(cell)
        return cell


def name_code(text: str) -> str:
    """Return a whole number without a point: pandas writes 101.0 for the code 101 where others are missing."""
    return re.sub(r"^(-?[0-9]+)\.0+$", r"\1", text)


def _in_digits(limit: float) -> str:
    return str(int(limit)) if limit == int(limit) else repr(limit)


KEYS = {"as_number": "as"}  # the keys in the contract of fields whose names Python doesn't take
_FIELDS = {key: field for field, key in KEYS.items()}
_DEFAULTS = asdict(Feature("", ""))

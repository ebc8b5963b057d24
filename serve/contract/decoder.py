"""Decodes and checks one plainly valid application in one step; the result is that of `Contract.encode`.

msgspec checks names, types, limits and whole numbers while it parses. Limits are below 2**53, where float64 holds every
whole number, so the float that it compares passes no limit by rounding. What it refuses, and what two readers could
understand differently, is left to `strict_json` and `Contract.encode`.
"""

import struct
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from serve.contract.contract import Contract
from serve.contract.dates import count_days
from serve.contract.fault import Fault
from serve.contract.feature import NAN, Feature


class ApplicationDecoder:
    """The decoder of one contract."""

    def __init__(self, contract: Contract) -> None:
        features = contract.scored
        names = [f"f{number}" for number in range(len(features))]  # attributes need Python names
        fields = [
            (name, _type(feature) | None | UnsetType, UNSET) if feature.missing else (name, _type(feature))
            for name, feature in zip(names, features, strict=True)
        ]
        rename = {name: feature.name for name, feature in zip(names, features, strict=True)}
        options = {"rename": rename, "kw_only": True, "gc": False, "forbid_unknown_fields": True}
        self._read = msgspec.json.Decoder(msgspec.defstruct("Application", fields, **options)).decode
        self._pack = struct.Struct(f"{len(features)}d").pack
        self._may_lack = any(f.missing for f in features)
        self._codes = [_Dates(f) if f.type == "date" else _codes_of(f) for f in features]
        self._has_texts = any(f.is_text for f in features)
        self._quotes = 2 * len(features)
        place = {feature.name: number for number, feature in enumerate(features)}
        # Days from a date that is not scored are decoded as a number alone: bodies with that date are left to others.
        self._counted = [(place[f.name], place[f.reference], f) for f in features if f.reference in place]

    def decode(self, body: bytes) -> bytes | None:
        """Return the F float64 of an application; None when the body is not a plainly valid one."""
        try:
            values = msgspec.structs.astuple(self._read(body))
        except (ValueError, RecursionError):
            return None
        quotes = self._quotes
        if self._may_lack:
            quotes -= 2 * values.count(UNSET)
        if self._has_texts:
            quotes += 2 * list(map(type, values)).count(str)
        # Two quotes for each name and text leave room for no name that stands twice; an escape could hide one.
        if body.count(b'"') != quotes or b"\\" in body:
            return None
        try:
            return self._pack(*values)
        except struct.error:  # a text, or a value that is missing
            return self._pack_texts(values)

    def _pack_texts(self, values: tuple[Any, ...]) -> bytes | None:
        try:
            if self._counted:
                values = self._count_days(values)
            return self._pack(*map(_to_number, values, self._codes))
        except Fault:  # of a date
            return None

    def _count_days(self, values: tuple[Any, ...]) -> list[Any]:
        counted = list(values)
        for place, reference, feature in self._counted:
            if type(values[place]) is str:
                counted[place] = feature.encode(count_days(values[place], values[reference]))
        return counted


class _Dates(dict[str, float]):
    """The number of each text that is a date of a feature. Raises Fault for any other."""

    def __init__(self, feature: Feature) -> None:
        super().__init__()
        self._feature = feature

    def __missing__(self, text: str) -> float:
        return self._feature.encode(text)


def _codes_of(feature: Feature) -> dict[str, float]:
    return {text: float(code) for code, text in enumerate(feature.values)}


def _to_number(value: Any, codes: dict[str, float]) -> float:
    if value is None or value is UNSET:
        return NAN
    return codes[value] if type(value) is str else value


def _type(feature: Feature) -> Any:
    if feature.is_category:
        return Literal[feature.values]
    if feature.type == "date" and not feature.takes_number:
        return str
    whole = {"multiple_of": 1} if feature.is_whole else {}
    number = Annotated[float, Meta(ge=feature.min, le=feature.max, **whole)]
    return str | number if feature.is_text else number

"""JSON read and written strictly: what two readers could understand differently is refused."""

import json
from typing import Any

from serve.errors import JSONError


def loads(body: bytes) -> Any:
    """Parse a UTF-8 body. Raises JSONError for all that RFC 8259 forbids or leaves open: NaN, Infinity, numbers beyond
    float64, duplicate keys, a byte-order mark, lone surrogates, nesting or digits without end.
    """
    try:
        text = body.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate can't be encoded
    except JSONError:
        raise
    except UnicodeError:
        raise JSONError("the body is not valid UTF-8 text") from None
    except RecursionError:
        raise JSONError("the body is nested too deep") from None
    except ValueError as err:
        where = f" at character {err.pos}" if isinstance(err, json.JSONDecodeError) else ""
        raise JSONError(f"the body is not JSON{where}") from None
    return value


def dumps(value: Any) -> bytes:
    """Return compact UTF-8 JSON; NaN and infinities raise ValueError."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise JSONError("a key stands twice in one object")
    return value


def _constant(_name: str) -> Any:
    raise JSONError("NaN and Infinity are not JSON")


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise JSONError("a number is beyond float64")
    return value

"""The W3C trace context that a caller may send along. Source: W3C Trace Context, section 3.2."""

import re

_valid = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}").fullmatch


def valid_traceparent(text: str) -> str:
    """Return a `traceparent` as it came, or "" where it is not one."""
    return text if _valid(text) else ""

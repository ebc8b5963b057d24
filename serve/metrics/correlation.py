"""What a caller sends to find its request again, returned with the response and logged: trace context and request id.

Source: W3C Trace Context, sections 3.2 (traceparent) and 3.3 (tracestate, which means nothing without a traceparent).
"""

import re
from collections.abc import Callable
from typing import NamedTuple

NAMES = ("traceparent", "tracestate", "X-Request-ID")
_match_traceparent = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}").fullmatch
_match_tracestate = re.compile(r"[ -~]{1,512}").fullmatch
_match_request_id = re.compile(r"[!-~]{1,128}").fullmatch


class Correlation(NamedTuple):
    """The valid ones of these headers, unchanged; "" for each other one."""

    traceparent: str = ""
    tracestate: str = ""
    request_id: str = ""

    @classmethod
    def read(cls, get: Callable[[str], str]) -> "Correlation":
        """Return what a request holds. get: returns the header of a name in lower case, "" if it is absent."""
        trace, state, request_id = get("traceparent"), get("tracestate"), get("x-request-id")
        is_traced = bool(_match_traceparent(trace))
        return cls(
            trace if is_traced else "",
            state if is_traced and _match_tracestate(state) else "",
            request_id if _match_request_id(request_id) else "",
        )

    def headers(self) -> list[tuple[str, str]]:
        """Return the headers of the response."""
        return [(name, value) for name, value in zip(NAMES, self, strict=True) if value]


NOTHING = Correlation()

"""What the head of a request must be beyond what the parser checks, and the two heads that it reads after a change.

Source: RFC 9110 and RFC 9112 (request line and Host: section 3; framing: section 6).
"""

import re
from collections.abc import Mapping

END = b"\r\n\r\n"  # of a head
NOT_HTTP = (400, "not a valid HTTP request")
NO_HOST = (400, "the header Host is missing")
BAD_HOST = (400, "the header Host is not valid, expected a name or an address, and a port if it has one")
_HOST = rb"(?:\[[0-9A-Fa-f:.]+\]|(?:[\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::\d*)?"  # RFC 3986, 3.2.2
# The parser takes other protocols than HTTP, versions from 0.9 to 2.0, fragments, and targets of any scheme and host.
_TARGET = rb"(?:/[^ #]*|\*|(?i:https?)://(?![:/? ])" + _HOST + rb"(?:[/?][^ #]*)?)"  # RFC 9112, 3.2
_match_request_line = re.compile(rb"(?:\r\n)*[A-Z-]+ " + _TARGET + rb" HTTP/1\.[01]\r\n").match
_match_host = re.compile(_HOST).fullmatch
drop_empty_lines = re.compile(rb"\A(?:\r\n)+").sub
_drop_host = re.compile(rb"\A[^/?]*/?").sub
# After `chunked` the parser takes spaces but no tab, which is white space as well (RFC 9110, section 5.6.3).
_drop_tab = re.compile(rb"(?i)(\r\ntransfer-encoding:[ \t]*chunked)[ \t]+(?=\r\n)").subn


def find_fault(
    head: bytes, method: bytes, target: bytes, version: str, headers: Mapping[bytes, bytes]
) -> tuple[int, str] | None:
    """Return status and text for a head that is refused, else None. `headers` by lower-case name."""
    if not _match_request_line(head) or method == b"CONNECT" or (target == b"*" and method != b"OPTIONS"):
        return NOT_HTTP
    encoding, host = headers.get(b"transfer-encoding"), headers.get(b"host")
    # The only transfer encoding that all servers read alike: chunked, once, in HTTP/1.1.
    if encoding is not None and (version != "1.1" or encoding.strip().lower() != b"chunked"):
        return NOT_HTTP
    if host is None:
        return NO_HOST if version == "1.1" else None
    return None if _match_host(host) else BAD_HOST


def origin_form(target: bytes) -> bytes:
    """Return the path and query of a target that has no fault; `/` where it names no path. Source: RFC 9112, 3.2."""
    if target.startswith(b"/"):
        return target
    return b"/" + _drop_host(b"", target.partition(b"://")[2])  # http://host/path, http://host?query, or *


def without_upgrade(method: bytes, target: bytes, version: str, headers: Mapping[bytes, bytes]) -> bytes:
    """Return a head without its offer of another protocol. Source: RFC 9110, section 7.8.

    Java's own client offers h2c with its first request, even one with a body, and expects a response.
    """
    lines = [b"%b: %b" % (name, value) for name, value in headers.items() if name != b"upgrade"]
    return b"\r\n".join([b"%b %b HTTP/%b" % (method, target, version.encode()), *lines, b"", b""])


def without_tab(head: bytes) -> bytes | None:
    """Return a whole head without the tabs after its only `chunked`; None where there is no such tab."""
    changed, times = _drop_tab(rb"\1", head)
    return changed if times == 1 and head.endswith(END) else None

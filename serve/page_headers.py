"""The headers that keep a page to itself: what it may load, and that nothing may frame it."""

from flask import Blueprint, Response

OWN = {
    **{"default-src": "'none'", "style-src": "'self'", "script-src": "'self'", "connect-src": "'self'"},
    **{"img-src": "'self' data:", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'"},
}


def headers_of(policy: dict[str, str]) -> dict[str, str]:
    """Return the headers of a page; `policy` is the Content-Security-Policy by directive."""
    return {
        "Content-Security-Policy": "; ".join(f"{directive} {sources}".strip() for directive, sources in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }


def protect(blueprint: Blueprint, policy: dict[str, str]) -> None:
    """Set the headers on every answer of a blueprint."""
    headers = headers_of(policy)

    @blueprint.after_request
    def set_headers(response: Response) -> Response:
        response.headers.update(headers)
        return response

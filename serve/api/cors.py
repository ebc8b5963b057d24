"""Lets pages of other origins read responses: those on an exact list, and no others. Source: the Fetch standard, CORS.

There is no `*`: whoever reaches this service may ask it for decisions, and with `*` any page that a person opens in a
browser inside the network could do so too, unseen. No cookie or stored password is let through either: a page sends its
key in a header.
"""

from flask import Flask, Response, request

ALLOWED = (
    "Content-Type, Content-Encoding, Authorization, X-API-Key, X-Applicant-Key, traceparent, tracestate, X-Request-ID"
    ", Inference-Header-Content-Length"
)
EXPOSED = "X-Decision-Id, X-Model-Version, X-Model-Sha256, X-Request-ID, Inference-Header-Content-Length"
PREFLIGHT_SECONDS = "600"  # for which a browser remembers the answer; Chromium takes at most two hours


def allow_origins(app: Flask, origins: tuple[str, ...]) -> None:
    """Answer preflights of these origins before a key is required, since browsers send none, and mark responses."""

    @app.before_request
    def answer_preflight() -> Response | None:
        is_preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        if not is_preflight or request.url_rule is None or request.headers.get("Origin") not in origins:
            return None
        response = Response(status=204)
        response.headers["Access-Control-Allow-Methods"] = ", ".join(sorted(request.url_rule.methods))
        response.headers["Access-Control-Allow-Headers"] = ALLOWED
        response.headers["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
        return response

    @app.after_request
    def mark(response: Response) -> Response:
        origin = request.headers.get("Origin")
        # Without an Origin only what a cache may keep has to say that another one would get another response.
        if origin is not None or request.method in ("GET", "HEAD"):
            response.vary.add("Origin")
        if origin in origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = EXPOSED
        return response

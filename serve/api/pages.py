"""The pages for people: `/app`, `/docs`, `/api/v2/model/card`; and the OpenAPI document, `/openapi.json`.

`/app` builds its form from `/api/v2/model` and asks `/api/v2/decision`. This server serves every file of both pages, so
they work offline.
"""

import base64
import hashlib
import re
from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, current_app, request, send_from_directory
from werkzeug.exceptions import NotFound

from serve.api.body import respond
from serve.api.recording import live_model, loaded_model
from serve.openapi.document import make_document

FILES = Path(__file__).with_name("static")
SWAGGER_UI = Path(flask_swagger_ui.__file__).with_name("dist")
LOCKED = {"base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'"}
OWN_FILES = {
    **{"default-src": "'none'", "style-src": "'self'", "script-src": "'self'", "connect-src": "'self'"},
    **{"img-src": "'self' data:", **LOCKED},
}
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)

app_pages = Blueprint("app_pages", __name__)
docs_pages = Blueprint("docs_pages", __name__, url_prefix="/docs")
documents = Blueprint("documents", __name__)


def _protect(response: Response, policy: dict[str, str]) -> Response:
    """Set the security headers of a page; `policy` is the Content-Security-Policy by directive."""
    response.headers["Content-Security-Policy"] = "; ".join(map(" ".join, policy.items()))
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


app_pages.after_request(lambda response: _protect(response, OWN_FILES))
# Swagger UI puts one <style> element into the page; its scripts and requests need no more than our own page's.
DOCS_FILES = OWN_FILES | {"style-src-elem": "'self' 'unsafe-inline'"}
docs_pages.after_request(lambda response: _protect(response, DOCS_FILES))


@app_pages.get("/app")
@app_pages.get("/app/<name>")
def application_page(name: str = "page.html") -> Response:
    """Return the page on which a person fills in an application and reads the decision, or a file of that page."""
    return send_from_directory(FILES, name)


@docs_pages.get("")
def docs() -> Response:
    """Redirect to `/docs/`, relative to the path that the caller asked: a proxy may have removed the beginning."""
    query = request.query_string.decode("latin-1")
    return Response(status=308, headers={"Location": "docs/" + (query and f"?{query}")})


@docs_pages.get("/")
@docs_pages.get("/<name>")
def docs_file(name: str = "") -> Response:
    """Return a file of Swagger UI, or the page that starts it: the package's own page has an inline script."""
    return send_from_directory(SWAGGER_UI, name) if name else send_from_directory(FILES, "docs.html")


@documents.get("/openapi.json")
def openapi() -> Response:
    """Return the OpenAPI document; without a model the application is any object."""
    loaded = live_model().current
    return respond(make_document(loaded.scorer.contract if loaded else None, bool(current_app.extensions["keys"])))


@documents.get("/api/v2/model/card")
def card() -> Response:
    """Return the model card. Raises ServiceUnavailable without a model, NotFound when its metadata has no card."""
    text = loaded_model().metadata.get("card")
    if not isinstance(text, str):
        raise NotFound("no card is recorded for this version: validate it again")
    return _protect(Response(text.encode("utf-8", "replace"), mimetype="text/html"), card_policy(text))


def card_policy(text: str) -> dict[str, str]:
    """Return a card's Content-Security-Policy by directive: its first style, by hash, and no script, form or frame."""
    style = _STYLE.search(text)
    digest = base64.b64encode(hashlib.sha256(style[1].encode("utf-8", "replace")).digest()).decode() if style else ""
    return {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'" if style else "'none'",
        "img-src": "data:",  # an empty icon, so that the browser asks for none
        **LOCKED,
    }

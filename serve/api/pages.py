"""The pages for people, and the OpenAPI document behind them: `/app`, `/docs`, `/openapi.json`.

`/app` builds its form from `/api/v2/model` and asks `/api/v2/decision`; all files are served from here, so both pages
work offline.
"""

from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, send_from_directory

from serve.api.body import respond
from serve.api.recording import live_model
from serve.openapi.document import make_document

FILES = Path(__file__).with_name("static")
SWAGGER_UI = Path(flask_swagger_ui.__file__).with_name("dist")
OWN = {
    **{"default-src": "'none'", "style-src": "'self'", "script-src": "'self'", "connect-src": "'self'"},
    **{"img-src": "'self' data:", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'"},
}

app_pages = Blueprint("app_pages", __name__)
docs_pages = Blueprint("docs_pages", __name__, url_prefix="/docs")
openapi = Blueprint("openapi", __name__)


def security_headers(policy: dict[str, str]) -> dict[str, str]:
    """Return the security headers of a page; `policy` is the Content-Security-Policy by directive."""
    return {
        "Content-Security-Policy": "; ".join(f"{directive} {sources}".strip() for directive, sources in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }


def _protect(blueprint: Blueprint, policy: dict[str, str]) -> None:
    headers = security_headers(policy)

    @blueprint.after_request
    def set_headers(response: Response) -> Response:
        response.headers.update(headers)
        return response


_protect(app_pages, OWN)
# Swagger UI puts one <style> element into the page; its scripts and requests need no more than our own page's.
_protect(docs_pages, OWN | {"style-src-elem": "'self' 'unsafe-inline'"})


@app_pages.get("/app")
def application_form() -> Response:
    """Return the page on which a person fills in an application and reads the decision."""
    return send_from_directory(FILES, "page.html")


@app_pages.get("/app/<name>")
def application_file(name: str) -> Response:
    """Return a file of the application page. Raises NotFound."""
    return send_from_directory(FILES, name)


@docs_pages.get("/")
def docs() -> Response:
    """Return Swagger UI under a page of our own: the package's has a script in the page."""
    return send_from_directory(FILES, "docs.html")


@docs_pages.get("/<name>")
def docs_file(name: str) -> Response:
    """Return a file of Swagger UI. Raises NotFound."""
    return send_from_directory(SWAGGER_UI, name)


@openapi.get("/openapi.json")
def openapi_document() -> Response:
    """Return the OpenAPI document; without a model the application is any object."""
    loaded = live_model().current
    return respond(make_document(loaded.scorer.contract if loaded else None))

"""`/docs`: Swagger UI from the package's files, under a page of our own: the package's has a script in the page."""

from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, send_from_directory

from serve.page import FILES
from serve.page_headers import OWN, protect

SWAGGER_UI = Path(flask_swagger_ui.__file__).with_name("dist")

blueprint = Blueprint("docs", __name__, url_prefix="/docs")
# Swagger UI puts one <style> element into the page; its scripts and requests need no more than our own page's.
protect(blueprint, OWN | {"style-src-elem": "'self' 'unsafe-inline'"})


@blueprint.get("/")
def docs() -> Response:
    """Return the page."""
    return send_from_directory(FILES, "docs.html")


@blueprint.get("/<name>")
def file(name: str) -> Response:
    """Return a file of Swagger UI. Raises NotFound."""
    return send_from_directory(SWAGGER_UI, name)

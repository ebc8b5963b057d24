"""`/app`: the page on which a person fills in an application and reads the decision.

Static files: the page builds its form from `/api/v2/model`, and asks `/api/v2/decision`.
"""

from pathlib import Path

from flask import Blueprint, Response, send_from_directory

from serve.page_headers import OWN, protect

FILES = Path(__file__).with_name("page")

blueprint = Blueprint("page", __name__)
protect(blueprint, OWN)


@blueprint.get("/app")
def page() -> Response:
    """Return the page."""
    return send_from_directory(FILES, "page.html")


@blueprint.get("/app/<name>")
def file(name: str) -> Response:
    """Return a file of the page. Raises NotFound."""
    return send_from_directory(FILES, name)

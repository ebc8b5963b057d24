"""`/api/v2/model/card`: the model card recorded with the version that answers, as the page it is."""

import base64
import hashlib
import re

from flask import Blueprint, Response
from werkzeug.exceptions import NotFound

from serve.api import loaded_model
from serve.page_headers import headers_of

NO_CARD = "no card is recorded for this version: validate it again"
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)

blueprint = Blueprint("card", __name__)


@blueprint.get("/api/v2/model/card")
def card() -> Response:
    """Return the card. Raises ServiceUnavailable without a model, NotFound where its facts hold no card."""
    text = loaded_model().facts.get("card")
    if not isinstance(text, str):
        raise NotFound(NO_CARD)
    response = Response(text.encode("utf-8", "replace"), mimetype="text/html")
    response.headers.update(headers_of(policy_of(text)))
    return response


def policy_of(text: str) -> dict[str, str]:
    """Return the policy of a card by directive: its first style, by hash, and no script, form or frame."""
    style = _STYLE.search(text)
    digest = base64.b64encode(hashlib.sha256(style[1].encode("utf-8", "replace")).digest()).decode() if style else ""
    return {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'" if style else "'none'",
        "img-src": "data:",  # an empty icon, lest the browser ask for one
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }

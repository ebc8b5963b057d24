"""`/api/v2/model` and `/api/v2/model/card`: the model that answers, as JSON and as its recorded model card."""

import base64
import hashlib
import re

from flask import Blueprint, Response
from werkzeug.exceptions import NotFound

from serve.api.body import respond
from serve.api.pages import security_headers
from serve.api.recording import loaded_model

NO_CARD = "no card is recorded for this version: validate it again"
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)

blueprint = Blueprint("card", __name__)


@blueprint.get("/api/v2/model")
def model() -> Response:
    """Describe the model that answers: contract, decision rule, provenance, metrics, gates, verdict."""
    loaded = loaded_model()
    document = {
        "name": loaded.pointer.name,
        "alias": loaded.pointer.alias,
        "version": loaded.pointer.version,
        "run": loaded.pointer.run,
        "sha256": loaded.scorer.sha256,
        "contract": loaded.scorer.contract.to_dict(),
        "decision": loaded.scorer.decision_rule,
        "provenance": loaded.scorer.provenance,
    }
    return respond(document | {key: loaded.metadata.get(key) for key in ("metrics", "gates", "verdict")})


@blueprint.get("/api/v2/model/card")
def card() -> Response:
    """Return the card. Raises ServiceUnavailable without a model, NotFound where its metadata hold no card."""
    text = loaded_model().metadata.get("card")
    if not isinstance(text, str):
        raise NotFound(NO_CARD)
    response = Response(text.encode("utf-8", "replace"), mimetype="text/html")
    response.headers.update(security_headers(policy_of(text)))
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

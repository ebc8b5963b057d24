"""KServe's V1 protocol, which is also Vertex AI's: `instances` in, `predictions` out.

Sources: KServe, "V1 Inference Protocol" (after TensorFlow Serving's REST interface); Vertex AI, "Custom container
requirements for prediction". What they leave open is decided here: an instance is an application by name, or a list of
the scored features in contract order; null and NaN are missing; a prediction is a code, or a document on request.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Flask, Response
from werkzeug.routing import BaseConverter

from serve.api.body import check_rows, read_json_batch, require_json, respond
from serve.api.recording import check_name, loaded_model, name_decision, public_name, ready_model
from serve.api.wish import Wish, decide_as_wished
from serve.contract.contract import Contract
from serve.contract.tables import Monitored, encode_records
from serve.errors import RequestError
from serve.settings import Settings
from serve.store.live import Loaded


class ModelName(BaseConverter):
    """A model's name in a path: up to the colon before a verb, which no name in the registry holds."""

    regex = "[^/:]+"


blueprint = Blueprint("v1", __name__, url_prefix="/v1/models")


@blueprint.get("")
def models() -> Response:
    """List the model that answers; nothing without one."""
    return respond({"models": [public_name(loaded_model())]})


@blueprint.get("/<model:name>")
def model_ready(name: str) -> Response:
    """Answer 200 when this model answers; 503 without one, and while the server is stopping."""
    check_name(ready_model(), name)
    return respond({"name": name, "ready": True})


@blueprint.post("/<model:name>:predict")
def predict(name: str) -> Response:
    """Decide N applications."""
    return _answer(check_name(loaded_model(), name), "predictions")


@blueprint.post("/<model:name>:explain")
def explain(name: str) -> Response:
    """Decide N applications, each with its reasons."""
    return _answer(check_name(loaded_model(), name), "explanations", Wish(reasons=True))


def add_vertex_routes(app: Flask, settings: Settings) -> None:
    """Serve health and predictions at the paths that Vertex AI names, if it does."""
    known = {rule.rule for rule in app.url_map.iter_rules()}
    if settings.vertex_health and settings.vertex_health not in known:
        app.add_url_rule(settings.vertex_health, "vertex.health", _vertex_health, strict_slashes=False)
    if settings.vertex_predict and settings.vertex_predict not in known:
        options = {"methods": ["POST"], "strict_slashes": False}  # else the router redirects, and names the host
        app.add_url_rule(settings.vertex_predict, "vertex.predict", _vertex_predict, **options)


def _vertex_health() -> Response:
    ready_model()
    return respond({"status": "ready"})


def _vertex_predict() -> Response:
    return _answer(loaded_model(), "predictions")


def _answer(loaded: Loaded, key: str, wish: Wish | None = None) -> Response:
    """Decide the instances of this request; the decisions stand at `key`. wish: None: what the request says."""
    require_json()
    contract = loaded.scorer.contract
    document = read_json_batch(contract, nan_is_null=True)
    if not isinstance(document, Mapping) or not isinstance(document.get("instances"), list):
        raise RequestError("instances: expected a list of applications")
    asked = Wish.read(document.get("parameters"), "parameters")
    instances = document["instances"]
    check_rows(len(instances))
    monitored: Monitored = {}
    X = encode_records(contract, _name_values(contract, instances), monitored)
    decisions, decision_id = decide_as_wished(loaded, X, wish or asked, monitored)
    return name_decision(respond({key: decisions}), loaded, decision_id)


def _name_values(contract: Contract, instances: Sequence[Any]) -> Sequence[Any]:
    """Return the instances as applications: a list has a value for each scored feature, in contract order."""
    names = [feature.name for feature in contract.scored]
    for number, instance in enumerate(instances):
        if isinstance(instance, list) and len(instance) != len(names):
            raise RequestError(f"instances[{number}]: expected {len(names)} values: {', '.join(names)}")
    return [dict(zip(names, each, strict=True)) if isinstance(each, list) else each for each in instances]

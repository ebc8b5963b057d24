"""The OpenAPI document, made from the contract of the model that answers."""

from typing import Any

from flask import Blueprint, Response

from serve.api import live_model, respond
from serve.contract import Contract
from serve.feature import Feature

blueprint = Blueprint("openapi", __name__)


@blueprint.get("/openapi.json")
def document() -> Response:
    """Return the document; without a model the application is any object."""
    loaded = live_model().current
    return respond(make_document(loaded.scorer.contract if loaded else None))


def make_document(contract: Contract | None) -> dict[str, Any]:
    """Return an OpenAPI 3.1 document for the service."""
    application, example = _application_schema(contract)
    labels = [contract.label(1), contract.label(0)] if contract else None
    prediction = _object({"prediction": _typed("string", labels), "prediction_code": _typed("integer", [1, 0])})
    error = _object({"error": {"type": "string"}, "fields": {"type": "object"}}, required=["error"])
    status = _object(
        {
            "status": {"type": "string"},
            "model_loaded": {"type": "boolean"},
            "model_name": {"type": "string"},
            "model_alias": {"type": "string"},
        }
    )
    health = _object({"status": {"type": "string"}})
    schemas = {
        **{"Application": application, "Prediction": prediction, "Error": error},
        **{"Status": status, "Health": health},
    }
    body = {"required": True, "content": _json("Application", example)}
    predict = {"summary": "Decide one application", "operationId": "predict", "requestBody": body}
    predict["responses"] = {"200": _answer("The decision", "Prediction") | {"headers": _HEADERS}} | _errors(
        "400", "413", "415", "422", "503"
    )
    schemas["Decision"] = _decision_schema(prediction["properties"])
    decision = predict | {"summary": "Decide one application, and say how it came about", "operationId": "decide"}
    decision["responses"] = predict["responses"] | {"200": _answer("The decision", "Decision") | {"headers": _HEADERS}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Loan approval", "version": "2", "description": "Decisions by the promoted model."},
        "paths": {
            "/": {"get": _get("Whether a model is loaded", "Status")},
            "/api/v2/predict": {"post": predict},
            "/api/v2/decision": {"post": decision},
            "/api/v2/model": {"get": _get("The model that answers", otherwise=_errors("503"))},
            "/health/live": {"get": _get("The process answers", "Health")},
            "/health/ready": {"get": _get("A model is loaded", "Health", _errors("503"))},
        },
        "components": {"schemas": schemas},
    }


_TITLES = {
    "400": "Not JSON, or not strict JSON",
    "413": "The body is too large",
    "415": "The content type is not application/json",
    "422": "The application breaks the contract",
    "503": "No model is loaded",
}
_HEADERS = {
    "X-Decision-Id": {"description": "UUIDv7 of this decision", "schema": {"type": "string", "format": "uuid"}},
    "X-Model-Version": {"description": "Version in the registry", "schema": {"type": "string"}},
    "X-Model-Sha256": {"description": "Hash of the model file", "schema": {"type": "string"}},
}


def _decision_schema(prediction: dict[str, Any]) -> dict[str, Any]:
    share = {"type": "number", "minimum": 0, "maximum": 1}
    band = {"type": "array", "items": share, "minItems": 2, "maxItems": 2}
    properties = prediction | {
        "probability": share | {"description": "of approval"},
        "threshold": share | {"description": "approved from here on"},
        "band": _typed("string", ["approve", "refer", "decline"]),
        "review_band": band | {"description": "[low, high): referred to a person; empty when both are the threshold"},
        "reasons": {"type": "array", "items": {}, "description": "Reserved for the principal reasons; empty for now."},
        "model": _object({key: {"type": "string"} for key in ("name", "alias", "version", "sha256")}),
        "decision_id": {"type": "string", "format": "uuid"},
    }
    return _object(properties)


def _application_schema(contract: Contract | None) -> tuple[dict[str, Any], dict[str, Any] | None]:
    if contract is None:
        return {"type": "object"}, None
    schema = _object(
        {feature.name: _property(feature) for feature in contract.features},
        required=[feature.name for feature in contract.scored if not feature.missing],
    )
    return schema | {"additionalProperties": False}, contract.example()


def _property(feature: Feature) -> dict[str, Any]:
    nullable = feature.missing or not feature.scored
    if feature.is_category:
        schema = _typed("string", list(feature.values))
    else:
        schema = {"type": feature.type, "minimum": feature.min, "maximum": feature.max}
    if nullable:
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    if feature.unit:
        schema["description"] = feature.unit
    return schema | {"examples": [feature.example]}


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties) if required is None else required}


def _typed(kind: str, values: list[Any] | None) -> dict[str, Any]:
    return {"type": kind} | ({"enum": values} if values else {})


def _json(schema: str, example: dict[str, Any] | None = None) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    return {"application/json": content | ({"example": example} if example else {})}


def _answer(title: str, schema: str | None) -> dict[str, Any]:
    content = {"content": _json(schema)} if schema else {"content": {"application/json": {"schema": {}}}}
    return {"description": title} | content


def _get(title: str, schema: str | None = None, otherwise: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"summary": title, "responses": {"200": _answer(title, schema)} | (otherwise or {})}


def _errors(*codes: str) -> dict[str, Any]:
    return {code: _answer(_TITLES[code], "Error") for code in codes}

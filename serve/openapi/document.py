"""The OpenAPI document, made from the contract of the model that answers."""

from typing import Any

from serve.contract.contract import Contract
from serve.contract.feature import Feature
from serve.openapi.decision import decision_schemas, describe_operation
from serve.openapi.parts import (
    APPLICANT,
    HEADERS,
    error_answers,
    get,
    get_page,
    json_content,
    list_of,
    make_object,
    post,
    reference,
    typed,
)
from serve.openapi.protocols import protocol_paths, protocol_schemas


def make_document(contract: Contract | None) -> dict[str, Any]:
    """Return an OpenAPI 3.1 document for the service."""
    application, example = _application_schema(contract)
    labels = [contract.label(1), contract.label(0)] if contract else None
    prediction = make_object({"prediction": typed("string", labels), "prediction_code": typed("integer", [1, 0])})
    error = make_object({"error": {"type": "string"}, "fields": {"type": "object"}}, required=["error"])
    status = make_object(
        {
            "status": {"type": "string"},
            "model_loaded": {"type": "boolean"},
            "model_name": {"type": "string"},
            "model_alias": {"type": "string"},
        }
    )
    health = make_object({"status": {"type": "string"}})
    schemas = {
        **{"Application": application, "Prediction": prediction, "Error": error},
        **{"Status": status, "Health": health},
        **{"Columns": _columns_schema(contract), "PredictionColumns": _columns_of(prediction["properties"])},
    }
    content, errors = json_content("Application", example), ("400", "413", "415", "422", "503")
    predict = post("Decide one application", "predict", content, ("The decision", "Prediction"), errors)
    title = "Decide one application, and say how it came about"
    decision = describe_operation(post(title, "decide", content, ("The decision", "Decision"), errors))
    schemas |= decision_schemas(contract, prediction["properties"])
    return {
        "openapi": "3.1.0",
        "info": {"title": "Loan approval", "version": "2", "description": "Decisions by the promoted model."},
        "paths": {
            "/": {"get": get("Whether a model is loaded", "Status")},
            "/api/v2/predict": {"post": predict},
            "/api/v2/decision": {"post": decision},
            "/api/v2/predict/batch": {"post": _batch(example)},
            "/api/v2/model": {"get": get("The model that answers", otherwise=error_answers("503"))},
            "/api/v2/model/card": {"get": get_page("Its model card and risk file", "No card is recorded for it")},
            "/health/live": {"get": get("The process answers", "Health")},
            "/health/ready": {"get": get("A model is loaded", "Health", error_answers("503"))},
        }
        | protocol_paths(contract),
        "components": {"schemas": schemas | protocol_schemas(contract)},
    }


_BATCH_ID = "UUIDv7 of this batch; the decision of row i, from 0, is known by this id, a full stop, and i"


def _batch(example: dict[str, Any] | None) -> dict[str, Any]:
    """Return the operation that decides many applications; question and answer have the same shape."""
    body: dict[str, Any] = {
        "application/json": {"schema": {"oneOf": [_some("Application"), reference("Columns")]}},
        "text/csv": {"schema": {"type": "string", "description": "UTF-8, with a header; an empty cell is null"}},
    }
    if example:
        columns = {name: [value] for name, value in example.items()}
        body["application/json"]["examples"] = {"records": {"value": [example]}, "columns": {"value": columns}}
        body["text/csv"]["example"] = f"{','.join(example)}\r\n{','.join(map(str, example.values()))}\r\n"
    answer: dict[str, Any] = {
        "application/json": {"schema": {"oneOf": [_some("Prediction"), reference("PredictionColumns")]}},
        "text/csv": {"schema": {"type": "string"}, "example": "prediction,prediction_code\r\n"},
    }
    headers = HEADERS | {"X-Decision-Id": HEADERS["X-Decision-Id"] | {"description": _BATCH_ID}}
    return {
        "summary": "Decide many applications, or none of them",
        "operationId": "predict_batch",
        "parameters": [APPLICANT],
        "requestBody": {"required": True, "content": body},
        "responses": {
            "200": {"description": "The decisions, in the order of rows", "content": answer, "headers": headers},
            **error_answers("400", "413", "415", "422", "503"),
        },
    }


def _application_schema(contract: Contract | None) -> tuple[dict[str, Any], dict[str, Any] | None]:
    if contract is None:
        return {"type": "object"}, None
    schema = make_object(
        {feature.name: _property(feature) for feature in contract.features},
        required=[feature.name for feature in contract.scored if not feature.missing],
    )
    return schema | {"additionalProperties": False}, contract.example()


def _columns_schema(contract: Contract | None) -> dict[str, Any]:
    if contract is None:
        return {"type": "object"}
    properties = {feature.name: _property(feature) for feature in contract.features}
    schema = _columns_of(properties) | {"required": [feature.name for feature in contract.scored]}
    return schema | {"additionalProperties": False, "description": "lists of one length, a value for each row"}


def _columns_of(properties: dict[str, Any]) -> dict[str, Any]:
    return make_object({name: {"type": "array", "items": items, "minItems": 1} for name, items in properties.items()})


def _property(feature: Feature) -> dict[str, Any]:
    nullable = feature.missing or not feature.scored
    if feature.is_category:
        schema = typed("string", list(feature.values))
    else:
        schema = {"type": feature.type, "minimum": feature.min, "maximum": feature.max}
    if nullable:
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    if feature.unit:
        schema["description"] = feature.unit
    return schema | {"examples": [feature.example]}


def _some(schema: str) -> dict[str, Any]:
    return list_of(reference(schema)) | {"minItems": 1}

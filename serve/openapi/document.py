"""The OpenAPI document: `document.json`, completed from the contract of the model that answers.

The file is an OpenAPI document in short form: `"#Name"` refers to a schema, `"@name"` stands for one of its `parts`,
`json` for the schema of a JSON body. An object requires all of its properties unless `required` says otherwise, and
a 200 without a description has the operation's summary.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from serve.contract.contract import Contract
from serve.contract.feature import LANGUAGES, Feature

FILE = Path(__file__).with_name("document.json")
MODEL = "/v2/models/{name}"

SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "basic": {"type": "http", "scheme": "basic", "description": "the key as the password"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
PUBLIC = "health"  # the tag of operations that need no key


def make_document(contract: Contract | None, keys: bool = False) -> dict[str, Any]:
    """Return an OpenAPI 3.1 document for the service; without a contract an application is any object.

    keys: whether operations need an API key.
    """
    document = {key: _expand(part) for key, part in _load().items() if key != "parts"}
    if contract:
        _describe_features(document["components"]["schemas"], contract)
        _add_examples(document["paths"], contract)
    if keys:
        _require_keys(document)
    return document


@cache
def _load() -> dict[str, Any]:
    return json.loads(FILE.read_text(encoding="utf-8"))


def _expand(node: Any) -> Any:
    """Return a copy of a part of the file in full OpenAPI."""
    if isinstance(node, list):
        return [_expand(each) for each in node]
    if isinstance(node, str) and node.startswith("#"):
        return {"$ref": f"#/components/schemas/{node[1:]}"}
    if isinstance(node, str) and node.startswith("@"):
        return _expand(_load()["parts"][node[1:]])
    if not isinstance(node, dict):
        return node
    if "properties" in node:
        node = {"type": "object", "properties": {}, "required": list(node["properties"])} | node
    if "summary" in node:
        responses = node["responses"]
        node = node | {"responses": responses | {"200": {"description": node["summary"]} | responses["200"]}}
    full = {key: {"application/json": {"schema": value}} if key == "json" else value for key, value in node.items()}
    return {"content" if key == "json" else key: _expand(value) for key, value in full.items()}


def _require_keys(document: dict[str, Any]) -> None:
    """Add the ways to send a key, and 401, to the operations that need one."""
    document["components"]["securitySchemes"] = SCHEMES
    document["security"] = [{name: []} for name in SCHEMES]
    refused = _expand({"401": {"description": "No valid API key", "json": "#Error"}})
    for operations in document["paths"].values():
        for operation in operations.values():
            if PUBLIC in operation["tags"]:
                operation["security"] = []
            else:
                operation["responses"] |= refused


def _describe_features(schemas: dict[str, Any], contract: Contract) -> None:
    """Add the contract's features and labels to the schemas."""
    scored = [feature.name for feature in contract.scored]
    properties = {feature.name: _property(feature) for feature in contract.features}
    required = [feature.name for feature in contract.scored if not feature.missing]
    schemas["Application"] |= {
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    schemas["Columns"] |= {
        "properties": {name: {"type": "array", "items": items, "minItems": 1} for name, items in properties.items()},
        "required": required,
        "minProperties": 1,
        "additionalProperties": False,
        "description": "lists of one length, a value for each row",
    }
    labels = {"enum": [contract.label(1), contract.label(0)]}
    for schema in ("Prediction", "BatchPrediction", "Decision"):
        schemas[schema]["properties"]["prediction"] |= labels
    schemas["PredictionColumns"]["properties"]["prediction"]["items"] |= labels
    schemas["Detail"]["properties"]["label"] |= labels
    for schema in ("Reason", "Counterfactual"):
        schemas[schema]["properties"]["feature"] |= {"enum": scored}
    first = contract.scored[0]
    code, text = first.code, first.title(LANGUAGES[0])
    schemas["Reason"]["examples"] = [{"code": code, "feature": first.name, "effect": "against", "text": text}]
    numbers = {"properties": {name: {"type": "number"} for name in scored}, "required": scored}
    schemas["Explanation"]["properties"]["contributions"] |= numbers
    by_position = schemas["Instances"]["properties"]["instances"]["items"]["oneOf"][1]
    by_position |= {"minItems": len(scored), "maxItems": len(scored)}
    request = schemas["InferenceRequest"]
    request["description"] = request["description"].replace("[N, F]", f"[N, {len(scored)}]")


def _add_examples(paths: dict[str, Any], contract: Contract) -> None:
    """Add the contract's example to each request that decides."""
    example = contract.example()
    row = contract.encode(example)[0].tolist()
    tensor = {"name": "X", "shape": [1, len(row)], "datatype": "FP64", "data": row}
    columns = {name: [value] for name, value in example.items()}
    csv = f"{','.join(example)}\r\n{','.join(map(str, example.values()))}\r\n"
    examples = {
        "/api/v2/predict": {"example": example},
        "/api/v2/decision": {"example": example},
        "/api/v2/predict/batch": {"examples": {"records": {"value": [example]}, "columns": {"value": columns}}},
        f"{MODEL}/infer": {"example": {"inputs": [tensor]}},
        f"{MODEL}/versions/{{version}}/infer": {"example": {"inputs": [tensor]}},
        "/invocations": {"example": {"dataframe_records": [example]}},
        **{f"/v1/models/{{name}}:{verb}": {"example": {"instances": [example]}} for verb in ("predict", "explain")},
    }
    for path, added in examples.items():
        paths[path]["post"]["requestBody"]["content"]["application/json"] |= added
    paths["/api/v2/predict/batch"]["post"]["requestBody"]["content"]["text/csv"]["example"] = csv


def _property(feature: Feature) -> dict[str, Any]:
    """Return the schema of one feature's value."""
    schema: dict[str, Any] = {"type": feature.type, "minimum": feature.min, "maximum": feature.max}
    if feature.is_category:
        schema = {"type": "string", "enum": list(feature.values)}
    if feature.type == "date":
        numbers = {"minimum": feature.min, "maximum": feature.max} if feature.takes_number else {}
        kinds = {"type": ["string", "integer"]} if numbers else {"type": "string"}
        schema = kinds | {"format": "date", "description": feature.expected} | numbers
    if feature.other:
        schema = {"type": "string", "pattern": r"\S", "description": feature.expected}
    if feature.missing or not feature.scored:
        kinds = schema["type"]
        schema["type"] = [*([kinds] if isinstance(kinds, str) else kinds), "null"]
        if "enum" in schema:
            schema["enum"].append(None)
    if feature.unit:
        schema["description"] = feature.unit
    return schema | {"examples": [feature.example]}

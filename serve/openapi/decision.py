"""The section of the OpenAPI document on decisions: reasons, what would be approved, and the values on request."""

from typing import Any

from serve.contract.contract import Contract
from serve.contract.feature import LANGUAGES
from serve.openapi.parts import list_of, make_object, reference, typed

_QUERY: dict[str, tuple[list[str], str]] = {
    "values": (["true", "false"], "true adds the explanation: the number behind each reason"),
    "texts": (["all", "one"], "all gives each text in every language, one (the default) as negotiated"),
}


def describe_operation(operation: dict[str, Any]) -> dict[str, Any]:
    """Return the operation that decides, with what can be asked of it and the headers of its languages."""
    parameters = [
        {"name": name, "in": "query", "schema": typed("string", values), "description": description}
        for name, (values, description) in _QUERY.items()
    ]
    about = f"The language of the texts: {' or '.join(LANGUAGES)}; {LANGUAGES[0]} where it is none of them"
    parameters += [{"name": "Accept-Language", "in": "header", "schema": {"type": "string"}, "description": about}]
    answers = operation["responses"]
    answers["400"] = answers["400"] | {"description": "Not JSON, or not strict JSON, or an unknown query value"}
    language = {"description": "The language of the texts, or all of them", "schema": {"type": "string"}}
    headers = answers["200"]["headers"] | {"Content-Language": language}
    return operation | {
        "parameters": [*operation["parameters"], *parameters],
        "responses": answers | {"200": answers["200"] | {"headers": headers}},
    }


def decision_schemas(contract: Contract | None, prediction: dict[str, Any]) -> dict[str, Any]:
    """Return the schemas of a decision, given the properties of a prediction."""
    share = {"type": "number", "minimum": 0, "maximum": 1}
    band = {"type": "array", "items": share, "minItems": 2, "maxItems": 2}
    about = "for an approval what spoke for it, else what counted against it; the weightiest first"
    properties = prediction | {
        "probability": share | {"description": "of approval"},
        "threshold": share | {"description": "approved from here on"},
        "band": typed("string", ["approve", "refer", "decline"]),
        "review_band": band | {"description": "[low, high): referred to a person; empty when both are the threshold"},
        "reasons": list_of(reference("Reason")) | {"maxItems": 4, "description": about},
        "counterfactuals": list_of(reference("Counterfactual")) | {"description": "empty when the band is approve"},
        "explanation": reference("Explanation"),
        "model": make_object({key: {"type": "string"} for key in ("name", "alias", "version", "sha256")}),
        "decision_id": {"type": "string", "format": "uuid"},
    }
    return {
        "Decision": make_object(properties, [name for name in properties if name != "explanation"]),
        "Text": _text_schema(),
        "Reason": _reason_schema(contract),
        "Counterfactual": _counterfactual_schema(contract),
        "Explanation": _explanation_schema(contract),
    }


def _text_schema() -> dict[str, Any]:
    return {"oneOf": [{"type": "string"}, make_object({language: {"type": "string"} for language in LANGUAGES})]}


def _reason_schema(contract: Contract | None) -> dict[str, Any]:
    about = "stable: a feature's own, with .MISSING where its absence counted"
    properties = {
        "code": {"type": "string", "description": about},
        "feature": _name_schema(contract),
        "effect": typed("string", ["against", "for"]),
        "text": reference("Text"),
    }
    schema = make_object(properties) | {"additionalProperties": False}
    if contract is None:
        return schema
    first = contract.scored[0]
    example = {"code": first.code, "feature": first.name, "effect": "against", "text": first.title(LANGUAGES[0])}
    return schema | {"examples": [example]}


def _counterfactual_schema(contract: Contract | None) -> dict[str, Any]:
    number = {"type": "number"}
    properties = {
        "feature": _name_schema(contract),
        "from": number | {"description": "approved from this value upwards"},
        "to": number | {"description": "approved up to this value"},
        "at": number | {"description": "approved at this value; beyond it not everywhere, or that is not known"},
        "one_of": list_of({"type": "string"}) | {"minItems": 1, "description": "approved with any of these"},
        "unit": {"type": "string"},
        "text": reference("Text"),
    }
    claims = [{"required": [claim]} for claim in ("from", "to", "at", "one_of")]
    about = "a change of this feature alone that is approved, the nearest there is, found by scoring"
    schema = make_object(properties, ["feature", "text"]) | {"oneOf": claims, "description": about}
    return schema | {"additionalProperties": False}


def _explanation_schema(contract: Contract | None) -> dict[str, Any]:
    number = {"type": "number"}
    names = {feature.name: number for feature in contract.scored} if contract else {}
    properties = {
        "method": {"type": "string"},
        "base": number | {"description": "mean log-odds over the background rows"},
        "threshold": number | {"description": "as log-odds"},
        "contributions": make_object(names) | {"description": "base and their sum are the log-odds of approval"},
        "error": number | {"minimum": 0, "description": "largest standard error of a contribution; 0 when exact"},
    }
    return make_object(properties) | {"description": "only with ?values=true; all but method are log-odds of approval"}


def _name_schema(contract: Contract | None) -> dict[str, Any]:
    return typed("string", [feature.name for feature in contract.scored] if contract else None)

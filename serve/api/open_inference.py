"""The Open Inference Protocol over REST ("v2", as KServe, Triton and their clients speak it).

Source: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md. Paths, documents
and error shape are the specification's. This server decides what it leaves open:
- Inputs: `X` [N, F] (FP64 or FP32: the scored features in contract order, a category as its index, a date as its
  number), or one tensor [N] or [N, 1] for each feature, with its name (a category is BYTES, by name, and so is a date,
  YYYY-MM-DD). An absent tensor is null in each row.
- null and NaN in data mean missing: clients that fill a tensor from an array can't write null.
- A number is the float64 of its digits, whatever the datatype. Rounding FP32 to float32 could move a value out of its
  range; a client that holds float32 has already rounded, and should send FP64.
- A page of another origin could send a browser's stored password along, but not with Content-Type: application/json,
  nor application/octet-stream, nor a header of the protocol. A request without them, as Triton's client sends JSON, is
  answered if it has neither an Origin, which every page sends, nor a password.
- Unknown keys and parameters have no effect, as clients add their own. Those that ask for an extension which changes
  the meaning of data are refused. The binary tensor data extension is offered.
- The parameter `details` of a request adds the decision id, `reasons` likewise and the output `reasons`: codes with
  spaces between them. So does the output by its name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
from flask import Blueprint, Response, request
from werkzeug.exceptions import UnsupportedMediaType

from serve.api.binary import HEADER, Raw, is_wanted, read_document, respond_in_binary
from serve.api.body import check_rows, respond
from serve.api.recording import check_name, decide_rows, loaded_model, name_decision, public_name, ready_model
from serve.api.tensors import MATRIX, encode_tensors, read_tensors, refuse_extensions, require_object
from serve.api.wish import Reasons, Wish, explain_rows
from serve.contract.contract import Contract
from serve.contract.feature import Feature
from serve.errors import RequestError
from serve.model.scorer import name_band
from serve.store.live import Loaded

PLATFORM = "onnx_onnxv1"
JSON, BINARY = "application/json", "application/octet-stream"
OUTPUTS = {"probability": "FP64", "prediction_code": "INT64", "prediction": "BYTES", "band": "BYTES"}
REASONS = "reasons"

blueprint = Blueprint("open_inference", __name__, url_prefix="/v2")


@blueprint.get("")
def server_metadata() -> Response:
    """Name the server and its extensions."""
    return respond({"name": "loan-approval", "version": "2", "extensions": ["binary_tensor_data"]})


@blueprint.get("/health/live")
def live() -> Response:
    """Answer 200 as long as the process runs."""
    return respond({"live": True})


@blueprint.get("/health/ready")
def ready() -> Response:
    """Answer 200 with a model; 503 without one, and while the server is stopping.

    The protocol gives this answer the key of liveness; KServe's client reads `ready`.
    """
    ready_model()
    return respond({"live": True, "ready": True})


@blueprint.get("/models")
def models() -> Response:
    """List the model that answers, as KServe does."""
    return respond({"models": [public_name(loaded_model())]})


@blueprint.get("/models/<name>")
@blueprint.get("/models/<name>/versions/<version>")
def model_metadata(name: str, version: str | None = None) -> Response:
    """Describe the model by its inputs, a tensor for each scored feature, and its outputs."""
    loaded = check_name(loaded_model(), name, version)
    features = loaded.scorer.contract.scored
    return respond(
        {
            "name": name,
            "versions": [loaded.pointer.version],
            "platform": PLATFORM,
            "inputs": [_describe_input(feature) for feature in features],
            "outputs": [{"name": name, "datatype": kind, "shape": [-1]} for name, kind in OUTPUTS.items()],
            "parameters": {MATRIX: f"FP64 [-1, {len(features)}] in place of all inputs, names and dates as numbers"},
        }
    )


def _describe_input(feature: Feature) -> dict[str, Any]:
    """Return the metadata of a feature's tensor; its limits or values are parameters, which clients may ignore."""
    kind = "INT64" if feature.type == "integer" and not feature.missing else "FP64"  # only floats can be NaN
    limits: dict[str, Any] = {"min": feature.min, "max": feature.max}
    if feature.is_text:
        kind, lists = "BYTES", {"values": list(feature.values), "range": list(feature.range)}
        limits = {key: each for key, each in lists.items() if each} or limits
    parameters = limits | {"missing": feature.missing} | ({"unit": feature.unit} if feature.unit else {})
    return {"name": feature.name, "datatype": kind, "shape": [-1, 1], "parameters": parameters}


@blueprint.get("/models/<name>/ready")
@blueprint.get("/models/<name>/versions/<version>/ready")
def model_ready(name: str, version: str | None = None) -> Response:
    """Answer 200 when this model and version answers; 503 without a model, and while the server is stopping."""
    check_name(ready_model(), name, version)
    return respond({"name": name, "ready": True})


@blueprint.post("/models/<name>/infer")
@blueprint.post("/models/<name>/versions/<version>/infer")
def infer(name: str, version: str | None = None) -> Response:
    """Decide N applications."""
    loaded = check_name(loaded_model(), name, version)
    contract = loaded.scorer.contract
    document, raw = _read_request(contract)
    names = _read_outputs(document)
    tensors = read_tensors(document, raw)
    check_rows(tensors[0].shape[0])
    X = encode_tensors(contract, tensors)
    wish = _read_wish(document, names)
    reasons = explain_rows(loaded, X) if wish.reasons else None
    p, codes, decision_id = decide_rows(loaded, X, reasons=reasons)
    answer: dict[str, Any] = {"model_name": name, "model_version": loaded.pointer.version}
    if document.get("id") is not None:
        answer["id"] = document["id"]
    if wish != Wish():
        answer["parameters"] = {"decision_id": decision_id}
    answer["outputs"] = _make_outputs(names, loaded, p, codes, reasons)
    wanted = [is_wanted(document, output["name"]) for output in answer["outputs"]]
    response = respond_in_binary(answer, wanted) if any(wanted) else respond(answer)
    return name_decision(response, loaded, decision_id)


def _read_request(contract: Contract) -> tuple[Mapping[str, Any], Raw]:
    may_be_a_page = "Origin" in request.headers or request.headers.get("Authorization", "").lower().startswith("basic")
    is_named = request.mimetype in (JSON, BINARY) or HEADER in request.headers
    if not is_named and (request.mimetype or may_be_a_page):
        raise UnsupportedMediaType(f"expected Content-Type: {JSON} or {BINARY}")
    document, raw = read_document(contract)
    document = require_object(document, "the body")
    if not isinstance(document.get("id"), str | None):
        raise RequestError("id: expected text")
    refuse_extensions(document, "")
    return document, raw


def _read_outputs(document: Mapping[str, Any]) -> list[str]:
    """Return the names of the requested outputs; of all of them when the request names none."""
    outputs = document.get("outputs") or []
    if not isinstance(outputs, list):
        raise RequestError("outputs: expected a list")
    names: list[str] = []
    for number, value in enumerate(outputs):
        where = f"outputs[{number}]"
        output = require_object(value, where)
        refuse_extensions(output, f"{where}.")
        name = output.get("name")
        if not isinstance(name, str) or name not in (*OUTPUTS, REASONS):
            raise RequestError(f"{where}.name: unknown, expected {', '.join((*OUTPUTS, REASONS))}")
        if name in names:
            raise RequestError(f"{where}.name: stands twice")
        names.append(name)
    return names or list(OUTPUTS)


def _read_wish(document: Mapping[str, Any], names: list[str]) -> Wish:
    """Return what the parameters ask for, or the output `reasons`, and add that to the names where it is wished."""
    names_of_wish = {each.name for each in fields(Wish)}
    parameters = (document.get("parameters") or {}).items()
    wish = Wish.read({name: value for name, value in parameters if name in names_of_wish}, "parameters")
    if wish.reasons and REASONS not in names:
        names.append(REASONS)
    return replace(wish, reasons=REASONS in names)


def _make_outputs(
    names: Sequence[str], loaded: Loaded, p: np.ndarray, codes: np.ndarray, reasons: Reasons | None
) -> list[dict[str, Any]]:
    contract, band = loaded.scorer.contract, loaded.scorer.review_band
    labels = (contract.label(0), contract.label(1))
    data: dict[str, list[Any]] = {"probability": p.tolist(), "prediction_code": codes.tolist()}
    data["prediction"] = [labels[code] for code in codes]
    data["band"] = [name_band(probability, *band) for probability in data["probability"]]
    data[REASONS] = [" ".join(each) for each in reasons or ()]
    kinds = OUTPUTS | {REASONS: "BYTES"}
    return [{"name": name, "datatype": kinds[name], "shape": [len(p)], "data": data[name]} for name in names]

"""The Open Inference Protocol over REST ("v2", as KServe, Triton and their clients speak it).

Source: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md. Paths, documents
and error shape are the specification's. This server decides what it leaves open:
- Inputs: `X` [N, F] (FP64 or FP32: the scored features in contract order, a category as its index), or one tensor
  [N] or [N, 1] for each feature, with its name (a category is BYTES, by name). An absent tensor is null in each row.
- null and NaN in data mean missing: clients that fill a tensor from an array can't write null.
- A number is the float64 of its digits, whatever the datatype. Rounding FP32 to float32 could move a value out of its
  range; a client that holds float32 has already rounded, and should send FP64.
- Content-Type: application/json is required, for without it a page of another origin could send a browser's stored
  password along. Triton's client sends none by itself: `infer(..., headers={"Content-Type": "application/json"})`.
- Unknown keys and parameters have no effect, as clients add their own. Those that ask for an extension which changes
  the meaning of data are refused. No extension is offered: answers are JSON, even when binary data was asked for.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound, UnsupportedMediaType

from serve.api.body import check_rows, read_json_batch, respond
from serve.api.recording import decide_rows, loaded_model, name_decision
from serve.api.tensors import MATRIX, encode_tensors, read_tensors, refuse_extensions, require_object
from serve.contract.contract import Contract
from serve.errors import RequestError
from serve.store.live import Loaded

PLATFORM = "onnx_onnxv1"
OUTPUTS = {"probability": "FP64", "prediction_code": "INT64", "prediction": "BYTES"}

blueprint = Blueprint("open_inference", __name__, url_prefix="/v2")


@blueprint.get("")
def server_metadata() -> Response:
    """Name the server and its extensions: none."""
    return respond({"name": "loan-approval", "version": "2", "extensions": []})


@blueprint.get("/health/live")
def live() -> Response:
    """Answer 200 as long as the process runs."""
    return respond({"live": True})


@blueprint.get("/health/ready")
def ready() -> Response:
    """Answer 200 with a model, 503 without one. The protocol gives this answer the same key as liveness."""
    loaded_model()
    return respond({"live": True})


@blueprint.get("/models/<name>")
@blueprint.get("/models/<name>/versions/<version>")
def model_metadata(name: str, version: str | None = None) -> Response:
    """Describe the model by its canonical input, `X`, and its outputs."""
    loaded = _named_model(name, version)
    features = len(loaded.scorer.contract.scored)
    return respond(
        {
            "name": loaded.pointer.name,
            "versions": [loaded.pointer.version],
            "platform": PLATFORM,
            "inputs": [{"name": MATRIX, "datatype": "FP64", "shape": [-1, features]}],
            "outputs": [{"name": name, "datatype": kind, "shape": [-1]} for name, kind in OUTPUTS.items()],
        }
    )


@blueprint.get("/models/<name>/ready")
@blueprint.get("/models/<name>/versions/<version>/ready")
def model_ready(name: str, version: str | None = None) -> Response:
    """Answer 200 when this model and version is the loaded one."""
    return respond({"name": _named_model(name, version).pointer.name, "ready": True})


@blueprint.post("/models/<name>/infer")
@blueprint.post("/models/<name>/versions/<version>/infer")
def infer(name: str, version: str | None = None) -> Response:
    """Decide N applications."""
    loaded = _named_model(name, version)
    contract = loaded.scorer.contract
    document = _read_request(contract)
    names = _read_outputs(document)
    tensors = read_tensors(document)
    check_rows(tensors[0].shape[0])
    p, codes, decision_id = decide_rows(loaded, encode_tensors(contract, tensors))
    answer = {"model_name": loaded.pointer.name, "model_version": loaded.pointer.version}
    if document.get("id") is not None:
        answer["id"] = document["id"]
    outputs = _make_outputs(names, contract, p, codes)
    return name_decision(respond(answer | {"outputs": outputs}), loaded, decision_id)


def _named_model(name: str, version: str | None) -> Loaded:
    loaded = loaded_model()
    if name != loaded.pointer.name:
        raise NotFound("unknown model")
    if version not in (None, loaded.pointer.version):
        raise NotFound("unknown version of the model, or one that does not answer now")
    return loaded


def _read_request(contract: Contract) -> Mapping[str, Any]:
    if "Inference-Header-Content-Length" in request.headers:
        raise RequestError("Inference-Header-Content-Length: the binary tensor data extension is not supported")
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("expected Content-Type: application/json")
    document = require_object(read_json_batch(contract, nan_is_null=True), "the body")
    if not isinstance(document.get("id"), str | None):
        raise RequestError("id: expected text")
    refuse_extensions(document, "")
    return document


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
        if not isinstance(name, str) or name not in OUTPUTS:
            raise RequestError(f"{where}.name: unknown, expected {', '.join(OUTPUTS)}")
        if name in names:
            raise RequestError(f"{where}.name: stands twice")
        names.append(name)
    return names or list(OUTPUTS)


def _make_outputs(names: Sequence[str], contract: Contract, p: np.ndarray, codes: np.ndarray) -> list[dict[str, Any]]:
    labels = (contract.label(0), contract.label(1))
    predictions = [labels[code] for code in codes]
    data = {"probability": p.tolist(), "prediction_code": codes.tolist(), "prediction": predictions}
    return [{"name": name, "datatype": OUTPUTS[name], "shape": [len(p)], "data": data[name]} for name in names]

"""The section of the OpenAPI document on the standard protocols: Open Inference and MLflow's scoring."""

from typing import Any

from serve.contract.contract import Contract
from serve.openapi.parts import error_answers, get, json_content, list_of, make_object, post, reference, typed

MODEL = "/v2/models/{name}"
TENSORS = ["FP64", "FP32", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "BYTES"]
TEXT = {"type": "string"}
PLAIN_TEXT = {"text/plain": {"schema": TEXT}}
PARAMETERS = {"type": ["object", "null"]}


def protocol_paths(contract: Contract | None) -> dict[str, Any]:
    """Return the paths of both protocols, with examples where there is a contract."""
    return _open_inference_paths(contract) | _scoring_paths(contract)


def protocol_schemas(contract: Contract | None) -> dict[str, Any]:
    """Return the schemas that `protocol_paths` refers to."""
    return _open_inference_schemas(contract) | _scoring_schemas()


def _open_inference_paths(contract: Contract | None) -> dict[str, Any]:
    paths = {
        "/v2": {"get": get("Open Inference Protocol: the server", "ServerMetadata")},
        "/v2/health/live": {"get": get("Open Inference Protocol: the process answers", "Live")},
        "/v2/health/ready": {
            "get": get("Open Inference Protocol: a model is loaded", "Live", error_answers("503")),
        },
    }
    names = [{"name": "name", "in": "path", "required": True, "schema": TEXT}]
    version = {"name": "version", "in": "path", "required": True, "schema": TEXT}
    missing = error_answers("404", "503")
    for model, parameters in ((MODEL, names), (MODEL + "/versions/{version}", [*names, version])):
        metadata = get("Open Inference Protocol: what the model takes and gives", "ModelMetadata", missing)
        ready = get("Open Inference Protocol: this model answers", "ModelReady", missing)
        infer = _infer(contract, "infer" if parameters is names else "infer_version")
        for path, method, operation in (("", "get", metadata), ("/ready", "get", ready), ("/infer", "post", infer)):
            paths[model + path] = {method: operation | {"parameters": [*operation.get("parameters", []), *parameters]}}
    return paths


def _infer(contract: Contract | None, operation: str) -> dict[str, Any]:
    return post(
        "Open Inference Protocol: decide N applications",
        operation,
        json_content("InferenceRequest", _example_tensor(contract) if contract else None),
        ("The outputs asked for", "InferenceAnswer"),
        ("400", "404", "413", "415", "422", "503"),
    )


def _example_tensor(contract: Contract) -> dict[str, Any]:
    row = contract.encode(contract.example())[0].tolist()
    return {"inputs": [{"name": "X", "shape": [1, len(row)], "datatype": "FP64", "data": row}]}


def _scoring_paths(contract: Contract | None) -> dict[str, Any]:
    ready = get("MLflow's scoring protocol: a model is loaded", None, error_answers("503"))
    ready["responses"]["200"]["content"] = PLAIN_TEXT
    version = get("MLflow's scoring protocol: the version of MLflow whose protocol this is")
    version["responses"]["200"]["content"] = PLAIN_TEXT
    example = {"dataframe_records": [contract.example()]} if contract else None
    invocations = post(
        "MLflow's scoring protocol: the codes of N applications",
        "invocations",
        json_content("Invocation", example) | {"text/csv": {"schema": TEXT}},
        ("1 approved, 0 not, in the order of the rows", "Predictions"),
        ("400", "413", "415", "422", "503"),
    )
    return {
        "/ping": {"get": ready},
        "/health": {"get": ready},
        "/version": {"get": version},
        "/invocations": {"post": invocations},
    }


def _open_inference_schemas(contract: Contract | None) -> dict[str, Any]:
    features = len(contract.scored) if contract else "F"
    about = (
        f"Either one tensor X of shape [N, {features}] (FP64 or FP32: the scored features in the contract's order, a"
        " category as its index), or one tensor of shape [N] or [N, 1] a feature, named as the feature (BYTES for a"
        " category). null means missing."
    )
    shape = {"shape": list_of(typed("integer") | {"minimum": 0})}
    tensor = {"name": TEXT, "datatype": typed("string", TENSORS), "data": {"type": "array"}} | shape
    output = make_object({"name": TEXT, "parameters": PARAMETERS}, required=["name"])
    request = {
        **{"id": {"type": ["string", "null"]}, "parameters": PARAMETERS},
        "inputs": list_of(reference("Tensor")) | {"minItems": 1},
        "outputs": list_of(output) | {"type": ["array", "null"]},
    }
    inference = {"model_name": TEXT, "model_version": TEXT, "id": TEXT, "outputs": list_of(reference("Tensor"))}
    tensors = list_of(make_object({"name": TEXT, "datatype": TEXT, "shape": list_of(typed("integer"))}))
    model = {"name": TEXT, "versions": list_of(TEXT), "platform": TEXT, "inputs": tensors, "outputs": tensors}
    return {
        "Tensor": make_object(tensor | {"parameters": PARAMETERS}, required=list(tensor)),
        "InferenceRequest": make_object(request, required=["inputs"]) | {"description": about},
        "InferenceAnswer": make_object(inference, required=["model_name", "model_version", "outputs"]),
        "ServerMetadata": make_object({"name": TEXT, "version": TEXT, "extensions": list_of(TEXT)}),
        "ModelMetadata": make_object(model),
        "Live": make_object({"live": typed("boolean")}),
        "ModelReady": make_object({"name": TEXT, "ready": typed("boolean")}),
    }


def _scoring_schemas() -> dict[str, Any]:
    records, columns = list_of({"type": "object"}), {"type": "object"}
    split = {"columns": list_of(TEXT), "data": list_of({"type": "array"}), "index": {"type": ["array", "null"]}}
    formats = {
        "dataframe_split": make_object(split, required=["columns", "data"]),
        "dataframe_records": records,
        "instances": {"anyOf": [records, columns]},
        "inputs": {"anyOf": [records, columns]},
        "params": {"type": ["object", "null"], "maxProperties": 0},
    }
    return {
        "Invocation": make_object(formats, required=[]) | {"description": "Exactly one of these, params aside."},
        "Predictions": make_object({"predictions": list_of(typed("integer", [0, 1]))}),
    }

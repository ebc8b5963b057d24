import json
import struct

import numpy as np
import pytest

from serve.api.binary import HEADER
from tests.serve.api.test_tensors import INFER, MARK, NAMES, ROW, columns, infer, matrix, tensor

OTHER = [18, 0, 300, 1_000_000, 1, 0, 1]


def texts(*values: str) -> bytes:
    return b"".join(struct.pack("<I", len(value.encode())) + value.encode() for value in values)


def post(client, inputs: list[dict], raw: bytes, path: str = INFER, headers: dict | None = None, **rest):
    head = json.dumps({"inputs": inputs} | rest).encode()
    told = {HEADER: str(len(head))} | (headers or {})
    return client.post(path, data=head + raw, headers=told)


def binary(name: str, shape: list[int], datatype: str, size: int) -> dict:
    document = tensor(name, shape, [], datatype, parameters={"binary_data_size": size})
    del document["data"]
    return document


def test_a_binary_matrix_says_what_the_same_numbers_in_json_say(client):
    X = np.array([ROW, OTHER, [np.nan, np.nan, np.nan, 500.5, 30, np.nan, np.nan]])
    expected = infer(client, matrix(*[[None if np.isnan(v) else v for v in row] for row in X.tolist()])).json
    assert post(client, [binary("X", [3, 7], "FP64", X.nbytes)], X.tobytes()).json == expected
    assert len(expected["outputs"][0]["data"]) == 3


def test_each_tensor_takes_its_own_bytes_and_the_others_stay_json(client):
    expected = infer(client, *columns(ROW, OTHER)).json
    kinds = {"Loan_Duration_Years": ("INT16", "<i2"), "Had_Past_Default": ("BOOL", "u1"), "Age": ("FP16", "<f2")}
    inputs, raw = [], b""
    for column in columns(ROW, OTHER):
        if kind := kinds.get(column["name"]):
            data = np.array(column["data"], kind[1]).tobytes()
            inputs.append(binary(column["name"], [2], kind[0], len(data)))
            raw += data
        else:
            inputs.append(column)
    assert post(client, inputs, raw).json == expected


def test_a_category_comes_as_its_name_with_its_length_before_it(shelf, make_app):
    shelf.promote("mixed")
    client, path = make_app().test_client(), "/v2/models/mixed_model/infer"
    amount = tensor("amount", [2], [10, 20])
    expected = infer(client, amount, tensor("home", [2], ["own", "rent"], "BYTES"), path=path).json
    raw = texts("own", "rent")
    assert post(client, [amount, binary("home", [2], "BYTES", len(raw))], raw, path).json == expected
    assert len(expected["outputs"][0]["data"]) == 2


@pytest.mark.parametrize("how", ["all", "each"])
def test_outputs_come_in_binary_where_they_are_asked_for(client, how):
    expected = {output["name"]: output for output in infer(client, matrix(ROW, OTHER)).json["outputs"]}
    names = [{"name": name, "parameters": {"binary_data": True}} for name in ("prediction", "probability")]
    wish = {"parameters": {"binary_data_output": True}} if how == "all" else {"outputs": names}
    response = infer(client, matrix(ROW, OTHER), **wish)
    assert response.mimetype == "application/octet-stream"
    size = int(response.headers[HEADER])
    document, rest = json.loads(response.data[:size]), response.data[size:]
    assert [output["name"] for output in document["outputs"]] == (
        list(expected) if how == "all" else ["prediction", "probability"]
    )
    for output in document["outputs"]:
        length = output["parameters"]["binary_data_size"]
        data, rest = rest[:length], rest[length:]
        assert "data" not in output
        values = expected[output["name"]]["data"]
        kind = {"FP64": "<f8", "INT64": "<i8"}.get(output["datatype"])
        assert data == (np.array(values, kind).tobytes() if kind else texts(*values))
    assert rest == b""


def test_one_output_may_stay_json_beside_a_binary_one(client):
    outputs = [{"name": "prediction"}, {"name": "probability", "parameters": {"binary_data": True}}]
    response = infer(client, matrix(ROW), outputs=outputs)
    document = json.loads(response.data[: int(response.headers[HEADER])])
    assert document["outputs"][0]["data"] == ["Approved"]


EIGHT = np.arange(7.0).tobytes()
FAULTS = [
    (
        [binary("X", [1, 7], "FP64", 56)],
        EIGHT[:-8],
        "inputs[0].parameters.binary_data_size: expected a number of bytes",
    ),
    ([binary("X", [1, 7], "FP64", 56)], EIGHT + b"\0", "expected no more bytes than the tensors'"),
    ([binary("X", [1, 7], "FP64", 48)], EIGHT[:-8], "inputs[0]: expected 7 values of FP64"),
    ([binary("X", [1, 7], "FP64", 55)], EIGHT[:-1], "inputs[0]: expected 7 values of FP64"),
    ([binary("X", [10**9, 7], "FP64", 56)], EIGHT, "inputs[0]: expected 7000000000 values of FP64"),
    ([binary("X", [1, 7], MARK, 56)], EIGHT, "inputs[0]: expected 7 values of "),
    ([binary("X", [1, 7], "BOOL", 7)], b"\2" * 7, "inputs[0]: expected 7 values of BOOL"),
    ([binary("Age", [1], "BYTES", 8)], b"\xff\xff\xff\xff" + b"abcd", "inputs[0]: expected 1 values of BYTES"),
    ([binary("Age", [1], "BYTES", 5)], b"\1\0\0\0\xff", "inputs[0]: expected 1 values of BYTES"),
    ([binary("Age", [1], "BYTES", 9)], texts("a") + b"more", "inputs[0]: expected 1 values of BYTES"),
]


@pytest.mark.parametrize(("inputs", "raw", "message"), FAULTS, ids=range(len(FAULTS)))
def test_bytes_that_do_not_fit_are_400_by_tensor_and_what_was_expected(client, inputs, raw, message):
    response = post(client, inputs, raw)
    assert (response.status_code, set(response.json)) == (400, {"error"})
    assert response.json["error"].startswith(message)


@pytest.mark.parametrize("size", ["-1", "1.5", "", "99999", "9" * 30, "²"])
def test_a_size_of_the_json_that_cannot_be_is_400(client, size):
    response = post(client, [binary("X", [1, 7], "FP64", 56)], EIGHT, headers={HEADER: size.encode().decode("latin-1")})
    assert response.status_code == 400
    assert response.json["error"].startswith(HEADER)


def test_the_values_of_large_tensors_are_weighed_before_they_are_made(shelf, make_app):
    shelf.promote("loans")
    client = make_app(max_batch_bytes=2**20).test_client()
    response = post(client, [binary("X", [10**6, 1], "INT8", 10**6)], bytes(10**6))
    assert response.status_code == 413
    assert response.json["error"].startswith("too many values")


def test_names_are_those_of_the_contract(client):
    assert [each["name"] for each in client.get(INFER.removesuffix("/infer")).json["inputs"]] == NAMES

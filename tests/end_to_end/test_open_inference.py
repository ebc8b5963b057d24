"""Triton's own client against a real server process."""

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient._plugin import InferenceServerClientPlugin
from tritonclient.utils import InferenceServerException, triton_to_np_dtype

from serve.contract.contract import Contract
from serve.model.scorer import Scorer
from serve.store.store import Store
from tests.model_files import LOANS, good_files
from tests.server_process import Server, promote, running_server

MODEL = "loan_approval_model"
CONTRACT = Contract.from_dict(LOANS)


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(good_files()["loans"])


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    store = Store(folder / "store")
    promote(store, good_files()["loans"], version="7")
    with running_server(folder, store.path) as server:
        yield server


@pytest.fixture
def client(server) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
        client.register_plugin(SendsJSON())
        yield client


class SendsJSON(InferenceServerClientPlugin):
    """Says what the client sends, which it does not do by itself."""

    def __call__(self, request: Any) -> None:
        request.headers["Content-Type"] = "application/json"


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """(200, F) rows within the contract, every value that may be missing so in some of them."""
    random = np.random.default_rng(5)
    X = np.empty((200, len(CONTRACT.scored)))
    for column, feature in enumerate(CONTRACT.scored):
        values = random.uniform(feature.min, feature.max, len(X))
        X[:, column] = np.rint(values) if feature.type == "integer" else values
        if feature.missing:
            X[random.random(len(X)) < 0.1, column] = np.nan
    return X


def make_input(name: str, data: np.ndarray, datatype: str = "FP64") -> triton.InferInput:
    return triton.InferInput(name, list(data.shape), datatype).set_data_from_numpy(data, binary_data=False)


def ask(*names: str) -> list[triton.InferRequestedOutput]:
    return [triton.InferRequestedOutput(name, binary_data=False) for name in names]


def test_the_client_finds_the_server_and_its_model(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(MODEL)
    assert client.is_model_ready(MODEL, "7")
    assert not client.is_model_ready(MODEL, "8")
    assert not client.is_model_ready("other")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    metadata = client.get_model_metadata(MODEL, "7")
    assert (metadata["name"], metadata["versions"]) == (MODEL, ["7"])
    assert [each["name"] for each in metadata["inputs"]] == [feature.name for feature in CONTRACT.scored]


def test_the_matrix_scores_as_the_file_does_in_the_process(client, scorer, rows):
    outputs = ask("probability", "prediction_code", "prediction")
    result = client.infer(MODEL, [make_input("X", rows)], model_version="7", outputs=outputs, request_id="42")
    p = scorer.score(rows)
    codes = scorer.decide(p)
    assert np.isnan(rows).any()
    assert {0, 1} == set(codes)
    np.testing.assert_array_equal(result.as_numpy("probability"), p)
    np.testing.assert_array_equal(result.as_numpy("prediction_code"), codes)
    assert result.as_numpy("prediction").tolist() == [CONTRACT.label(code) for code in codes]
    assert result.get_response()["id"] == "42"
    assert result.get_response()["model_version"] == "7"


def test_a_tensor_a_feature_scores_the_same(client, scorer, rows):
    inputs = [
        make_input(feature.name, rows[:, [column]]) for column, feature in reversed([*enumerate(CONTRACT.scored)])
    ]
    result = client.infer(MODEL, inputs, outputs=ask("probability"))
    np.testing.assert_array_equal(result.as_numpy("probability"), scorer.score(rows))


def test_whole_numbers_may_come_as_whole_number_tensors(client, scorer):
    inputs = []
    for feature in CONTRACT.scored:
        kind, datatype = (np.int32, "INT32") if feature.type == "integer" else (np.float64, "FP64")
        inputs.append(make_input(feature.name, np.array([feature.example], kind), datatype))
    result = client.infer(MODEL, inputs, outputs=ask("probability"))
    np.testing.assert_array_equal(result.as_numpy("probability"), scorer.score(CONTRACT.encode(CONTRACT.example())))


def test_without_outputs_asked_for_the_client_reads_all_of_them(client, scorer, rows):
    result = client.infer(MODEL, [make_input("X", rows[:3])])  # asks for binary outputs
    np.testing.assert_array_equal(result.as_numpy("probability"), scorer.score(rows[:3]))
    assert {output["name"] for output in result.get_response()["outputs"]} == {
        *("probability", "prediction_code", "prediction", "band")
    }


def test_the_client_reads_what_was_wrong(client, rows):
    with pytest.raises(InferenceServerException, match=r"unknown model") as raised:
        client.infer("other", [make_input("X", rows)])
    assert raised.value.status() == "404"
    with pytest.raises(InferenceServerException, match=r"inputs\[0\]\.shape: expected \[N, 7\]") as raised:
        client.infer(MODEL, [make_input("X", rows[:, 1:])])
    assert raised.value.status() == "400"
    with pytest.raises(InferenceServerException, match="breaks the contract") as raised:
        client.infer(MODEL, [make_input("X", rows * 1000)])
    assert raised.value.status() == "422"


def make_inputs(metadata: dict[str, Any], rows: np.ndarray, **how: bool) -> list[triton.InferInput]:
    """Make the inputs that a model's metadata describe, by nothing else."""
    inputs = []
    for column, described in enumerate(metadata["inputs"]):
        data = rows[:, [column]].astype(triton_to_np_dtype(described["datatype"]))
        tensor = triton.InferInput(described["name"], list(data.shape), described["datatype"])
        inputs.append(tensor.set_data_from_numpy(data, **how))
    return inputs


@pytest.mark.parametrize("binary", [True, False])
def test_the_metadata_is_enough_to_call_the_model(server, scorer, rows, binary):
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as client:  # as it is: it names no content type
        inputs = make_inputs(client.get_model_metadata(MODEL), rows, binary_data=binary)
        result = client.infer(MODEL, inputs)
    p = scorer.score(rows)
    np.testing.assert_array_equal(result.as_numpy("probability"), p)
    np.testing.assert_array_equal(result.as_numpy("prediction_code"), scorer.decide(p))
    assert [label.decode() for label in result.as_numpy("prediction")] == [CONTRACT.label(c) for c in scorer.decide(p)]


@pytest.mark.parametrize("binary", [True, False])
def test_the_asynchronous_client_gets_the_same_answers(server, scorer, rows, binary):
    async def ask_twice() -> list[np.ndarray]:
        async with triton_aio.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
            inputs = make_inputs(await client.get_model_metadata(MODEL), rows, binary_data=binary)
            outputs = [triton_aio.InferRequestedOutput("probability", binary_data=binary)]
            answers = [await client.infer(MODEL, inputs, outputs=outputs) for _ in range(2)]
            return [answer.as_numpy("probability") for answer in answers]

    for p in asyncio.run(ask_twice()):
        np.testing.assert_array_equal(p, scorer.score(rows))


def test_a_binary_matrix_scores_as_the_file_does(server, scorer, rows):
    tensor = triton.InferInput("X", list(rows.shape), "FP64").set_data_from_numpy(rows)
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
        result = client.infer(MODEL, [tensor])
    np.testing.assert_array_equal(result.as_numpy("probability"), scorer.score(rows))

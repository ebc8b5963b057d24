"""Triton's own client against a real server process."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient._plugin import InferenceServerClientPlugin
from tritonclient.utils import InferenceServerException

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
    assert client.get_server_metadata()["extensions"] == []
    metadata = client.get_model_metadata(MODEL, "7")
    assert (metadata["name"], metadata["versions"]) == (MODEL, ["7"])
    assert metadata["inputs"] == [{"name": "X", "datatype": "FP64", "shape": [-1, len(CONTRACT.scored)]}]


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
    result = client.infer(MODEL, [make_input("X", rows[:3])])  # asks for binary outputs, and gets JSON
    np.testing.assert_array_equal(result.as_numpy("probability"), scorer.score(rows[:3]))
    assert {output["name"] for output in result.get_response()["outputs"]} == {
        *("probability", "prediction_code", "prediction")
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


def test_binary_input_is_refused_by_the_name_of_the_extension(client, rows):
    tensor = triton.InferInput("X", list(rows.shape), "FP64").set_data_from_numpy(rows)  # binary by default
    with pytest.raises(InferenceServerException, match="binary tensor data extension is not supported"):
        client.infer(MODEL, [tensor])


def test_one_request_may_name_its_content_type_itself_and_must(server, rows):
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
        client.infer(MODEL, [make_input("X", rows[:1])], headers={"Content-Type": "application/json"})
        with pytest.raises(InferenceServerException, match="expected Content-Type: application/json"):
            client.infer(MODEL, [make_input("X", rows[:1])])

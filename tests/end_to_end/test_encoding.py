"""Clients that compress, against a real server process."""

import gzip
import json
from collections.abc import Iterator

import numpy as np
import pytest
import tritonclient.http as triton

from serve.contract.contract import Contract
from serve.model.scorer import Scorer
from serve.store.store import Store
from tests.model_files import LOANS, good_files
from tests.server_process import Server, promote, running_server

CONTRACT = Contract.from_dict(LOANS)
JSON = {"Content-Type": "application/json"}
ROWS = 3000


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    store = Store(folder / "store")
    promote(store, good_files()["loans"])
    with running_server(folder, store.path) as server:
        yield server


def test_a_batch_in_gzip_is_answered_in_gzip_as_it_is_plainly(server):
    body = json.dumps([CONTRACT.example()] * ROWS).encode()
    plain = server.request("POST", "/api/v2/predict/batch", body, JSON)
    headers = JSON | {"Content-Encoding": "gzip", "Accept-Encoding": "gzip"}
    packed = server.request("POST", "/api/v2/predict/batch", gzip.compress(body), headers)
    assert (plain.status, packed.status) == (200, 200)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body


def test_a_bomb_is_413_and_the_next_request_is_answered(server):
    bomb = gzip.compress(bytes(100_000_000))
    answer = server.request("POST", "/api/v2/predict/batch", bomb, JSON | {"Content-Encoding": "gzip"})
    assert answer.status == 413
    assert server.request("POST", "/api/v2/predict", CONTRACT.example()).status == 200


@pytest.mark.parametrize("is_binary", [True, False], ids=["binary", "JSON"])
def test_tritons_client_compresses_both_ways(server, is_binary):
    X = np.repeat(CONTRACT.encode(CONTRACT.example()), ROWS, axis=0)
    matrix = triton.InferInput("X", list(X.shape), "FP64").set_data_from_numpy(X, binary_data=is_binary)
    wanted = [triton.InferRequestedOutput("probability", binary_data=is_binary)]
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
        result = client.infer(
            CONTRACT.model_name,
            [matrix],
            outputs=wanted,
            request_compression_algorithm="gzip",
            response_compression_algorithm="gzip",
        )
    np.testing.assert_array_equal(result.as_numpy("probability"), Scorer(good_files()["loans"]).score(X))

"""MLflow's own client against a real server process, and MLflow's own scoring server beside it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.pyfunc.scoring_server.client import ScoringServerClient
from mlflow.version import VERSION

from serve.contract.contract import Contract
from serve.model.scorer import Scorer
from serve.store.store import Store
from tests.model_files import LOANS, good_files
from tests.server_process import DEADLINE, ROOT, Server, find_free_port, promote, running_server

CONTRACT = Contract.from_dict(LOANS)
NAMES = [feature.name for feature in CONTRACT.scored]


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    store = Store(folder / "store")
    promote(store, good_files()["loans"])
    with running_server(folder, store.path) as server:
        yield server


@pytest.fixture(scope="module")
def mlflow_port(tmp_path_factory) -> Iterator[int]:
    """The port of MLflow's scoring server of a model with the same columns and the same answers."""
    folder, port = tmp_path_factory.mktemp("mlflow_scoring"), find_free_port()
    environment = {
        **{"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)},
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
    }
    command = [sys.executable, "-m", "tests.end_to_end.mlflow_scoring", str(folder), str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        ScoringServerClient("127.0.0.1", port).wait_server_ready(2 * DEADLINE, process)
        yield port
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """200 applications within the contract, NaN in each column that may have it."""
    random = np.random.default_rng(5)
    columns = {}
    for feature in CONTRACT.scored:
        values = random.uniform(feature.min, feature.max, 200)
        columns[feature.name] = np.rint(values) if feature.type == "integer" else values
        if feature.missing:
            columns[feature.name][random.random(200) < 0.1] = np.nan
    return pd.DataFrame(columns)


@pytest.fixture
def client(server) -> ScoringServerClient:
    return ScoringServerClient("127.0.0.1", server.port)


def test_mlflow_s_client_finds_the_server_ready(client, server):
    client.wait_server_ready(timeout=30, scoring_server_proc=server.process)
    client.ping()
    assert server.request("GET", "/health").status == 200


def test_the_version_is_that_of_the_mlflow_these_tests_compare_with(client):
    assert client.get_version() == VERSION


def test_a_frame_is_decided_as_the_file_decides_it_in_the_process(client, frame):
    scorer = Scorer(good_files()["loans"])
    codes = scorer.decide(scorer.score(frame.to_numpy()))
    assert frame.isna().to_numpy().any()
    assert set(codes) == {0, 1}
    assert client.invoke(frame).get_predictions()[0].tolist() == codes.tolist()
    shuffled = frame[NAMES[::-1]].set_index(frame.index[::-1])
    assert client.invoke(shuffled).get_predictions()[0].tolist() == codes.tolist()


def test_the_client_reads_what_was_wrong(client, frame):
    with pytest.raises(Exception, match=r"error code 422.*0\.Age"):
        client.invoke(frame.assign(Age=17.0))
    with pytest.raises(Exception, match=r"error code 400.*unknown name, expected details or reasons"):
        client.invoke(frame, params={"threshold": 0.1})


EXAMPLE = {name: float(value) for name, value in CONTRACT.example().items()}
DENIED = EXAMPLE | {"Credit_Score": 300.0, "Had_Past_Default": 1.0}
RECORDS = [EXAMPLE, DENIED, EXAMPLE | {"Age": None}]
SPARSE = [{name: value for name, value in record.items() if name != "Age"} for record in RECORDS]
COLUMNS = {name: [record[name] for record in RECORDS[:2]] for name in NAMES}
DATA = [list(record.values()) for record in RECORDS]
MATRIX = DATA[:2]
CSV = ",".join(NAMES) + "\n" + "\n".join(",".join("" if v is None else str(v) for v in row) for row in DATA) + "\n"
SHAPES = {
    "split": {"dataframe_split": {"columns": NAMES, "data": DATA}},
    "split, index": {"dataframe_split": {"columns": NAMES, "index": [3, 1, 2], "data": DATA}},
    "split, other order": {"dataframe_split": {"columns": NAMES[::-1], "data": [row[::-1] for row in DATA]}},
    "split, optional column absent": {"dataframe_split": {"columns": NAMES[1:], "data": [row[1:] for row in DATA]}},
    "split, NaN": json.dumps({"dataframe_split": {"columns": NAMES, "data": DATA}}).replace("null", "NaN"),
    "split, index too long": {"dataframe_split": {"columns": NAMES, "index": [1, 2, 3, 4], "data": DATA}},
    "split, no columns": {"dataframe_split": {"data": DATA}},
    "split, no data": {"dataframe_split": {"columns": NAMES}},
    "split, unknown key": {"dataframe_split": {"columns": NAMES, "data": DATA, "more": 1}},
    "split, rows too long": {"dataframe_split": {"columns": NAMES, "data": [[*row, 1.0] for row in DATA]}},
    "split, a list": {"dataframe_split": DATA},
    "records": {"dataframe_records": RECORDS},
    "records, optional column absent": {"dataframe_records": SPARSE},
    "records, an object": {"dataframe_records": EXAMPLE},
    "instances, records": {"instances": RECORDS[:2]},
    "instances, columns": {"instances": COLUMNS},
    "instances, one record": {"instances": EXAMPLE},
    "instances, rows without names": {"instances": MATRIX},
    "inputs, records": {"inputs": RECORDS[:2]},
    "inputs, columns": {"inputs": COLUMNS},
    "inputs, one record": {"inputs": DENIED},
    "inputs, rows without names": {"inputs": MATRIX},
    "inputs, a number": {"inputs": 3},
    "empty params": {"dataframe_records": RECORDS, "params": {}},
    "two formats": {"inputs": COLUMNS, "instances": COLUMNS},
    "no format": {},
    "a list": RECORDS,
    "text": '"text"',
    "not JSON": "{",
    "not UTF-8": b'{"inputs": "\xff"}',
}
KINDS = {
    "text/csv": 200,
    "text/csv; charset=utf-8": 200,
    "text/csv; charset=latin-1": 415,
    "text/csv; header=present": 415,
    "text/plain": 415,
}


def post(port: int, body: Any, kind: str = "application/json") -> tuple[int, Any]:
    """Return status and predictions."""
    body = body if isinstance(body, str | bytes) else json.dumps(body)
    with closing(HTTPConnection("127.0.0.1", port, timeout=DEADLINE)) as connection:
        connection.request("POST", "/invocations", body, {"Content-Type": kind})
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text).get("predictions") if answer.status == 200 else None


@pytest.mark.parametrize("body", SHAPES.values(), ids=SHAPES)
def test_each_shape_of_body_gets_the_status_and_the_predictions_that_mlflow_gives(server, mlflow_port, body):
    ours, theirs = post(server.port, body), post(mlflow_port, body)
    assert ours == theirs
    assert ours[0] in (200, 400)


@pytest.mark.parametrize(("kind", "status"), KINDS.items())
def test_each_content_type_gets_the_status_and_the_predictions_that_mlflow_gives(server, mlflow_port, kind, status):
    ours, theirs = post(server.port, CSV, kind), post(mlflow_port, CSV, kind)
    assert ours == theirs
    assert ours[0] == status


STRICTER = {
    "an unknown column": ({"dataframe_records": [EXAMPLE | {"Shoe_Size": 44.0}]}, 200, 422),
    "a value out of range": ({"dataframe_records": [EXAMPLE | {"Age": 17.0}]}, 200, 422),
    "a column that must be given absent": ({"inputs": {"Age": [45.0]}}, 400, 422),
    "no rows": ({"dataframe_split": {"columns": NAMES, "data": []}}, 200, 422),
    "params": ({"dataframe_records": [EXAMPLE], "params": {"threshold": 0.1}}, 200, 400),
    "a key beside the format": ({"inputs": COLUMNS, "signature_name": "x"}, 200, 400),
    "a row too short": ({"dataframe_split": {"columns": NAMES[::-1], "data": [DATA[0][::-1], [0.0] * 6]}}, 200, 400),
}


@pytest.mark.parametrize(("body", "theirs", "ours"), STRICTER.values(), ids=STRICTER)
def test_where_this_server_is_stricter_than_mlflow_is_known(server, mlflow_port, body, theirs, ours):
    assert (post(mlflow_port, body)[0], post(server.port, body)[0]) == (theirs, ours)

"""Other people's clients, as they come, in an environment of their own against a real server process."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve.contract.contract import Contract
from serve.openapi.document import make_document
from serve.store.store import Store
from tests.environments import make_environment
from tests.model_files import LOANS, MIXED, good_files
from tests.server_process import Server, promote, running_server
from tests.waiting import wait_until

DEADLINE = 300  # seconds
# KServe's client asks by V1 and V2, in JSON and in binary, and by what the metadata say; it counts wrong answers.
KSERVE = """
import asyncio, json, sys
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

base, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
row = np.array([[45, 85000, 650, 25000, 10, 5, 0]], np.float64)

def request(binary):
    tensor = InferInput("X", [1, 7], "FP64")
    tensor.set_data_from_numpy(row, binary_data=binary)
    return InferRequest(model_name=name, infer_inputs=[tensor])

async def main():
    v1, v2 = (InferenceRESTClient(RESTConfig(protocol=each, retries=0)) for each in ("v1", "v2"))
    seen = {"live": await v2.is_server_live(base), "ready": await v2.is_server_ready(base)}
    seen["model ready"] = [await each.is_model_ready(base, name) for each in (v1, v2)]
    seen["predictions"] = (await v1.infer(base, {"instances": row.tolist()}, model_name=name))["predictions"]
    seen["explanations"] = len((await v1.explain(base, name, {"instances": row.tolist()}))["explanations"])
    versions, failures = set(), 0
    print("started", flush=True)
    for number in range(count):
        try:
            headers = {}
            answer = await v2.infer(base, request(binary=number % 2 == 0), model_name=name, response_headers=headers)
            versions.add({key.lower(): value for key, value in headers.items()}["x-model-version"])
            values = {output.name: output.as_numpy() for output in answer.outputs}
            failures += not 0 < values["probability"][0] < 1 or values["prediction_code"][0] not in (0, 1)
        except Exception as err:
            failures += 1
            print(type(err).__name__, err, file=sys.stderr)
    print(json.dumps(seen | {"failures": failures, "versions": sorted(versions)}))

asyncio.run(main())
"""
GENERATED = """
import sys
sys.path.insert(0, sys.argv[1])
from loan_approval_client import Client
from loan_approval_client.api.decisions import decide, predict
from loan_approval_client.api.kserve_v1 import v1_predict
from loan_approval_client.api.mlflow import invocations
from loan_approval_client.api.open_inference import infer, model_metadata
from loan_approval_client.models import Application, InferenceRequest, Instances, Tensor

client = Client(base_url=sys.argv[2])
row = {"Age": 45, "Annual_Income": 85000, "Credit_Score": 650, "Loan_Amount": 25000, "Loan_Duration_Years": 10,
       "Number_of_Open_Accounts": 5, "Had_Past_Default": None}
application = Application.from_dict(row)
print(predict.sync(client=client, body=application).prediction)
print(decide.sync(client=client, body=application).band)
print([*map(int, v1_predict.sync("loan_approval_model", client=client, body=Instances([application])).predictions)])
tensor = Tensor.from_dict({"name": "X", "datatype": "FP64", "shape": [1, 7], "data": [45, 85000, 650, 25000, 10, 5, 0]})
answer = infer.sync("loan_approval_model", client=client, body=InferenceRequest(inputs=[tensor]))
print(answer.outputs[1].data, len(model_metadata.sync("loan_approval_model", client=client).inputs))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_environment(tmp_path_factory.mktemp("clients") / "venv", "clients.txt")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("server") / "store")
    promote(store, good_files()["loans"], version="1")
    return store


@pytest.fixture(scope="module")
def server(store: Store) -> Iterator[Server]:
    with running_server(store.path.parent, store.path, SERVE_PUBLIC_NAME="loans.bank.example") as server:
        yield server


def run(python: Path, work: Path, *command: str | Path) -> str:
    path = {"PATH": f"{python.parent}:{os.environ['PATH']}", "HOME": str(work)}
    done = subprocess.run(
        [python, *command], cwd=work, env=path, capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("requests", [300, pytest.param(10_000, marks=pytest.mark.hard)])
def test_kserve_s_client_gets_every_answer_while_the_model_changes(
    python: Path, server: Server, store: Store, tmp_path: Path, requests: int
) -> None:
    files = [good_files()[name] for name in ("loans_strict", "loans")]
    promote(store, files[1], version="first")
    wait_until(lambda: answering(server) == "first")
    command = [python, "-c", KSERVE, f"http://127.0.0.1:{server.port}", "loans.bank.example", str(requests)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, **pipes) as client:
        started = client.stdout.readline()
        for version in range(2, 52):
            if client.poll() is not None:
                break
            promote(store, files[version % 2], version=str(version))
            wait_until(lambda: client.poll() is not None or answering(server) == str(version), DEADLINE)  # noqa: B023
        output, errors = client.communicate(timeout=DEADLINE)
    assert (client.returncode, started) == (0, "started\n"), errors
    seen = json.loads(output)
    assert seen.pop("failures") == 0, errors
    assert len(seen.pop("versions")) > 1
    assert seen == {
        **{"live": True, "ready": True, "model ready": [True, True], "predictions": [1], "explanations": 1},
    }


def answering(server: Server) -> str:
    return server.request("GET", "/api/v2/model").json["version"]


@pytest.mark.parametrize("contract", [None, LOANS, MIXED], ids=["none", "loans", "mixed"])
@pytest.mark.parametrize("keys", [True, False])
def test_the_openapi_document_is_valid(python: Path, tmp_path: Path, contract: dict | None, keys: bool) -> None:
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(make_document(Contract.from_dict(contract) if contract else None, keys)))
    assert "OK" in run(python, tmp_path, "-m", "openapi_spec_validator", path)


def test_a_generated_client_has_every_operation_and_predicts(python: Path, server: Server, tmp_path: Path) -> None:
    document = server.request("GET", "/openapi.json")
    path = tmp_path / "openapi.json"
    path.write_bytes(document.body)
    options = ["--path", path, "--meta", "none", "--output-path", tmp_path / "loan_approval_client"]
    said = run(python, tmp_path, "-m", "openapi_python_client", "generate", *options)
    # It knows JSON alone of what a route may take; all else would be an operation that is missing.
    warnings = re.findall(r"^WARNING parsing .*\n\n(.*)$", said, re.MULTILINE)
    assert [text for text in warnings if not text.startswith("Unsupported content type")] == [], said
    operations = [each["operationId"] for item in document.json["paths"].values() for each in item.values()]
    made = [file.stem for file in (tmp_path / "loan_approval_client/api").glob("*/*.py") if file.stem != "__init__"]
    assert sorted(made) == sorted(operations)
    address = f"http://127.0.0.1:{server.port}"
    printed = run(python, tmp_path, "-c", GENERATED, tmp_path, address).splitlines()
    assert printed[0] in ("Approved", "Não Aprovado")
    assert printed[1] in ("approve", "refer", "decline")
    assert printed[2] in ("[1]", "[0]")
    assert printed[3].endswith(" 7")

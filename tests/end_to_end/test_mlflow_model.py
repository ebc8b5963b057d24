"""A registered version in MLflow's own tools: in an environment of its requirements alone, and in this one."""

import json
import subprocess
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.entities import LoggedModelStatus

from loan_approval.project import ROOT
from loan_approval.registry import tracking
from loan_approval.registry.mlflow_model import REQUIREMENTS
from serve.contract.contract import Contract
from serve.store.store import Store
from tests.encoded_rows import draw_rows
from tests.environments import make_environment
from tests.model_files import LOANS, LOANS_SCALING, make_file
from tests.server_process import find_free_port, promote, running_server

ROWS = 10_000
BAND = {"threshold": 0.55, "review_band": [0.45, 0.65], "cost_wrong_approval": 1.0, "cost_wrong_denial": 1.0}
DEADLINE = 240  # seconds
BOSTON = Contract.load(ROOT / "data/boston/contract.toml").to_dict()
# Reads a folder's model and the rows, as somebody who has nothing but the requirements of that folder.
LOAD = """
import json, sys
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
frame = pd.DataFrame(json.load(open(sys.argv[2])))
answer = model.predict(frame)
reasons = model.predict(frame.head(3), params={"reasons": True})["reasons"]
json.dump({"answer": answer.to_dict("list"), "reasons": list(reasons), "modules": sorted(sys.modules)}, sys.stdout)
"""


@dataclass(frozen=True)
class Registered:
    """A version whose folder was downloaded, its contract, and n applications that the contract allows."""

    version: tracking.Version
    folder: Path
    data: bytes
    contract: Contract
    records: list[dict[str, Any]]

    @property
    def frame(self) -> pd.DataFrame:
        """The applications, a row each."""
        return pd.DataFrame(self.records)

    @property
    def uri(self) -> str:
        """What MLflow's tools take."""
        return f"models:/{self.version.name}@challenger"


@pytest.fixture(scope="module", params=["loans", "boston"])
def registered(
    request: pytest.FixtureRequest, mlflow_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Registered:
    document = {"loans": LOANS, "boston": BOSTON}[request.param]
    contract = Contract.from_dict(document)
    data = make_file(document, LOANS_SCALING if document is LOANS else scale(contract), 0.2, **BAND)
    name = f"native_{request.param}"
    with tracking.start_run(name, "made by hand") as run:
        version = tracking.register(name, run, data, contract)
    tracking.set_alias(name, "challenger", version.number)
    folder = mlflow.artifacts.download_artifacts(
        f"models:/{name}@challenger", dst_path=str(tmp_path_factory.mktemp(name))
    )
    return Registered(version, Path(folder), data, contract, draw_applications(contract, ROWS))


def scale(contract: Contract) -> dict[str, list[float]]:
    """Return a scaling in which each feature moves the score, one up and the next down."""
    ends = [(0, len(f.values) - 1) if f.is_category else (f.min, f.max) for f in contract.scored]
    center, width = (
        [function(low, high) for low, high in ends] for function in (lambda a, b: (a + b) / 2, np.subtract)
    )
    return {"center": center, "scale": np.abs(width).tolist(), "weight": [(-1) ** i * 1.5 for i in range(len(ends))]}


def draw_applications(contract: Contract, rows: int) -> list[dict[str, Any]]:
    columns = {}
    for feature, values in zip(contract.scored, draw_rows(contract.scored, rows).T, strict=True):
        read = (lambda x, f=feature: f.values[int(x)]) if feature.is_category else float
        columns[feature.name] = [None if np.isnan(value) else read(value) for value in values]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has the requirements of a version, and nothing else."""
    return make_environment(tmp_path_factory.mktemp("fresh") / "venv", REQUIREMENTS.name)


def test_a_fresh_environment_decides_as_the_server_does(python: Path, registered: Registered, tmp_path: Path) -> None:
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps(registered.records))
    assert (registered.folder / "requirements.txt").read_bytes() == REQUIREMENTS.read_bytes()
    command = [python, "-c", LOAD, registered.folder, rows]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert run.returncode == 0, run.stderr
    got = json.loads(run.stdout)
    store = Store(tmp_path / "store")
    name = promote(store, registered.data).name
    inputs = [
        {
            **{"name": f.name, "datatype": "BYTES" if f.is_category else "FP64", "shape": [ROWS]},
            "data": [record[f.name] for record in registered.records],
        }
        for f in registered.contract.scored
    ]
    with running_server(tmp_path, store.path, SERVE_MODEL_NAME=name) as server:
        answer = server.request("POST", f"/v2/models/{name}/infer", {"inputs": inputs})
        decisions = [server.request("POST", "/api/v2/decision", record).json for record in registered.records[:3]]
    assert answer.status == 200, answer.body[:300]
    outputs = {output["name"]: output["data"] for output in answer.json["outputs"]}
    assert got["answer"]["code"] == outputs["prediction_code"]
    assert got["answer"]["label"] == outputs["prediction"]
    assert got["answer"]["probability"] == outputs["probability"]
    assert set(got["answer"]["code"]) == {0, 1}
    assert set(got["answer"]["band"]) == {"approve", "refer", "decline"}
    assert got["answer"]["band"][:3] == [decision["band"] for decision in decisions]
    assert got["reasons"] == [[reason["code"] for reason in decision["reasons"]] for decision in decisions]
    assert not {"sklearn", "skl2onnx", "onnx", "loan_approval"} & set(got["modules"])


def test_mlflow_serves_it_with_its_requirements_alone(python: Path, registered: Registered, tmp_path: Path) -> None:
    example = json.loads((registered.folder / "serving_input_example.json").read_text())
    missing = next(f.name for f in registered.contract.scored if f.missing)
    column = example["dataframe_split"]["columns"].index(missing)
    example["dataframe_split"]["data"].append(list(example["dataframe_split"]["data"][0]))
    example["dataframe_split"]["data"][1][column] = None
    with models_serve(python, registered.folder, tmp_path) as port:
        got = post(port, example | {"params": {"reasons": True}})
        broken = {**registered.contract.example(), registered.contract.scored[0].name: "unheard-of"}
        with pytest.raises(URLError) as refused:
            post(port, {"dataframe_records": [broken]})
    assert [sorted(row) for row in got["predictions"]] == [["band", "code", "label", "probability", "reasons"]] * 2
    assert refused.value.code == 400


class models_serve:  # noqa: N801 (used as a function)
    """Runs `mlflow models serve` in an environment until the block ends."""

    def __init__(self, python: Path, folder: Path, work: Path) -> None:
        self.port = find_free_port()
        options = ["--env-manager", "local", "--port", str(self.port), "--workers", "1"]
        command = [python, "-m", "mlflow", "models", "serve", "--model-uri", str(folder), *options]
        path = {"PATH": f"{python.parent}:/usr/bin:/bin", "HOME": str(work)}
        self.log = (work / "serve.log").open("w")
        self.process = subprocess.Popen(command, cwd=work, env=path, stdout=self.log, stderr=subprocess.STDOUT)

    def __enter__(self) -> int:
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with closing(urlopen(f"http://127.0.0.1:{self.port}/ping", timeout=5)):
                    return self.port
            except OSError:
                time.sleep(0.2)
        self.__exit__()
        raise AssertionError(Path(self.log.name).read_text()[-3000:])

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(DEADLINE)
        self.log.close()


def post(port: int, document: Any) -> Any:
    body = json.dumps(document).encode()
    address = f"http://127.0.0.1:{port}/invocations"
    with urlopen(Request(address, body, {"Content-Type": "application/json"}), timeout=60) as answer:
        return json.load(answer)


@pytest.mark.filterwarnings("ignore")  # MLflow's own, of pandas
def test_mlflow_evaluates_it(registered: Registered) -> None:
    frame = registered.frame.head(500)
    decided = mlflow.pyfunc.load_model(registered.uri).predict(frame)["code"].to_numpy()
    data = frame.assign(target=np.where(np.arange(500) % 10, decided, 1 - decided))
    result = mlflow.models.evaluate(
        registered.uri,
        data,
        targets="target",
        model_config={"column": "code"},
        model_type="classifier",
        evaluators="default",
        evaluator_config={"log_model_explainability": False},
    )
    assert result.metrics["accuracy_score"] == pytest.approx(0.9)


def test_a_frame_of_whole_numbers_and_one_of_floats_are_both_taken(registered: Registered) -> None:
    model = mlflow.pyfunc.load_model(registered.uri)
    frame = pd.DataFrame([registered.contract.example()])
    as_floats = frame.astype({name: float for name in frame if frame[name].dtype.kind == "i"})
    as_objects = frame.astype(object)
    optional = [f.name for f in registered.contract.scored if f.missing]
    answers = [model.predict(each).to_dict("list") for each in (frame, as_floats, as_objects)]
    assert answers[0] == answers[1] == answers[2]
    nulls = (frame.assign(**dict.fromkeys(optional, value)) for value in (None, np.nan, pd.NA))
    answers = [model.predict(each).to_dict("list") for each in (*nulls, frame.drop(columns=optional))]
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize("kind", ["Int64", "Float64"])
def test_a_column_of_pandas_own_numbers_with_a_gap_is_that_of_floats_with_one(
    registered: Registered, kind: str
) -> None:
    model = mlflow.pyfunc.load_model(registered.uri)
    example = pd.DataFrame([registered.contract.example()] * 2)
    optional = next(f.name for f in registered.contract.scored if f.missing and f.type == "integer")
    value = example[optional][0]
    floats = model.predict(example.assign(**{optional: [np.nan, float(value)]}))
    assert model.predict(example.assign(**{optional: pd.array([None, value], dtype=kind)})).equals(floats)


def test_its_onnx_flavor_is_the_graph_of_the_unchanged_file(registered: Registered) -> None:
    assert tracking.load_model_file(registered.version) == registered.data
    assert (registered.folder / "model.onnx").read_bytes() == registered.data
    assert mlflow.onnx.load_model(registered.uri).SerializeToString(deterministic=True)


def test_a_logged_model_links_the_version_to_its_run(registered: Registered) -> None:
    client = tracking.connect()
    version = client.get_model_version(registered.version.name, registered.version.number)
    logged = client.get_logged_model(version.source.removeprefix("models:/"))
    assert logged.source_run_id == registered.version.run
    assert logged.status == LoggedModelStatus.READY
    run = client.get_run(registered.version.run)
    assert [output.model_id for output in run.outputs.model_outputs] == [logged.model_id]

"""Dates from a CSV in another notation to the answers of a server, on every path the same."""

import csv
import io
import random
import re
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loan_approval.batch.scoring import Batch, score_batch
from loan_approval.data.datasets import read_dataset
from loan_approval.errors import LogError
from loan_approval.pipeline.pipeline import run_step
from loan_approval.records.logged_decision import find_decision
from loan_approval.records.replay import load_file, replay
from loan_approval.registry.promotion import promote
from serve.contract.contract import Contract
from serve.store.store import Store
from tests.batches import read_parts
from tests.end_to_end.test_whole_line import draft_and_answer
from tests.server_process import Server, running_server
from tests.waiting import wait_until

ROWS, LIMIT = 900, 300
HEADER = ["Asked", "Employed_Since", "Opened", "Birth_Date", "Income", "Granted"]
BY_ASKED = {'range = ["1992-01-01", "2021-12-31"]': "min = -12000\nmax = 0", 'since = "1992-01-01"': 'since = "Asked"'}


def write_csv(path: Path) -> None:
    """Write applications with dates as DD/MM/YYYY and DD.MM.YYYY: a longer employment makes a grant likelier."""
    rng = random.Random(7)
    with path.open("w", newline="") as file:
        out = csv.writer(file, delimiter=";")
        file.write("# exported by hand\n")
        out.writerow(HEADER)
        for _ in range(ROWS):
            asked, income = date(2019, 1, 1) + timedelta(rng.randrange(1800)), round(rng.lognormvariate(10.5, 0.5))
            employed, born = date(1995, 1, 1) + timedelta(rng.randrange(8700)), date(1950 + rng.randrange(45), 5, 4)
            score = (date(2007, 1, 1) - employed).days / 1500 + (income - 40_000) / 20_000 + (asked.month == 12)
            label = "yes" if rng.random() < 1 / (1 + 2.7 ** (-2 * score)) else "no"
            since = "n/a" if rng.random() < 0.05 else f"{employed:%d.%m.%Y}"
            opened = date(2010, 1, 1) + timedelta(rng.randrange(3200))
            out.writerow([f"{asked:%d/%m/%Y}", since, f"{opened:%b %d, %Y}", f"{born:%d/%m/%Y}", income, label])


@pytest.fixture(scope="module")
def line(mlflow_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Contract, Store]:
    """The CSV, the contract that was drafted from it and the store of the model that its notebooks trained."""
    folder = tmp_path_factory.mktemp("dates")
    write_csv(folder / "my.csv")
    path = draft_and_answer(folder, "--answer", "since=fixed_day") / "contract.toml"
    text = path.read_text().replace('as = "days"', 'as = "month"', 1).replace('since = "2018-01-01"\n', "")  # of Asked
    for drafted, declared in BY_ASKED.items():  # of Employed_Since
        assert text.count(drafted) == 1
        text = text.replace(drafted, declared)
    path.write_text(re.sub(r'example = "200.*"', "example = -4000", text, count=1))
    names = {"dataset": str(path.parent)}
    recipe = {"model_name": "hist_gradient_boosting", "preprocessor_name": "median_imputer"}
    run_step("01_explore", names, folder / "reports", LIMIT)
    trained = run_step("02_train", names | recipe, folder / "reports", LIMIT)
    judged = run_step("03_validate", names | {"version": str(trained["version"])}, folder / "reports", LIMIT)
    assert judged["verdict"] == "passed", judged["gates"]
    store = Store(folder / "store")
    promote(trained["name"], "challenger", store)
    return folder / "my.csv", Contract.load(path), store


@pytest.fixture(scope="module")
def server(line: tuple[Path, Contract, Store], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("served")
    with running_server(folder, line[2].path, SERVE_PREDICTION_LOG=str(folder / "log")) as running:
        yield running


@pytest.fixture(scope="module")
def scored(line: tuple[Path, Contract, Store], tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """The probabilities of the owner's CSV as it is."""
    path, _, store = line
    output = tmp_path_factory.mktemp("scored") / "out"
    summary = score_batch(Batch(str(path), str(output), workers=1), store.file(store.pointer().sha256))
    assert (summary["rows"], summary["rejected"]) == (ROWS, 0)
    return [row["probability"] for row in read_parts(output).to_pylist()]


def records(path: Path, contract: Contract) -> list[dict[str, Any]]:
    """Return the applications of the clean data set, as JSON has them."""
    with (path.parent / "mine/dataset.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{feature.name: feature.parse(row[feature.name]) for feature in contract.features} for row in rows]


def test_the_owners_file_is_trained_and_scored_as_the_server_answers(line, server, scored):
    path, contract, _ = line
    assert contract.source["dates"]["Asked"] == "DD/MM/YYYY"
    dataset = read_dataset(path.parent / "mine/dataset.csv", contract, "mine")
    assert set(dataset.X[:, 0]) == set(range(1, 13))
    assert -12_000 < np.nanmin(dataset.X[:, 1]) < np.nanmax(dataset.X[:, 1]) < 0
    assert dataset.X[:, 2].max() > 3000
    answers = [server.request("POST", "/api/v2/decision", each).json for each in records(path, contract)[:50]]
    assert [answer["probability"] for answer in answers] == pytest.approx(scored[:50], abs=1e-12)


def tensor(name: str, datatype: str, data: list[Any], width: int = 1) -> dict[str, Any]:
    return {"name": name, "shape": [len(data) // width, width], "datatype": datatype, "data": data}


def test_every_interface_answers_a_date_alike(line, server, scored):
    path, contract, store = line
    applications, name = records(path, contract)[:20], contract.model_name
    columns = {feature.name: [each[feature.name] for each in applications] for feature in contract.features}
    asked, employed, opened = (tensor(each, "BYTES", columns[each]) for each in ("Asked", "Employed_Since", "Opened"))
    income = tensor("Income", "FP64", columns["Income"])
    X = np.concatenate([contract.encode(each) for each in applications])
    matrix = tensor("X", "FP64", [None if value != value else value for value in X.ravel().tolist()], 4)
    months, days = (tensor(each, "FP64", matrix["data"][at::4]) for at, each in enumerate(("Asked", "Employed_Since")))
    for tensors in ([asked, employed, opened, income], [months, days, opened, income], [matrix]):
        answer = server.request("POST", f"/v2/models/{name}/infer", {"inputs": tensors}).json
        (p,) = [output["data"] for output in answer["outputs"] if output["name"] == "probability"]
        assert p == pytest.approx(scored[:20], abs=1e-12)
    codes = [int(p >= store.load(store.pointer())[0].threshold) for p in scored[:20]]
    assert server.request("POST", "/api/v2/predict/batch", columns).json["prediction_code"] == codes
    assert [server.request("POST", "/api/v2/predict", each).json["prediction_code"] for each in applications] == codes
    assert server.request("POST", f"/v1/models/{name}:predict", {"instances": applications}).json["predictions"]
    rows = (path.parent / "mine/dataset.csv").read_bytes()
    answer = server.request("POST", "/api/v2/predict/batch", rows, {"Content-Type": "text/csv"})
    decided = csv.DictReader(io.StringIO(answer.body.decode()))
    assert [int(row["prediction_code"]) for row in islice(decided, 20)] == codes


WRONG = ["31/12/2012", "2013-02-29", "20121231", "2012-12-31T00:00", "1899-12-31", 20121231]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_date_is_refused_by_name_and_form_and_never_repeated(line, server, wrong):
    path, contract, _ = line
    feature = next(each for each in contract.features if each.name == "Opened")
    for target in ("/api/v2/predict", "/api/v2/decision"):
        answer = server.request("POST", target, records(path, contract)[0] | {"Opened": wrong})
        assert answer.status == 422
        assert answer.json["fields"]["Opened"].endswith(f", expected {feature.expected}")
        assert str(wrong).encode() not in answer.body


def test_logged_dates_are_replayed_and_monitored(line, server, tmp_path, monkeypatch):
    path, contract, store = line
    applications = records(path, contract)[:300]
    ids = [server.request("POST", "/api/v2/decision", each).json["decision_id"] for each in applications]
    log = server.log.parent / "log"
    decision = wait_until(lambda: _find(log, ids[-1]))
    assert decision["input.Opened"] == applications[-1]["Opened"]
    assert decision["input.Asked"] == int(applications[-1]["Asked"][5:7])
    assert replay(decision, load_file(decision, store)).differences == ()
    monkeypatch.setenv("SERVE_STORE", str(store.path))
    result = run_step("04_monitor", {"dataset": str(path.parent / "mine"), "log": str(log)}, tmp_path, LIMIT)
    assert result["verdict"] != "severe", result["words"]


def _find(log: Path, decision_id: str) -> dict[str, Any] | None:
    try:
        return find_decision(log, decision_id)
    except LogError:
        return None

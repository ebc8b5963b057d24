"""Somebody's own CSV to the answers of a server: on every path the same.

It has dates in other notations, one with short years, a protected column, and numbers and codes of which some are NA.

papermill alone runs its training, as somebody does who does not use the command.
"""

import csv
import io
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loan_approval import cli
from loan_approval.batch.scoring import Batch, score_batch
from loan_approval.data.datasets import read_dataset
from loan_approval.errors import LogError
from loan_approval.notebooks.run import NotebookRun
from loan_approval.pipeline.pipeline import log_by_hand, run_step
from loan_approval.project import ROOT
from loan_approval.records.logged_decision import find_decision
from loan_approval.records.replay import load_file, replay
from loan_approval.registry import tracking
from loan_approval.registry.promotion import promote
from serve.contract.contract import Contract
from serve.errors import ContractError
from serve.store.store import Store
from tests.batches import read_parts
from tests.server_process import Server, running_server
from tests.waiting import wait_until

ROWS, LIMIT = 900, 300
HEADER = ["Asked", "Employed_Since", "Opened", "Birth_Date", "Income", "Home", "Open_Loans", "Branch", "Marital_Status"]
BY_ASKED = {'range = ["1992-01-01", "2021-12-31"]': "min = -12000\nmax = 0", 'since = "1992-01-01"': 'since = "Asked"'}


def write_csv(path: Path) -> None:
    """Write applications with dates as DD/MM/YYYY and DD.MM.YYYY: long employment and a home make a grant likelier."""
    rng, more = random.Random(7), random.Random(8)
    with path.open("w", newline="") as file:
        out = csv.writer(file, delimiter=";")
        file.write("# exported by hand\n")
        out.writerow([*HEADER, "Granted"])
        for _ in range(ROWS):
            asked, income = date(2019, 1, 1) + timedelta(rng.randrange(1800)), round(rng.lognormvariate(10.5, 0.5))
            employed, born = date(1995, 1, 1) + timedelta(rng.randrange(8700)), date(1950 + rng.randrange(45), 5, 4)
            home = rng.choice(["own", "rent", "family"])
            score = (date(2007, 1, 1) - employed).days / 1500 + (income - 40_000) / 20_000 + (asked.month == 12)
            score += home == "own"
            label = "yes" if rng.random() < 1 / (1 + 2.7 ** (-2 * score)) else "no"
            since = "n/a" if rng.random() < 0.05 else f"{employed:%d.%m.%Y}"
            opened = date(2010, 1, 1) + timedelta(rng.randrange(3200))
            dates = [f"{asked:%d/%m/%Y}", since, f"{opened:%b %d, %Y}", f"{born:%d/%m/%y}"]
            numbers = [more.choice([0, 1, 2, 3, "NA"]), more.choice(["101.0", "102.0", "103.0", "NA"])]
            out.writerow([*dates, income, home, *numbers, more.choice(["single", "married"]), label])


@pytest.fixture(scope="module")
def trained(mlflow_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, NotebookRun]:
    """The CSV, and what papermill's run of 02_train on the contract that was drafted from it gave."""
    folder = tmp_path_factory.mktemp("dates")
    write_csv(folder / "my.csv")
    path = draft_and_answer(folder)
    text = path.read_text().replace('as = "days"', 'as = "month"', 1).replace('since = "2018-01-01"\n', "")  # of Asked
    for drafted, declared in BY_ASKED.items():  # of Employed_Since
        assert text.count(drafted) == 1
        text = text.replace(drafted, declared)
    path.write_text(re.sub(r'example = "200.*"', "example = -4000", text, count=1))
    command = [sys.executable, "-m", "papermill", "notebooks/02_train.ipynb", str(folder / "out.ipynb")]
    options = ["-k", "python3", "-p", "dataset", str(path.parent), "-p", "model_name", "xgboost"]
    run = subprocess.run([*command, *options], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    return folder / "my.csv", log_by_hand(folder / "out.ipynb", folder / "reports")


def draft_and_answer(folder: Path) -> Path:
    """Draft a contract for `my.csv` as the tutorial says, then answer its questions by deleting them."""
    options = ["--target", "Granted", "--answer", "since=fixed_day", "--category", "Branch"]
    options += ["--dates", "Birth_Date=DD/MM/YY from 1930"]
    cli.main(["init", str(folder / "mine"), str(folder / "my.csv"), *options])
    path = folder / "mine" / "contract.toml"
    with pytest.raises(ContractError, match="open question"):
        Contract.load(path)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith("question")), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def line(trained: tuple[Path, NotebookRun]) -> tuple[Path, Contract, Store]:
    """The CSV, its contract and the store of the model that was trained and judged."""
    path, run = trained
    names = {"dataset": str(path.parent / "mine")}
    run_step("01_explore", names, path.parent / "reports", LIMIT)
    validated = names | {"version": str(run.result["version"])}
    judged = run_step("03_validate", validated, path.parent / "reports", LIMIT)
    assert judged["verdict"] == "passed", judged["gates"]
    store = Store(path.parent / "store")
    promote(run.result["name"], "challenger", store)
    return path, Contract.load(path.parent / "mine/contract.toml"), store


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


def test_a_training_by_papermill_alone_is_registered_and_reported(trained):
    path, run = trained
    assert tracking.find_version("mine_model", "challenger").number == "1"
    assert run.html == path.parent / "reports/mine/02_train.html"
    (page,) = tracking.connect().list_artifacts(run.result["run_id"], "notebooks")
    assert page.path == "notebooks/02_train.html"


def test_the_owners_file_is_trained_and_scored_as_the_server_answers(line, server, scored):
    path, contract, _ = line
    assert contract.source["dates"]["Asked"] == "DD/MM/YYYY"
    dataset = read_dataset(path.parent / "mine/dataset.csv", contract, "mine")
    assert set(dataset.X[:, 0]) == set(range(1, 13))
    assert -12_000 < np.nanmin(dataset.X[:, 1]) < np.nanmax(dataset.X[:, 1]) < 0
    assert dataset.X[:, 2].max() > 3000
    assert set(dataset.frame["Branch"].dropna()) == {"101", "102", "103"}
    assert dataset.frame[["Open_Loans", "Branch"]].isna().any().all()
    assert [feature.name for feature in contract.features if feature.protected] == ["Birth_Date", "Marital_Status"]
    assert "1950-05-04" <= min(each["Birth_Date"] for each in records(path, contract)) < "1960-01-01"
    answers = [server.request("POST", "/api/v2/decision", each).json for each in records(path, contract)[:50]]
    assert [answer["probability"] for answer in answers] == pytest.approx(scored[:50], abs=1e-12)


def tensor(name: str, datatype: str, data: list[Any], width: int = 1) -> dict[str, Any]:
    return {"name": name, "shape": [len(data) // width, width], "datatype": datatype, "data": data}


def test_every_interface_answers_dates_codes_and_missing_numbers_alike(line, server, scored):
    path, contract, store = line
    applications, name = records(path, contract)[:20], contract.model_name
    columns = {feature.name: [each[feature.name] for each in applications] for feature in contract.features}
    asked, employed, opened = (tensor(each, "BYTES", columns[each]) for each in ("Asked", "Employed_Since", "Opened"))
    others = [tensor(name, "FP64", columns[name]) for name in ("Income", "Open_Loans")]
    others += [tensor(name, "BYTES", columns[name]) for name in ("Home", "Branch")]
    X = np.concatenate([contract.encode(each) for each in applications])
    matrix = tensor("X", "FP64", [None if value != value else value for value in X.ravel().tolist()], 7)
    months, days = (tensor(each, "FP64", matrix["data"][at::7]) for at, each in enumerate(("Asked", "Employed_Since")))
    for tensors in ([asked, employed, opened, *others], [months, days, opened, *others], [matrix]):
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

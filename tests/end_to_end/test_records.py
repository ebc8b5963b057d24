"""What a real server logged, read back: receipts over promotions, erasure while it answers."""

import csv
import io
import json
from pathlib import Path

import pytest

from loan_approval import cli
from loan_approval.records.reading import read_decisions, read_reviews, require_contract
from loan_approval.records.rewriting import erase
from serve.contract.contract import Contract
from serve.records.applicant import read_secret
from serve.store.store import Store
from tests.model_files import LOANS, LOANS_SCALING, make_file
from tests.server_process import Server, promote, running_server
from tests.waiting import wait_until

CONTRACT = Contract.from_dict(LOANS)
EXAMPLE = CONTRACT.example()
# Denied by some, approved by others; values missing where they may be.
APPLICATIONS = [
    EXAMPLE | {"Credit_Score": score, "Annual_Income": None, "Loan_Amount": 25_000.25} for score in (350, 700, 850)
]
BIASES = {"1": 1.0, "2": -1.0, "3": 0.25}


def ask(server: Server, route: str, document: object, key: str = "") -> str:
    """Ask for decisions and return their id."""
    headers = {"Content-Type": "application/json"} | ({"X-Applicant-Key": key} if key else {})
    answer = server.request("POST", route, json.dumps(document).encode(), headers)
    assert answer.status == 200
    return answer.headers["X-Decision-Id"]


def answers_with(server: Server, version: str) -> bool:
    return server.request("POST", "/api/v2/predict", EXAMPLE).headers["X-Model-Version"] == version


def ask_all_ways(server: Server) -> list[str]:
    """Return the ids of decisions by each way that a caller has."""
    ids = [ask(server, "/api/v2/decision", one, "ana") for one in APPLICATIONS]
    ids += [ask(server, "/api/v2/predict", one) for one in APPLICATIONS]
    batch = ask(server, "/api/v2/predict/batch", APPLICATIONS)
    table = io.StringIO()
    writer = csv.DictWriter(table, EXAMPLE)
    writer.writeheader()
    writer.writerows(APPLICATIONS)
    answer = server.request("POST", "/invocations", table.getvalue().encode(), {"Content-Type": "text/csv"})
    assert answer.status == 200
    return ids + [f"{each}.{row}" for each in (batch, answer.headers["X-Decision-Id"]) for row in range(3)]


def test_every_decision_of_three_successive_models_has_a_receipt_that_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store, log = Store(tmp_path / "store"), tmp_path / "log"
    promote(store, make_file(LOANS, LOANS_SCALING, BIASES["1"]), "1")
    ids: dict[str, list[str]] = {}
    with running_server(tmp_path, store.path, SERVE_PREDICTION_LOG=str(log)) as server:
        for version, bias in BIASES.items():
            promote(store, make_file(LOANS, LOANS_SCALING, bias, threshold=0.5, review_band=[0.3, 0.6]), version)
            wait_until(lambda version=version: answers_with(server, version))
            ids[version] = ask_all_ways(server)
        assert server.stop() == 0
    monkeypatch.setenv("SERVE_STORE", str(store.path))
    for version, decided in ids.items():
        for decision_id in decided:
            cli.main(["replay", decision_id, "--log", str(log)])
            out = capsys.readouterr().out
            assert f"version {version}," in out
            assert out.endswith("the same\n")
    frame = require_contract(read_decisions(log).frame, CONTRACT)
    assert set(frame["label"]) == {"Approved", "Não Aprovado"}
    assert set(frame["band"]) == {"approve", "refer", "decline"}
    assert frame["input.Annual_Income"].isna().sum() == sum(map(len, ids.values()))


def test_an_applicant_is_erased_while_the_server_goes_on(tmp_path: Path) -> None:
    store, log = Store(tmp_path / "store"), tmp_path / "log"
    promote(store, make_file(LOANS, LOANS_SCALING))
    with running_server(tmp_path, store.path, SERVE_PREDICTION_LOG=str(log), SERVE_WORKERS="2") as server:
        ids = {key: [ask(server, "/api/v2/decision", EXAMPLE, key) for _ in range(20)] for key in ("ana", "rui")}
        wait_until(lambda: len(read_decisions(log).frame) == 40)
        for key, decided in ids.items():
            review = ["review", decided[0], "--outcome", "decline", "--reason", f"of {key}", "--log", str(log)]
            cli.main(review)
        assert erase(log, read_secret(log / "applicant.secret"), "ana") == 20
        later = ask(server, "/api/v2/decision", EXAMPLE, "ana")
        assert server.stop() == 0
    lines, reviews = read_decisions(log), read_reviews(log).frame
    assert set(lines.frame["decision_id"]) == {*ids["rui"], later}
    assert lines.torn == 0
    assert reviews["reason"].tolist() == ["of rui"]
    assert reviews["decision_id"].isin(lines.frame["decision_id"]).all()
    assert not list(log.rglob("*.rotate"))

"""Receipts of logged decisions, with real model files in a real store."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from loan_approval import cli
from loan_approval.errors import LogError
from loan_approval.records.logged_decision import find_decision
from loan_approval.records.replay import load_file, replay
from loan_approval.registry import tracking
from serve.contract.contract import Contract
from serve.errors import ModelFileError
from serve.store.store import Store
from tests.model_files import LOANS, LOANS_SCALING, MIXED, MIXED_SCALING, make_file
from tests.prediction_logs import NOON, decide_line, write_lines

EXAMPLE = {feature["name"]: feature["example"] for feature in LOANS["feature"]}
DAY = timedelta(days=1)
CONTRACT = Contract.from_dict(LOANS)


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    return [make_file(LOANS, LOANS_SCALING, bias) for bias in (1.0, -1.0, 0.5)]


@pytest.fixture
def store(tmp_path: Path, files: list[bytes]) -> Store:
    store = Store(tmp_path / "store")
    for data in files:
        store.install(data, {})
    return store


def test_decisions_of_three_successive_models_are_made_again_by_the_model_of_each(
    tmp_path: Path, files: list[bytes], store: Store
) -> None:
    made = [decide_line(data, EXAMPLE, NOON + number * DAY) for number, data in enumerate(files)]
    write_lines(tmp_path, made)
    for line in made:
        logged = find_decision(tmp_path, line["decision_id"])
        receipt = replay(logged, load_file(logged, store))
        assert receipt.differences == ()
    assert [line["label"] for line in made] == ["Approved", "Não Aprovado", "Approved"]


@pytest.mark.parametrize(
    "change",
    [
        {"probability": 0.5},
        {"probability": None},
        {"code": 0},
        {"label": "Perhaps"},
        {"band": "refer"},
        {"reasons": ["ANOTHER"]},
        {"contract": "f" * 64},
    ],
)
def test_what_differs_is_named(files: list[bytes], change: Mapping[str, Any]) -> None:
    assert replay(decide_line(files[0], EXAMPLE, **change), files[0]).differences == tuple(change)


def test_another_input_is_another_decision(files: list[bytes]) -> None:
    line = decide_line(files[0], EXAMPLE, **{"input.Had_Past_Default": 1})
    assert "probability" in replay(line, files[0]).differences


def test_rounding_is_no_difference(files: list[bytes]) -> None:
    line = decide_line(files[0], EXAMPLE)
    assert replay(line | {"probability": line["probability"] + 9e-7}, files[0]).differences == ()
    assert replay(line | {"probability": line["probability"] + 2e-6}, files[0]).differences == ("probability",)


def test_reasons_that_were_not_logged_are_computed(files: list[bytes]) -> None:
    line = decide_line(files[1], EXAMPLE)
    receipt = replay(line | {"reasons": None}, files[1])
    assert receipt.differences == ()
    assert receipt.again["reasons"] == line["reasons"] != []


def test_missing_values_and_categories_are_scored_as_they_were() -> None:
    data = make_file(MIXED, MIXED_SCALING)
    line = decide_line(data, {"amount": 10.5, "home": None}, **{"monitored.region": "north"})
    assert replay(json.loads(json.dumps(line)), data).differences == ()


def test_other_bytes_than_those_that_decided_are_refused(files: list[bytes]) -> None:
    with pytest.raises(ModelFileError, match="expected"):
        replay(decide_line(files[0], EXAMPLE), files[1])


def test_a_line_without_an_input_names_it(files: list[bytes]) -> None:
    line = decide_line(files[0], EXAMPLE)
    del line["input.Age"]
    with pytest.raises(LogError, match="lacks what its model scores: Age"):
        replay(line, files[0])


def test_a_model_file_that_is_gone_from_the_store_comes_from_mlflow(
    tmp_path: Path, files: list[bytes], mlflow_folder: Path
) -> None:
    assert mlflow_folder.is_dir()
    with tracking.start_run("replay_tests", "made by hand") as run:
        pass
    version = tracking.register("replayed_model", run, files[0], CONTRACT)
    line = decide_line(files[0], EXAMPLE, model_name="replayed_model", model_version=version.number)
    assert load_file(line, Store(tmp_path / "empty")) == files[0]


@pytest.mark.parametrize("data_of_version", [None, 1])
def test_a_model_file_that_is_nowhere_is_named_by_version_and_hash(
    tmp_path: Path, files: list[bytes], mlflow_folder: Path, data_of_version: int | None
) -> None:
    assert mlflow_folder.is_dir()
    name = f"gone_model_{data_of_version}"
    if data_of_version is not None:
        with tracking.start_run("replay_tests", "made by hand") as run:
            pass
        tracking.register(name, run, files[1], CONTRACT)
    line = decide_line(files[0], EXAMPLE, model_name=name, model_version="1")
    with pytest.raises(LogError, match=f"of {name} version 1, sha256 {line['model_sha256']}, is no longer in"):
        load_file(line, Store(tmp_path / "empty"))


def test_the_command_prints_the_receipt_and_fails_when_it_differs(
    tmp_path: Path, files: list[bytes], store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("SERVE_STORE", str(store.path))
    right = decide_line(files[0], EXAMPLE)
    wrong = decide_line(files[0], EXAMPLE, band="decline", reasons=None)
    write_lines(tmp_path, [right, wrong])
    cli.main(["replay", right["decision_id"], "--log", str(tmp_path)])
    assert capsys.readouterr().out.endswith("the same\n")
    with pytest.raises(SystemExit, match="it differs: band"):
        cli.main(["replay", wrong["decision_id"], "--log", str(tmp_path)])
    out = capsys.readouterr().out
    assert "band: logged 'decline', now 'approve'" in out
    assert "reasons (not logged): " in out
    assert f"  Age: {EXAMPLE['Age']}" in out


@pytest.mark.parametrize("name", ["model_sha256", "model_name", "model_version", "time", "route"])
def test_a_line_that_lost_what_says_who_decided_is_named(files: list[bytes], store: Store, name: str) -> None:
    line = decide_line(files[0], EXAMPLE)
    for changed in ({key: value for key, value in line.items() if key != name}, line | {name: 3}):
        with pytest.raises(LogError, match=f"the line of {line['decision_id']} has no text as {name}"):
            load_file(changed, store)


def test_an_input_that_no_server_has_scored_is_named_without_its_value(files: list[bytes]) -> None:
    line = decide_line(files[0], EXAMPLE) | {"input.Age": 777}
    with pytest.raises(LogError, match=f"the line of {line['decision_id']}.*Age") as caught:
        replay(line, files[0])
    assert "777" not in str(caught.value)

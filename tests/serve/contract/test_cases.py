import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from serve.api.app import create_app
from serve.settings import Settings
from serve.store.pointer import Pointer
from serve.store.store import Store

CASES = json.loads((Path(__file__).parents[2] / "cases.json").read_text(encoding="utf-8"))["cases"]


@pytest.fixture(scope="module")
def cases_client(tmp_path_factory, model_file) -> Iterator[FlaskClient]:
    store = Store(tmp_path_factory.mktemp("store"))
    scorer = store.install(model_file("loans"), {})
    store.point(Pointer(scorer.sha256, "loan_approval_model", "production", "1", "run-1", "passed"))
    with create_app(Settings(store=store.path, poll_seconds=3600)).test_client() as client:
        yield client


def test_the_cases_are_well_formed():
    assert len({case["name"] for case in CASES}) == len(CASES)
    assert {tuple(case) for case in CASES} == {("name", "application", "fields", "csv")}
    assert {case["csv"] for case in CASES} == {"same", "accepted", "not expressible"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_server_judges_the_case(cases_client: FlaskClient, case: dict[str, Any]):
    body = json.dumps(case["application"])
    response = cases_client.post("/api/v2/predict", data=body, content_type="application/json")
    assert response.status_code == (422 if case["fields"] else 200)
    fields = response.json.get("fields", {})
    assert set(fields) == set(case["fields"])
    for name, part in case["fields"].items():
        assert part in fields[name]


def as_matrix(application: dict[str, Any], names: list[str]) -> tuple[str, Any]:
    row = [application.get(name) for name in names]
    tensor = {"name": "X", "shape": [1, len(row)], "datatype": "FP64", "data": row}
    return "/v2/models/loan_approval_model/infer", {"inputs": [tensor]}


def as_tensors(application: dict[str, Any], names: list[str]) -> tuple[str, Any]:
    tensors = [{"name": name, "shape": [1], "datatype": "FP64", "data": [application.get(name)]} for name in names]
    return "/v2/models/loan_approval_model/infer", {"inputs": tensors}


def as_split(application: dict[str, Any], _names: list[str]) -> tuple[str, Any]:
    frame = {"columns": list(application), "data": [list(application.values())]}
    return "/invocations", {"dataframe_split": frame}


def as_records(application: object, _names: list[str]) -> tuple[str, Any]:
    return "/invocations", {"dataframe_records": [application]}


def as_inputs(application: dict[str, Any], _names: list[str]) -> tuple[str, Any]:
    return "/invocations", {"inputs": {name: [value] for name, value in application.items()}}


def as_one_instance(application: dict[str, Any], _names: list[str]) -> tuple[str, Any]:
    return "/invocations", {"instances": application}


def can_express(write: Callable, application: object, names: list[str]) -> bool:
    """Return whether a protocol can express the case: a tensor holds plain values of known features only."""
    if write is as_records:
        return True
    if not isinstance(application, dict):
        return False
    values_alone = not any(isinstance(value, list | dict) for value in application.values())
    if write in (as_matrix, as_tensors):
        return values_alone and set(application) <= set(names)
    return values_alone or write is not as_one_instance  # a list there would be a column


PROTOCOLS = (as_matrix, as_tensors, as_split, as_records, as_inputs, as_one_instance)


def name_as_record(text: str) -> str:
    """Return a column's fault in the words of a single record's fault."""
    return text.removeprefix("0.").replace("unknown column", "unknown field").replace("missing column", "missing")


@pytest.mark.parametrize("write", PROTOCOLS, ids=lambda write: write.__name__)
def test_each_protocol_judges_the_cases_it_can_express(cases_client, loans, write):
    names = [feature.name for feature in loans.scored]
    expressible = [case for case in CASES if can_express(write, case["application"], names)]
    assert len(expressible) >= len(CASES) - 11
    for case in expressible:
        path, document = write(case["application"], names)
        response = cases_client.post(path, data=json.dumps(document), content_type="application/json")
        assert response.status_code == (422 if case["fields"] else 200), case["name"]
        fields = {name_as_record(key): name_as_record(text) for key, text in response.json.get("fields", {}).items()}
        expected = {name or "0": part for name, part in case["fields"].items()}  # "": of the application as a whole
        assert set(fields) == set(expected), case["name"]
        assert all(part in fields[name] for name, part in expected.items()), case["name"]

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from serve.app import create_app
from serve.settings import Settings
from serve.store import Pointer, Store

CASES = json.loads((Path(__file__).parents[1] / "cases.json").read_text(encoding="utf-8"))["cases"]


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

"""Decisions of all sorts keep to the OpenAPI document, by a validator of JSON Schema."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from serve.api.app import create_app
from serve.contract.contract import Contract
from serve.settings import Settings
from serve.store.store import Store
from tests.model_files import MIXED, MIXED_SCALING, good_files, make_file
from tests.server_process import promote

# A category that can be changed: the one claim that no other model file makes.
CHANGEABLE = MIXED | {"feature": [feature | {"actionable": True} for feature in MIXED["feature"]]}


def applications(contract: Contract) -> st.SearchStrategy[dict]:
    """Return applications that keep a contract, values missing where they may be."""
    values = {}
    for feature in contract.features:
        if feature.is_category:
            value = st.sampled_from(feature.values)
        elif feature.type == "integer":
            value = st.integers(int(feature.min), int(feature.max))
        else:
            value = st.floats(feature.min, feature.max)
        values[feature.name] = value | st.none() if feature.missing or not feature.scored else value
    return st.fixed_dictionaries(values)


@pytest.mark.parametrize("name", ["loans_strict", "loans_reviewed", "changeable"])
def test_a_decision_keeps_to_the_openapi_document_whatever_is_asked_for(tmp_path, name):
    files = good_files() | {"changeable": make_file(CHANGEABLE, MIXED_SCALING, bias=-0.5)}
    promote(Store(tmp_path), files[name])
    client = create_app(Settings(store=tmp_path, poll_seconds=3600)).test_client()
    document = client.get("/openapi.json").json
    schemas = {"components": document["components"]}
    validator = Draft202012Validator(schemas | {"$ref": "#/components/schemas/Decision"})
    contract = client.application.extensions["live_model"].current.scorer.contract
    claims = set()

    @settings(max_examples=80, deadline=None, database=None)
    @given(applications(contract), st.sampled_from(["", "?values=true", "?texts=all", "?texts=all&values=true"]))
    def ask(application: dict, query: str) -> None:
        response = client.post(f"/api/v2/decision{query}", json=application)
        assert response.status_code == 200
        validator.validate(response.json)
        assert ("explanation" in response.json) == ("values" in query)
        for change in response.json["counterfactuals"]:
            claims.update(set(change) - {"feature", "unit", "text"})

    ask()
    assert claims >= ({"one_of"} if name == "changeable" else {"from", "to"})

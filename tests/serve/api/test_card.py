"""The model card's route: the page as recorded, under a policy that admits its own style and nothing else."""

import base64
import hashlib
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from serve.api.card import policy_of
from serve.store.pointer import Pointer
from tests.serve.conftest import METADATA, Shelf

PATH = "/api/v2/model/card"
CARD = "<!DOCTYPE html><html><head><style>p { color: red; }</style></head><body><p>São Paulo</p></body></html>"


@pytest.fixture
def shelve(shelf: Shelf) -> Callable[..., None]:
    """Put the `loans` model into the store with these metadata more."""

    def put(**more: object) -> None:
        scorer = shelf.store.install(shelf.model_file("loans"), METADATA | more)
        shelf.store.point(Pointer(scorer.sha256, scorer.contract.model_name, "production", "1", "run-1", "passed"))

    return put


def test_the_recorded_card_is_answered_as_a_page(shelve: Callable[..., None], make_app: Callable[..., Flask]) -> None:
    shelve(card=CARD)
    response = make_app().test_client().get(PATH)
    assert response.status_code == 200
    assert response.content_type == "text/html; charset=utf-8"
    assert response.text == CARD


def test_its_policy_admits_its_style_by_hash_and_nothing_else(
    shelve: Callable[..., None], make_app: Callable[..., Flask]
) -> None:
    shelve(card=CARD)
    headers = make_app().test_client().get(PATH).headers
    digest = base64.b64encode(hashlib.sha256(b"p { color: red; }").digest()).decode()
    policy = headers["Content-Security-Policy"].split("; ")
    assert {
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "frame-ancestors 'none'",
        "form-action 'none'",
    } <= set(policy)
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_a_card_without_a_style_gets_none_admitted() -> None:
    assert policy_of("<p>")["style-src"] == "'none'"


def test_no_text_of_a_card_reaches_its_headers() -> None:
    policy = policy_of("<style>a</style>; script-src *\r\nX: y <style>b</style>")
    assert not any("*" in sources or "\n" in sources for sources in policy.values())


@pytest.mark.parametrize("more", [{}, {"card": None}, {"card": {"html": "x"}}])
def test_a_version_without_a_card_is_404_and_says_what_to_do(
    more: dict[str, object], shelve: Callable[..., None], make_app: Callable[..., Flask]
) -> None:
    shelve(**more)
    response = make_app().test_client().get(PATH)
    assert response.status_code == 404
    assert response.json == {"error": "no card is recorded for this version: validate it again"}


def test_without_a_model_it_is_503(empty_client: FlaskClient) -> None:
    response = empty_client.get(PATH)
    assert response.status_code == 503
    assert "production" in response.json["error"]


def test_the_description_of_the_model_leaves_card_and_evidence_out(
    shelve: Callable[..., None], make_app: Callable[..., Flask]
) -> None:
    shelve(card=CARD, evidence={"slices": []})
    document = make_app().test_client().get("/api/v2/model").json
    assert not {"card", "evidence"} & set(document)


def test_the_openapi_document_tells_of_the_page(client: FlaskClient) -> None:
    answers = client.get("/openapi.json").json["paths"][PATH]["get"]["responses"]
    assert set(answers) == {"200", "404", "503"}
    assert set(answers["200"]["content"]) == {"text/html"}

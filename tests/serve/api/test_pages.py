import base64
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from serve.api.pages import FILES, card_policy
from serve.contract import feature
from serve.store.pointer import Pointer
from tests.serve.conftest import METADATA, Shelf

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGES = {"page.html": "/app", "docs.html": "/docs/"}
NAMES = sorted(path.name for path in FILES.iterdir())
TEXTS = json.loads((FILES / "texts.json").read_text(encoding="utf-8"))
SCRIPTS = "\n".join(path.read_text(encoding="utf-8") for path in sorted(FILES.glob("*.js")))
MARKUP = (FILES / "page.html").read_text(encoding="utf-8")


def read(client, address: str) -> str:
    with client.get(address) as response:
        assert response.status_code == 200, address
        return response.text


@pytest.mark.parametrize("server", ["client", "empty_client"])
@pytest.mark.parametrize("address", ["/app", "/docs/"])
def test_a_page_is_served_with_and_without_a_model(request, server, address):
    with request.getfixturevalue(server).get(address) as response:
        assert (response.status_code, response.mimetype) == (200, "text/html")


@pytest.mark.parametrize("address", ["/app", "/app/page.js", "/app/nothing", "/docs/", "/docs/swagger-ui.css"])
def test_whatever_a_page_is_made_of_has_the_headers_that_keep_it_to_itself(client, address):
    with client.get(address) as response:
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        own = response.headers["Content-Security-Policy"].replace("; style-src-elem 'self' 'unsafe-inline'", "")
        assert own == POLICY


def test_only_the_documentation_page_may_hold_a_style_of_its_own(client):
    policies = {}
    for address in PAGES.values():
        with client.get(address) as response:
            policies[address] = response.headers["Content-Security-Policy"]
    assert "unsafe" not in policies["/app"]
    assert re.findall(r"[\w-]+ [^;]*unsafe[^;]*", policies["/docs/"]) == ["style-src-elem 'self' 'unsafe-inline'"]


def test_an_answer_of_the_interface_has_no_headers_of_a_page(client, application):
    assert "Content-Security-Policy" not in client.post("/api/v2/decision", json=application).headers


@pytest.mark.parametrize("name", NAMES)
def test_every_file_is_served_as_what_it_is(client, name):
    kinds = {".html": "text/html", ".css": "text/css", ".json": "application/json", ".svg": "image/svg+xml"}
    with client.get(f"/app/{name}") as response:
        assert response.status_code == 200
        assert response.data == (FILES / name).read_bytes()
        kind = response.mimetype
    assert kind in ("text/javascript", "application/javascript") if name.endswith(".js") else kinds[Path(name).suffix]


@pytest.mark.parametrize("path", ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "..\\app.py", ".", "page/page.js"])
def test_nothing_beside_the_files_is_served(client, path):
    for folder in ("app", "docs"):
        with client.get(f"/{folder}/{path}") as response:
            assert "create_app" not in response.text
            assert response.status_code in (308, 404) if path in (".", "page/page.js") else response.status_code == 404


@pytest.mark.parametrize(("name", "address"), PAGES.items())
def test_every_address_in_a_page_is_one_of_this_server(client, name, address):
    markup = read(client, address)
    base = address.rsplit("/", 1)[0]
    found = re.findall(r'(?:src|href)="([^"]+)"', markup)
    assert found
    for link in found:
        assert ":" not in link
        assert not link.startswith("/")  # so that the page works below a path of a proxy, too
        read(client, f"{base}/{link}".replace("/docs/../", "/"))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "docs.html"])
def test_no_file_names_an_address_outside(name):
    text = (FILES / name).read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|//[a-z]+\.|@import", text)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_script_and_no_style_inside(name):
    markup = (FILES / name).read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:", markup)


def test_no_script_makes_html_code_or_storage_of_a_value():
    names = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b|new Function|createContextual"
    assert not re.search(names + r"|localStorage|sessionStorage|indexedDB|cookie", SCRIPTS)


def test_both_languages_have_the_same_texts_with_the_same_places_to_fill():
    assert set(TEXTS) == {"en", "pt"}
    places = [{key: set(re.findall(r"\{(\w+)\}", text)) for key, text in texts.items()} for texts in TEXTS.values()]
    assert places[0] == places[1]
    assert all(text.strip() for texts in TEXTS.values() for text in texts.values())


def test_every_text_the_page_asks_for_exists_and_every_text_is_asked_for():
    keys = set(TEXTS["en"])
    in_markup = set(re.findall(r'data-(?:text|label)="(\w+)"', MARKUP))
    in_scripts = set(re.findall(r'"(\w+)"', SCRIPTS))
    composed = {key for key in keys if re.match("fault_|expected_|sentence_|estimate_|meaning_", key)}
    assert in_markup <= keys
    assert set(re.findall(r'\btext\("(\w+)"', SCRIPTS)) <= keys
    assert keys - in_markup - in_scripts - composed == set()


def test_every_kind_of_fault_the_server_finds_has_a_text():
    source = Path(feature.__file__).read_text(encoding="utf-8")
    kinds = set(re.findall(r'Fault\("([^"]+)"', source))
    assert {"missing", "out of range", "unknown category"} <= kinds
    assert {f"fault_{kind.replace(' ', '_')}" for kind in kinds} <= set(TEXTS["en"])


def test_the_page_has_every_element_the_scripts_look_for():
    wanted = set(re.findall(r'byId\("([\w-]+)"\)', SCRIPTS)) | set(re.findall(r'showList\("(\w+)"', SCRIPTS))
    assert wanted
    assert wanted <= set(re.findall(r'\bid="([\w-]+)"', MARKUP))


CARD_PATH = "/api/v2/model/card"
CARD = "<!DOCTYPE html><html><head><style>p { color: red; }</style></head><body><p>São Paulo</p></body></html>"


@pytest.fixture
def shelve(shelf: Shelf) -> Callable[..., None]:
    """Put the `loans` model into the store with this added metadata."""

    def put(**more: object) -> None:
        scorer = shelf.store.install(shelf.model_file("loans"), METADATA | more)
        shelf.store.point(Pointer(scorer.sha256, scorer.contract.model_name, "production", "1", "run-1", "passed"))

    return put


def test_the_recorded_card_is_answered_as_a_page(shelve, make_app):
    shelve(card=CARD)
    response = make_app().test_client().get(CARD_PATH)
    assert response.status_code == 200
    assert response.content_type == "text/html; charset=utf-8"
    assert response.text == CARD


def test_a_card_s_policy_admits_its_style_by_hash_and_nothing_else(shelve, make_app):
    shelve(card=CARD)
    headers = make_app().test_client().get(CARD_PATH).headers
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


def test_a_card_without_a_style_gets_none_admitted():
    assert card_policy("<p>")["style-src"] == "'none'"


def test_no_text_of_a_card_reaches_its_headers():
    policy = card_policy("<style>a</style>; script-src *\r\nX: y <style>b</style>")
    assert not any("*" in sources or "\n" in sources for sources in policy.values())


@pytest.mark.parametrize("more", [{}, {"card": None}, {"card": {"html": "x"}}])
def test_a_version_without_a_card_is_404_and_says_what_to_do(more, shelve, make_app):
    shelve(**more)
    response = make_app().test_client().get(CARD_PATH)
    assert response.status_code == 404
    assert response.json == {"error": "no card is recorded for this version: validate it again"}


def test_without_a_model_the_card_is_503(empty_client):
    response = empty_client.get(CARD_PATH)
    assert response.status_code == 503
    assert "production" in response.json["error"]


def test_the_description_of_the_model_leaves_card_and_evidence_out(shelve, make_app):
    shelve(card=CARD, evidence={"slices": []})
    document = make_app().test_client().get("/api/v2/model").json
    assert not {"card", "evidence"} & set(document)


def test_the_openapi_document_describes_the_card(client):
    answers = client.get("/openapi.json").json["paths"][CARD_PATH]["get"]["responses"]
    assert set(answers) == {"200", "404", "503"}
    assert set(answers["200"]["content"]) == {"text/html"}

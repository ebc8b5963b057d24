import json
import re
from pathlib import Path

import pytest

from serve.api.pages import FILES
from serve.contract import feature

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
    composed = {key for key in keys if re.match("fault_|expected_|sentence_|what_|meaning_", key)}
    assert in_markup <= keys
    assert set(re.findall(r'\btext\("(\w+)"', SCRIPTS)) <= keys
    assert keys - in_markup - in_scripts - composed == set()


def test_every_kind_of_fault_the_server_finds_has_a_text():
    source = Path(feature.__file__).read_text(encoding="utf-8")
    kinds = set(re.findall(r'Fault\("([^"]+)"', source))
    assert {"missing", "out of range", "unknown category"} <= kinds
    assert {f"fault_{kind.replace(' ', '_')}" for kind in kinds} <= set(TEXTS["en"])


def test_every_part_the_scripts_look_for_stands_in_the_page():
    wanted = set(re.findall(r'byId\("([\w-]+)"\)', SCRIPTS)) | set(re.findall(r'showList\("(\w+)"', SCRIPTS))
    assert wanted
    assert wanted <= set(re.findall(r'\bid="([\w-]+)"', MARKUP))

import hashlib
import json
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from serve.api.service import Service
from serve.http.front import Front
from serve.settings import Settings
from tests.raw_http import connect, post, read_answer
from tests.serve.http.front_server import FrontServer, serving

OURS, OTHER = "https://bank.example", "https://evil.example"
EXPOSED = "X-Decision-Id, X-Model-Version, X-Model-Sha256, X-Request-ID, Inference-Header-Content-Length"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-api-key"}
KEY = "lab-key-4711"
PREDICT = "/api/v2/predict"


@pytest.fixture
def listed(shelf, make_app) -> FlaskClient:
    shelf.promote("loans")
    return make_app(cors_origins=("https://first.example", OURS)).test_client()


@pytest.fixture
def keyed(shelf, make_app, tmp_path) -> FlaskClient:
    shelf.promote("loans")
    path = tmp_path / "keys"
    path.write_text(f"lab:{hashlib.sha256(KEY.encode()).hexdigest()}\n")
    return make_app(cors_origins=(OURS,), api_keys_file=path).test_client()


def cors_headers(response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name.startswith("Access-Control-")}


def test_a_page_of_a_listed_origin_may_read_the_response_and_what_names_the_decision(listed, application):
    response = listed.post(PREDICT, json=application, headers={"Origin": OURS})
    assert response.status_code == 200
    assert cors_headers(response) == {
        "Access-Control-Allow-Origin": OURS,
        "Access-Control-Expose-Headers": EXPOSED,
    }
    assert response.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    "origin", [OTHER, "null", "https://bank.example:8443", "http://bank.example", OURS.upper(), ""]
)
def test_a_page_of_another_origin_may_read_nothing(listed, application, origin):
    for method, path, body in (("POST", PREDICT, application), ("GET", "/openapi.json", None)):
        response = listed.open(path, method=method, json=body, headers={"Origin": origin})
        assert (response.status_code, cors_headers(response)) == (200, {})
        assert response.headers["Vary"] == "Origin"


def test_what_a_cache_may_keep_says_that_it_depends_on_the_origin(listed, application):
    assert listed.get("/openapi.json").headers["Vary"] == "Origin"
    assert "Vary" not in listed.post(PREDICT, json=application).headers


def test_errors_can_be_read_too(listed):
    for path, status in ((PREDICT, 415), ("/nothing", 404)):
        response = listed.post(path, data="{}", headers={"Origin": OURS})
        assert (response.status_code, response.headers["Access-Control-Allow-Origin"]) == (status, OURS)


def test_a_preflight_of_a_listed_origin_is_answered_without_a_key(keyed, application):
    response = keyed.options(PREDICT, headers=PREFLIGHT | {"Origin": OURS})
    assert (response.status_code, response.data) == (204, b"")
    assert response.headers["Access-Control-Allow-Origin"] == OURS
    assert response.headers["Access-Control-Allow-Methods"] == "OPTIONS, POST"
    allowed = response.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"content-type", "authorization", "x-api-key", "x-applicant-key", "traceparent", "x-request-id"} <= set(
        allowed
    )
    assert response.headers["Vary"] == "Origin"
    refused = keyed.post(PREDICT, json=application, headers={"Origin": OURS})
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, OURS)
    assert keyed.post(PREDICT, json=application, headers={"Origin": OURS, "X-API-Key": KEY}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("OPTIONS", PREDICT, PREFLIGHT | {"Origin": OTHER}),
        ("OPTIONS", PREDICT, PREFLIGHT),
        ("OPTIONS", PREDICT, {"Origin": OURS}),
        ("OPTIONS", "/nothing", PREFLIGHT | {"Origin": OURS}),
        ("POST", PREDICT, PREFLIGHT | {"Origin": OURS}),
    ],
)
def test_nothing_else_is_let_through_without_a_key(keyed, method, path, headers):
    response = keyed.open(path, method=method, headers=headers)
    assert response.status_code == 401
    assert "Access-Control-Allow-Methods" not in response.headers


def test_without_the_setting_there_is_no_such_header_at_all(client, application):
    for response in (
        client.post(PREDICT, json=application, headers={"Origin": OURS}),
        client.get("/openapi.json", headers={"Origin": OURS}),
        client.options(PREDICT, headers=PREFLIGHT | {"Origin": OURS}),
    ):
        assert cors_headers(response) == {}
        assert "Vary" not in response.headers


# The fast lane.


@pytest.fixture
def front(shelf) -> Iterator[FrontServer]:
    shelf.promote("loans")
    settings = Settings(store=shelf.store.path, poll_seconds=3600, cors_origins=(OURS,))
    with serving(lambda: Front(Service(settings), settings)) as server:
        yield server


@pytest.mark.parametrize("header", [f"Origin: {OURS}", f"origin: {OTHER}", "Origin: null", ""])
def test_the_lane_answers_as_flask_does(front, application, header):
    by_query = post_of(application, header).replace(b"predict HTTP", b"predict? HTTP")  # Flask's alone
    answers = []
    for data in (post_of(application, header), by_query):
        with connect(front.port) as caller, caller.makefile("rb") as stream:
            for _ in range(2):  # the second has a known head
                caller.sendall(data)
                answers.append(read_answer(stream).masked)
    assert len(set(answers)) == 1
    assert (f"Access-Control-Allow-Origin: {OURS}".encode() in answers[0]) is (OURS in header)
    assert bool(front.front.heads) is (header == "")  # whoever sends no Origin keeps the lane


def post_of(application, header: str) -> bytes:
    return post(json.dumps(application).encode(), header)

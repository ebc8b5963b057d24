import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from serve import strict_json
from serve.api.app import create_app
from serve.api.lane import TARGET, Lane
from serve.http import wsgi
from serve.http.front import Front
from serve.http.wsgi import Request
from serve.model.single_row import SingleRow
from serve.settings import Settings
from serve.store.pointer import Pointer
from serve.store.store import Store
from tests.raw_http import RawAnswer, connect, post, read_answer
from tests.serve.contract.test_cases import CASES
from tests.serve.http.front_server import FrontServer, StubService, serving

EXAMPLES = {
    "loans": {
        **{"Age": 45, "Annual_Income": 85000, "Credit_Score": 650, "Loan_Amount": 25000, "Loan_Duration_Years": 10},
        **{"Number_of_Open_Accounts": 5, "Had_Past_Default": 0},
    },
    "mixed": {"amount": 10, "home": "own", "region": "north"},
    "counting": {"asked": "2020-03-02", "amount": 10, "hired": "2020-02-27"},
}
MODELS = tuple(EXAMPLES)


def make_model_app(store: Store, data: bytes) -> Flask:
    scorer = store.install(data, {})
    store.point(Pointer(scorer.sha256, scorer.contract.model_name, "production", "7", "run-1", "passed"))
    return create_app(Settings(store=store.path, poll_seconds=3600))


def lane_of(app: Flask) -> Lane:
    return Lane(app.extensions["live_model"], app.extensions["observer"])


def predict(lane: Lane, body: bytes) -> bytes | None:
    answer = lane(b"POST", TARGET, JSON)
    return answer(body) if answer else None


@pytest.fixture(scope="module")
def apps(tmp_path_factory, model_file: Callable[[str], bytes]) -> dict[str, Flask]:
    return {name: make_model_app(Store(tmp_path_factory.mktemp(name)), model_file(name)) for name in MODELS}


@pytest.fixture(scope="module")
def ways(apps) -> Iterator[dict[str, tuple[FrontServer, FrontServer]]]:
    """By model: the same server with the lane and without."""

    def make(name: str, lane: bool) -> Callable[[], Front]:
        app = apps[name]
        service = StubService(app.wsgi_app, short_cut=lane_of(app)) if lane else StubService(app.wsgi_app)
        return lambda: Front(service, app.extensions["settings"])

    with (
        serving(make("loans", True)) as fast,
        serving(make("loans", False)) as slow,
        serving(make("mixed", True)) as mixed_fast,
        serving(make("mixed", False)) as mixed_slow,
        serving(make("counting", True)) as counting_fast,
        serving(make("counting", False)) as counting_slow,
    ):
        yield {
            "loans": (fast, slow),
            "mixed": (mixed_fast, mixed_slow),
            "counting": (counting_fast, counting_slow),
        }


def ask(server: FrontServer, data: bytes) -> list[RawAnswer]:
    """Return the answers to one request (a 100 comes before the other); the connection may stay open."""
    with connect(server.port) as client, client.makefile("rb") as stream:
        client.sendall(data)
        answers = [read_answer(stream)]
        if answers[0].status == 100:
            answers.append(read_answer(stream))
        return answers


def check_equal(ways: tuple[FrontServer, FrontServer], data: bytes) -> RawAnswer:
    with_lane, without = (ask(server, data) for server in ways)
    assert [answer.masked for answer in with_lane] == [answer.masked for answer in without]
    return with_lane[-1]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_both_ways_answer_the_case_alike(ways, case: dict[str, Any]):
    answer = check_equal(ways["loans"], post(json.dumps(case["application"]).encode()))
    assert answer.status == (422 if case["fields"] else 200)


LOANS = json.dumps(EXAMPLES["loans"]).encode()
SHORT = b'"Loan_Amount": 25000, "Loan_Duration_Years": 10'
BODIES = {
    "optional features are absent": (200, b"{%b}" % SHORT),
    "null": (200, b'{"Age": null, %b}' % SHORT),
    "null for what must be there": (422, b'{"Loan_Amount": null, "Loan_Duration_Years": 10}'),
    "a key twice": (400, b'{"Age": 45, "Age": 45, %b}' % SHORT),
    "a key twice, once escaped": (400, b'{"Age": 45, "\\u0041ge": 45, %b}' % SHORT),
    "an escaped key": (200, b'{"\\u0041ge": 45, %b}' % SHORT),
    "a surrogate": (400, b'{"\\ud800": 45, %b}' % SHORT),
    "an unknown field": (422, b'{"Wealth": 1, %b}' % SHORT),
    "a whole number with a point": (200, b'{"Age": 45.0, %b}' % SHORT),
    "a broken whole number": (422, b'{"Age": 45.5, %b}' % SHORT),
    "minus zero": (200, b'{"Annual_Income": -0, %b}' % SHORT),
    "minus zero with a point": (200, b'{"Annual_Income": -0.0, %b}' % SHORT),
    "an exponent": (200, b'{"Annual_Income": 1e2, %b}' % SHORT),
    "an exponent in a whole number": (200, b'{"Age": 4.5E+1, %b}' % SHORT),
    "a number below every float": (200, b'{"Annual_Income": 1e-999, %b}' % SHORT),
    "a number beyond float64": (400, b'{"Annual_Income": 1e999, %b}' % SHORT),
    "a number of 400 digits": (422, b'{"Annual_Income": %b, %b}' % (b"9" * 400, SHORT)),
    "a number of 5000 digits": (400, b'{"Annual_Income": %b, %b}' % (b"9" * 5000, SHORT)),
    "a number beyond 64 bits": (422, b'{"Annual_Income": 18446744073709551616, %b}' % SHORT),
    "a decimal of many digits": (200, b'{"Annual_Income": 0.%b, %b}' % (b"123456789" * 90, SHORT)),
    "a leading zero": (400, b'{"Age": 045, %b}' % SHORT),
    "a plus": (400, b'{"Age": +45, %b}' % SHORT),
    "NaN": (400, b'{"Age": NaN, %b}' % SHORT),
    "Infinity": (400, b'{"Age": -Infinity, %b}' % SHORT),
    "true": (422, b'{"Age": true, %b}' % SHORT),
    "text": (422, b'{"Age": "45", %b}' % SHORT),
    "a list": (422, b"[%b]" % LOANS),
    "a list in a field": (422, b'{"Age": [45], %b}' % SHORT),
    "white space all around": (200, b" \t\r\n" + LOANS + b"\n\r\t "),
    "another space": (400, b"\x0b" + LOANS),
    "a byte-order mark": (400, b"\xef\xbb\xbf" + LOANS),
    "two documents": (400, LOANS + LOANS),
    "a comma too many": (400, b'{"Age": 45, %b,}' % SHORT),
    "a comment": (400, b'{/* */"Age": 45, %b}' % SHORT),
    "single quotes": (400, b"{'Age': 45, %b}" % SHORT),
    "UTF-16": (400, LOANS.decode().encode("utf-16")),
    "not UTF-8": (400, b'{"\xff": 45, %b}' % SHORT),
    "a control character in a key": (400, b'{"A\nge": 45, %b}' % SHORT),
    "nothing": (400, b""),
    "null alone": (422, b"null"),
    "a number alone": (422, b"1"),
    "no application at all": (422, b"{}"),
    "deep nesting": (400, b"[" * 30_000),
    "an object cut off": (400, LOANS[:-1]),
}


@pytest.mark.parametrize("name", BODIES)
def test_both_ways_answer_the_body_alike(ways, name: str):
    status, body = BODIES[name]
    assert check_equal(ways["loans"], post(body)).status == status


MIXED_BODIES = {
    "all of it": (200, b'{"amount": 10, "home": "rent", "region": "north"}'),
    "no monitored feature": (200, b'{"amount": 10, "home": "own"}'),
    "the monitored feature is null": (200, b'{"amount": 10, "home": "own", "region": null}'),
    "the monitored feature is wrong": (422, b'{"amount": 10, "home": "own", "region": "west"}'),
    "no category": (200, b'{"amount": 10}'),
    "the category is null": (200, b'{"amount": 10, "home": null}'),
    "an unknown category": (422, b'{"amount": 10, "home": "tent"}'),
    "a number for a category": (422, b'{"amount": 10, "home": 1}'),
    "text for a number": (422, b'{"amount": "own", "home": "own"}'),
    "an escaped category": (200, b'{"amount": 10, "home": "\\u006fwn"}'),
    "a category twice": (400, b'{"amount": 10, "home": "own", "home": "own"}'),
    "a category of another case": (422, b'{"amount": 10, "home": "Own"}'),
}


@pytest.mark.parametrize("name", MIXED_BODIES)
def test_both_ways_answer_categories_and_monitored_features_alike(ways, name: str):
    status, body = MIXED_BODIES[name]
    assert check_equal(ways["mixed"], post(body)).status == status


COUNTING_BODIES = {
    "two dates": (200, b'{"asked": "2020-03-02", "amount": 10, "hired": "2020-02-27"}'),
    "the days as a number": (200, b'{"asked": "2020-03-02", "amount": 10, "hired": -4}'),
    "the days alone": (200, b'{"amount": 10, "hired": -4.0}'),
    "no date at all": (200, b'{"amount": 10}'),
    "null for both": (200, b'{"asked": null, "amount": 10, "hired": null}'),
    "no date to count from": (422, b'{"amount": 10, "hired": "2020-02-27"}'),
    "null to count from": (422, b'{"asked": null, "amount": 10, "hired": "2020-02-27"}'),
    "too many days between": (422, b'{"asked": "2020-03-20", "amount": 10, "hired": "2020-02-27"}'),
    "the wrong side of the date": (422, b'{"asked": "2020-02-27", "amount": 10, "hired": "2020-03-02"}'),
    "too many days": (422, b'{"asked": "2020-03-02", "amount": 10, "hired": -10}'),
    "half a day": (422, b'{"asked": "2020-03-02", "amount": 10, "hired": -0.5}'),
    "a day that never was": (422, b'{"asked": "2021-03-02", "amount": 10, "hired": "2021-02-29"}'),
    "no day to count from that ever was": (422, b'{"asked": "2021-02-29", "amount": 10, "hired": "2021-02-27"}'),
    "the days as text": (422, b'{"asked": "2020-03-02", "amount": 10, "hired": "-4"}'),
    "true": (422, b'{"asked": "2020-03-02", "amount": 10, "hired": true}'),
}


@pytest.mark.parametrize("name", COUNTING_BODIES)
def test_both_ways_count_days_between_dates_alike(ways, name: str):
    status, body = COUNTING_BODIES[name]
    assert check_equal(ways["counting"], post(body)).status == status


def test_the_lane_itself_counts_days_between_dates(apps):
    answered = [name for name, (_, body) in COUNTING_BODIES.items() if predict(lane_of(apps["counting"]), body)]
    assert answered == [name for name, (status, _) in COUNTING_BODIES.items() if status == 200]


CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(LOANS), LOANS)
TRACE = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
REQUESTS = {
    "charset": post(LOANS, "Content-Type: application/json; charset=utf-8"),
    "charset in capitals": post(LOANS, "Content-Type: application/json; charset=UTF-8"),
    "charset without space": post(LOANS, "Content-Type: application/json;charset=utf-8"),
    "another charset": post(LOANS, "Content-Type: application/json; charset=utf-16"),
    "content type in capitals": post(LOANS, "Content-Type: Application/JSON"),
    "space after the content type": post(LOANS, "Content-Type: application/json "),
    "another content type": post(LOANS, "Content-Type: text/plain"),
    "two content types": post(LOANS, "Content-Type: application/json\r\nContent-Type: application/json"),
    "no content type": post(LOANS, "Content-Type: "),
    "a trace": post(LOANS, TRACE),
    "a trace with a state": post(LOANS, TRACE, "tracestate: a=1", "tracestate: b=2"),
    "a state without a trace": post(LOANS, "tracestate: a=1"),
    "a request id": post(LOANS, "X-Request-ID: lab-4711"),
    "a request id with a space": post(LOANS, "X-Request-ID: lab 4711"),
    "two request ids": post(LOANS, "X-Request-ID: a", "X-Request-ID: b"),
    "all of these": post(LOANS, "x-request-id: a", "tracestate: a=1", TRACE),
    "a trace that is none": post(LOANS, "traceparent: 00-0-0-0"),
    "gzip": post(LOANS, "Content-Encoding: gzip"),
    "an unknown encoding": post(LOANS, "Content-Encoding: br"),
    "an answer in gzip": post(LOANS, "Accept-Encoding: gzip"),
    "identity": post(LOANS, "Content-Encoding: identity"),
    "expectation": post(LOANS, "Expect: 100-continue"),
    "an unknown expectation": post(LOANS, "Expect: the-moon"),
    "HTTP/1.0": post(LOANS, version="1.0"),
    "HTTP/1.0 without a host": post(LOANS, "Host:", version="1.0").replace(b"Host:\r\n", b""),
    "HTTP/1.0 kept alive": post(LOANS, "Connection: keep-alive", version="1.0"),
    "HTTP/1.0 expectation": post(LOANS, "Expect: 100-continue", version="1.0"),
    "close": post(LOANS, "Connection: close"),
    "chunked": post(b"", "Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"") + CHUNKED,
    "a query": post(LOANS, path="/api/v2/predict?x=1"),
    "a fragment": post(LOANS, path="/api/v2/predict#x"),
    "an absolute target": post(LOANS, path="http://x/api/v2/predict"),
    "an escaped target": post(LOANS, path="/api/v2/%70redict"),
    "a slash at the end": post(LOANS, path="/api/v2/predict/"),
    "an odd host": post(LOANS, "Host: a b<>"),
    "an empty host": post(LOANS, "Host: "),
    "an origin": post(LOANS, "Origin: https://example.org"),
    "a cookie": post(LOANS, "Cookie: session=x; y=z"),
    "a method override": post(LOANS, "X-HTTP-Method-Override: GET"),
    "an upgrade": post(LOANS, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
    "another method": post(LOANS).replace(b"POST", b"PUT"),
    "GET": post(LOANS).replace(b"POST", b"GET"),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_both_ways_answer_the_request_alike(ways, name: str):
    check_equal(ways["loans"], REQUESTS[name])


def test_the_lane_answers_plainly_valid_bodies_only(apps):
    answered = {name for name, (_, body) in BODIES.items() if predict(lane_of(apps["loans"]), body) is not None}
    valid = {name for name, (status, _) in BODIES.items() if status == 200}
    assert valid - answered == {"an escaped key"}
    assert answered <= valid


JSON = {b"content-type": b"application/json"}


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        (b"PUT", b"/api/v2/predict", JSON),
        (b"POST", b"/api/v2/predict/", JSON),
        (b"POST", b"/api/v2/predict?x", JSON),
        (b"POST", b"/api/v2/predict", {b"content-type": b"text/plain"}),
        (b"POST", b"/api/v2/predict", {}),
        (b"POST", b"/api/v2/predict", JSON | {b"content-encoding": b"gzip"}),
    ],
)
def test_the_lane_leaves_every_other_request_to_flask(apps, method, target, headers):
    lane = lane_of(apps["loans"])
    assert lane(b"POST", b"/api/v2/predict", JSON)(LOANS) is not None
    assert lane(method, target, headers) is None


def test_the_lane_returns_what_a_caller_finds_its_request_by(apps):
    sent = {b"traceparent": TRACE.split()[1].encode(), b"tracestate": b"a=1", b"x-request-id": b"lab-4711"}
    answer = lane_of(apps["loans"])(b"POST", b"/api/v2/predict", JSON | sent)(LOANS)
    for name, value in sent.items():
        assert re.search(rb"(?i)\r\n%b: %b\r\n" % (name, re.escape(value)), answer)


def test_without_a_model_the_lane_answers_nothing(tmp_path):
    app = create_app(Settings(store=tmp_path / "nowhere", poll_seconds=3600))
    assert predict(lane_of(app), LOANS) is None


def test_the_lane_follows_the_model_that_is_live(shelf, make_app):
    shelf.promote("loans", version="7")
    app = make_app()
    lane = lane_of(app)
    assert b'"prediction_code":1' in predict(lane, LOANS)
    shelf.promote("loans_strict", version="8")
    app.extensions["live_model"].refresh()
    answer = predict(lane, LOANS)
    assert b'"prediction_code":0' in answer
    assert b"X-Model-Version: 8\r\n" in answer


def test_each_answer_has_a_decision_id_of_its_own(apps):
    lane = lane_of(apps["loans"])
    ids = {re.search(rb"X-Decision-Id: (\S+)", predict(lane, LOANS))[1] for _ in range(100)}
    assert len(ids) == 100


def through_flask(app: Flask, body: bytes) -> tuple[bytes, bytes]:
    headers = {b"host": b"x", b"content-type": b"application/json", b"content-length": b"%d" % len(body)}
    request = Request(b"POST", b"/api/v2/predict", headers, body, True, "1.1")
    return wsgi.call(app.wsgi_app, request, ("127.0.0.1", 8000))


def check_same(app: Flask, body: bytes) -> None:
    answer = predict(lane_of(app), body)
    status, expected = through_flask(app, body)
    if answer is None:
        return
    assert status == b"HTTP/1.1 200 OK\r\n", body
    mask = re.compile(rb"X-Decision-Id: \S+")
    assert mask.sub(b"", answer) == mask.sub(b"", expected), body


VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(0, 1000)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["own", "rent", "north", "south", 10.0, -0.0, 18, 45, 650, 25_000])
    | st.lists(st.integers(), max_size=2)
)
SPACE = st.sampled_from(["", " ", "\n", "\t ", "\r\n"])


@st.composite
def bodies(draw: st.DrawFn, names: tuple[str, ...]) -> bytes:
    """An object near an application: names that may repeat or be wrong, values of any kind, spaces anywhere."""
    chosen = draw(
        st.lists(st.sampled_from([*names, *names, *names, "Wealth", ""]), min_size=1, max_size=len(names) + 1)
    )
    example = EXAMPLES["mixed" if "amount" in names else "loans"]
    pairs = []
    for name in chosen:
        value = example[name] if name in example and draw(st.integers(0, 3)) else draw(VALUES)
        text = json.dumps(value, ensure_ascii=draw(st.booleans()))
        pairs.append(f"{draw(SPACE)}{json.dumps(name)}{draw(SPACE)}:{draw(SPACE)}{text}{draw(SPACE)}")
    return f"{draw(SPACE)}{{{','.join(pairs)}}}{draw(SPACE)}".encode("utf-8", "surrogatepass")


@given(body=bodies(tuple(EXAMPLES["loans"])))
def test_for_any_body_near_an_application_the_lane_says_what_flask_says(apps, body):
    check_same(apps["loans"], body)


@given(body=bodies(tuple(EXAMPLES["mixed"])))
def test_for_any_body_with_categories_the_lane_says_what_flask_says(apps, body):
    check_same(apps["mixed"], body)


@given(body=st.binary(max_size=80) | st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_for_any_bytes_the_lane_says_what_flask_says(apps, body):
    check_same(apps["loans"], body)


@given(text=st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,60})?([eE][+-]?[0-9]{1,3})?", fullmatch=True))
def test_any_number_becomes_the_float_that_the_contract_makes_of_it(apps, text):
    body = b'{"Annual_Income": %b, %b}' % (text.encode(), SHORT)
    check_same(apps["loans"], body)
    scorer = apps["loans"].extensions["live_model"].current.scorer
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SingleRow, "score", lambda _, row: seen.append(row) or 0.0)
        predict(lane_of(apps["loans"]), body)
    if seen:
        assert seen == [scorer.contract.encode(strict_json.loads(body)).tobytes()]

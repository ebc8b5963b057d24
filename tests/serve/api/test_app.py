import logging
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urljoin

import pytest

from serve import errors
from serve.api.app import create_app
from serve.errors import ApplicationError, JSONError, RequestError, ServeError, SettingsError
from serve.model.scorer import Scorer

MARK = "7130425.5"  # a value that no message and no log line holds by chance
INTERNAL = (
    *(ServeError, SettingsError, errors.ContractError, errors.ModelFileError, errors.RegistryError),
    *(errors.StoreError, errors.StoreBusyError, errors.SignatureError),
)
STATUSES = {ApplicationError: 422, JSONError: 400, RequestError: 400} | dict.fromkeys(INTERNAL, 500)


def test_the_application_starts_with_a_broken_model(shelf, make_app, caplog):
    pointer = shelf.promote("loans")
    (shelf.store.path / f"{pointer.sha256}.onnx").write_bytes(b"broken")
    assert make_app().test_client().get("/health/live").status_code == 200
    assert "model refused, there is none" in caplog.text


def test_settings_come_from_the_environment_unless_given(monkeypatch, tmp_path):
    monkeypatch.setenv("SERVE_STORE", str(tmp_path))
    monkeypatch.setenv("SERVE_POLL_SECONDS", "3600")
    monkeypatch.setenv("SERVE_MODEL_ALIAS", "challenger")
    assert create_app().test_client().get("/").json["model_alias"] == "challenger"
    monkeypatch.setenv("SERVE_POLL_SECONDS", "often")
    with pytest.raises(SettingsError, match="SERVE_POLL_SECONDS"):
        create_app()


@pytest.mark.parametrize(("size", "status"), [(100, 422), (101, 413)])
def test_a_body_may_be_as_large_as_the_settings_say(shelf, make_app, size, status):
    shelf.promote("loans")
    client = make_app(max_body_bytes=100).test_client()
    body = b"{}".ljust(size)
    assert client.post("/api/v2/predict", data=body, content_type="application/json").status_code == status


@pytest.mark.parametrize(("path", "there"), [("/docs", "docs/"), ("/docs?a=b", "docs/?a=b")])
def test_a_redirect_names_no_host_no_scheme_and_no_path_that_a_proxy_may_have_changed(make_app, path, there):
    response = make_app().test_client().get(path, headers={"Host": "elsewhere"})
    assert (response.status_code, response.headers["Location"], response.data) == (308, there, b"")
    assert urljoin(f"https://bank.example/loans{path}", there) == f"https://bank.example/loans/{there}"


def test_the_router_redirects_nowhere_itself_as_it_would_name_a_host(make_app):
    rules = list(make_app(vertex_health="/alive/", vertex_predict="/decide/").url_map.iter_rules())
    paths = {rule.rule for rule in rules}
    redirecting = [rule.rule for rule in rules if rule.rule.endswith("/") and rule.strict_slashes]
    assert [path for path in redirecting if path != "/" and path[:-1] not in paths] == []


def test_the_application_follows_the_pointer_on_a_thread_that_ends_with_the_process(make_app):
    before = set(threading.enumerate())
    make_app()
    watchers = set(threading.enumerate()) - before
    assert [(thread.name, thread.daemon) for thread in watchers] == [("pointer-watch", True)]


def test_serving_logs_no_line_a_request(client, caplog, application):
    caplog.set_level(logging.INFO)
    caplog.clear()
    client.post("/api/v2/predict", json=application)
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"/{MARK}", 404),
        ("POST", f"/api/v2/predict/{MARK}", 404),
        ("GET", f"/api/v2/predict?Age={MARK}", 405),
        ("DELETE", f"/?Age={MARK}", 405),
    ],
)
def test_an_unknown_address_or_method_has_the_one_shape_without_the_value(client, caplog, method, path, status):
    caplog.set_level(logging.DEBUG)
    response = client.open(path, method=method)
    assert (response.status_code, set(response.json)) == (status, {"error"})
    assert MARK not in response.text + caplog.text
    assert bool(response.headers.get("Allow")) == (status == 405)


def subclasses(base: type) -> set[type]:
    return {base}.union(*(subclasses(sub) for sub in base.__subclasses__()))


class BrokenContract:
    """Fails on every application."""

    def __init__(self, make_error: Callable[[object], Exception]) -> None:
        self.make_error = make_error

    def encode(self, application: object) -> None:
        raise self.make_error(application)


class BrokenScorer(Scorer):
    """Has a broken contract."""

    def __init__(self, make_error: Callable[[object], Exception]) -> None:
        self.contract = BrokenContract(make_error)


def break_scorer(client, make_error: Callable[[object], Exception]) -> None:
    live = client.application.extensions["live_model"]
    live.current = replace(live.current, scorer=BrokenScorer(make_error))


def test_an_unforeseen_error_is_500_and_neither_answer_nor_log_holds_message_or_value(client, caplog, application):
    caplog.set_level(logging.DEBUG)
    break_scorer(client, lambda application: ZeroDivisionError(f"weird income {application['Annual_Income']}"))
    response = client.post("/api/v2/predict", json=application | {"Annual_Income": float(MARK)})
    assert (response.status_code, response.data) == (500, b'{"error":"internal error"}')
    assert re.search(r"ZeroDivisionError at .*test_app\.py:\d+ < .*decision\.py:\d+", caplog.text)
    assert MARK not in caplog.text
    assert "weird" not in caplog.text


def test_each_error_class_has_a_status():
    assert subclasses(ServeError) == set(STATUSES)


@pytest.mark.parametrize(("error", "status"), STATUSES.items(), ids=lambda part: getattr(part, "__name__", part))
def test_an_error_class_is_answered_with_its_status(client, application, error, status):
    arguments = {ApplicationError: [{"Age": "missing"}], errors.ContractError: ["contract", ["broken"]]}
    break_scorer(client, lambda _application: error(*arguments.get(error, ["the reason"])))
    response = client.post("/api/v2/predict", json=application)
    assert response.status_code == status
    expected = {400: "the reason", 422: "the application breaks the contract", 500: "internal error"}
    assert response.json["error"] == expected[status]

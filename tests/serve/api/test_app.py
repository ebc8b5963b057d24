import logging
import threading

import pytest

from serve.api.app import create_app
from serve.errors import SettingsError
from serve.settings import Settings


def test_the_application_loads_the_model_at_its_start(shelf, make_app):
    pointer = shelf.promote("loans")
    assert make_app().extensions["live_model"].current.pointer == pointer


def test_the_application_starts_without_a_store(tmp_path):
    app = create_app(Settings(store=tmp_path / "nowhere", poll_seconds=3600))
    assert app.extensions["live_model"].current is None
    assert list(tmp_path.iterdir()) == []


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


def test_the_alias_names_the_pointer(shelf, make_app):
    shelf.promote("loans")
    assert make_app(model_alias="challenger").extensions["live_model"].current is None


@pytest.mark.parametrize(("size", "status"), [(100, 422), (101, 413)])
def test_a_body_may_be_as_large_as_the_settings_say(shelf, make_app, size, status):
    shelf.promote("loans")
    client = make_app(max_body_bytes=100).test_client()
    body = b"{}".ljust(size)
    assert client.post("/api/v2/predict", data=body, content_type="application/json").status_code == status


@pytest.mark.parametrize(
    ("path", "there"),
    [("/docs", "/docs/"), ("/docs?a=b", "/docs/?a=b"), ("/api//v2//model", "/api/v2/model")],
)
def test_a_redirect_names_no_host_and_no_scheme(make_app, path, there):
    response = make_app().test_client().get("/", headers={"Host": "elsewhere"}, environ_overrides=_parts(path))
    assert (response.status_code, response.headers["Location"], response.data) == (308, there, b"")


def _parts(path: str) -> dict[str, str]:
    path, _, query = path.partition("?")
    return {"PATH_INFO": path, "QUERY_STRING": query}


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

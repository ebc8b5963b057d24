import hashlib
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from serve.api.app import create_app
from serve.api.service import Service
from serve.http import wsgi
from serve.http.wsgi import Request
from serve.settings import Settings
from tests.exposition import read_series

SETTINGS = {"poll_seconds": 3600, "max_body_bytes": 100, "max_batch_bytes": 1000}


@pytest.fixture
def service(tmp_path) -> Service:
    return Service(Settings(store=tmp_path / "empty", **SETTINGS))


def read_metrics(service: Service) -> str:
    environ = {"PATH_INFO": "/metrics", "REQUEST_METHOD": "GET"}
    return b"".join(service.metrics.application(environ, lambda *_: None)).decode()


@pytest.mark.parametrize(
    ("target", "limit"),
    [
        (b"/api/v2/predict", 100),
        (b"/api/v2/predict/batch", 1000),
        (b"/api/v2/predict/batch?x=1", 1000),
        (b"/invocations", 1000),
        (b"/v2/models/loan/versions/1/infer", 1000),
        (b"/v2/models/loan", 100),
        (b"/v1/models/loan:predict", 1000),
        (b"/v1/models/loan:explain", 1000),
        (b"/v1/models/loan", 100),
        (b"/invocations/", 100),
    ],
)
def test_only_routes_for_many_rows_take_large_bodies(service, target, limit):
    assert service.body_limit(target) == limit
    assert service.metrics.body_limit(target) == 100


def test_where_keys_are_required_only_the_body_of_a_caller_with_a_key_is_kept(tmp_path, service):
    assert service.admits(b"/invocations", {})
    path = tmp_path / "keys"
    path.write_text(f"bank:{hashlib.sha256(b'secret').hexdigest()}\n")
    locked = Service(Settings(store=tmp_path / "empty", api_keys_file=path, **SETTINGS))
    assert locked.admits(b"/invocations", {b"authorization": b"Bearer secret"})
    assert not locked.admits(b"/invocations", {b"authorization": b"Bearer other"})
    assert not locked.admits(b"/invocations", {})


HEALTH = [b"/health", b"/health/live", b"/health/ready", b"/ping", b"/v2/health/live", b"/v2/health/ready"]
HEALTH += [b"/v2/models/loan/ready", b"/v2/models/loan/versions/1/ready", b"/v1/models/loan", b"/health/live?full=1"]


@pytest.mark.parametrize("target", HEALTH)
def test_health_checks_of_every_protocol_pass_a_full_queue(service, target):
    assert service.is_urgent(target)
    assert not service.metrics.is_urgent(target)


@pytest.mark.parametrize("target", [b"/", b"/v2/models/loan/infer", b"/v1/models/loan:predict", b"/healthy"])
def test_no_other_request_passes_a_full_queue(service, target):
    assert not service.is_urgent(target)


def test_the_routes_that_vertex_ai_names_are_health_and_many_rows(tmp_path):
    routes = {"vertex_health": "/aip/alive", "vertex_predict": "/aip/decide.now"}
    service = Service(Settings(store=tmp_path / "empty", **SETTINGS, **routes))
    assert service.is_urgent(b"/aip/alive")
    assert service.body_limit(b"/aip/decide.now") == 1000
    assert service.body_limit(b"/aip/decide_now") == 100


def test_the_gauges_say_how_much_there_is_to_do(service):
    service.gauge(3, 2)
    text = read_metrics(service)
    assert read_series(text, "loan_connections") == {(): 3}
    assert read_series(text, "loan_requests_in_flight") == {(): 2}


def test_a_rejected_request_is_in_the_metrics_and_in_the_refusals_of_the_log(tmp_path):
    service = Service(Settings(store=tmp_path / "empty", prediction_log=tmp_path / "log", **SETTINGS))
    service.rejected(408)
    service.close()
    assert read_series(read_metrics(service), "loan_rejected_total", "status")["408",] == 1
    (file,) = (tmp_path / "log/refusals").rglob("*.jsonl")
    assert '"kind":"too_slow","count":1' in file.read_text()


def ask(service: Service, path: str) -> str:
    statuses = []
    list(service.application(make_environ(path), lambda status, _headers: statuses.append(status)))
    return statuses[0]


def make_environ(path: str) -> dict:
    return wsgi.make_environ(Request(b"GET", path.encode(), {b"host": b"x"}, b"", True, "1.1"), ("localhost", 80))


def test_a_worker_imports_flask_and_what_it_brings_for_the_first_request_that_the_lane_leaves_to_it(tmp_path):
    code = """
import sys
from pathlib import Path
import serve.http.worker
from serve.api.service import Service
from serve.http import wsgi
from serve.settings import Settings
service = Service(Settings(store=Path(sys.argv[1]), poll_seconds=3600))
request = wsgi.Request(b"GET", b"/health/live", {b"host": b"x"}, b"", True, "1.1")
late = {"flask", "email", "http.client", "shutil", "tempfile", "tomllib"}
print(late & {*sys.modules}, wsgi.call(service.application, request, ("localhost", 80))[0], "flask" in sys.modules)
"""
    said = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True).stdout
    assert said == "set() b'HTTP/1.1 200 OK\\r\\n' True\n"


def test_first_requests_at_once_have_one_application(service, monkeypatch):
    made = []

    def create_slowly(**parts):
        made.append(parts)
        time.sleep(0.2)
        return create_app(**parts)

    monkeypatch.setattr("serve.api.app.create_app", create_slowly)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(partial(ask, service), ["/health/live"] * 4)) == ["200 OK"] * 4
    assert len(made) == 1

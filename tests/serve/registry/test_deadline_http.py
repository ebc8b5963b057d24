"""Redirects, credentials, limits and errors of one exchange; slow answers are in test_follower."""

import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from serve.errors import RegistryError, SettingsError
from serve.registry.deadline_http import PIECE, DeadlineHTTP
from serve.settings import Settings
from tests.fake_registry import NAME, REST, FakeRegistry, Handler, fake_registry

SECRET = "Basic c29tZWJvZHk6c2VjcmV0"  # noqa: S105 (nobody's)
PATH = f"{REST}registered-models/alias?name={NAME}&alias=production"


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with fake_registry() as registry:
        registry.register("1", b"any bytes")
        yield registry


@pytest.fixture
def elsewhere() -> Iterator[FakeRegistry]:
    with fake_registry() as registry:
        registry.register("2", b"any bytes")
        yield registry


@pytest.fixture
def settings(registry) -> Settings:
    return Settings(tracking_uri=registry.address, tracking_authorization=SECRET, registry_timeout_seconds=20)


@pytest.fixture
def beats() -> list[int]:
    return []


@pytest.fixture
def http(settings, beats) -> DeadlineHTTP:
    return DeadlineHTTP(settings, lambda: beats.append(1))


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_place_by_http_is_refused_and_nobody_is_asked_there(registry, elsewhere, http, code):
    for place in (elsewhere.address, elsewhere.address.replace("http://", "//"), "ftp://127.0.0.1"):
        registry.faults["alias"] = lambda handler, place=place: handler.send(code, b"", Location=place + handler.path)
        with pytest.raises(RegistryError, match="redirects to another place than itself, and not by HTTPS") as refused:
            http.get(registry.address + PATH, 1000)
        assert refused.value.kind == "answer"
    assert elsewhere.asked == []


def test_a_redirect_to_the_same_origin_keeps_the_credentials(registry, http):
    def once(handler: Handler) -> None:
        registry.faults.clear()
        handler.send(302, b"", Location=handler.path)

    registry.faults["alias"] = once
    assert b'"run_id": "run1"' in http.get(registry.address + PATH, 1000)
    assert registry.authorizations == [SECRET] * 2


def test_a_body_may_have_as_many_bytes_as_the_limit(registry, http):
    body = http.get(registry.address + PATH, 1000)
    assert http.get(registry.address + PATH, len(body)) == body
    with pytest.raises(RegistryError, match=f"sent more than {len(body) - 1} bytes"):
        http.get(registry.address + PATH, len(body) - 1)


def in_pieces(size: int, body: bytes) -> Callable[[Handler], None]:
    """Answer in chunks of so many bytes."""
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    sent = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(sent)

    return answer


@pytest.mark.parametrize("size", [1, 2, 1000, PIECE + 1])
def test_a_body_in_chunks_is_taken_whole_and_up_to_its_limit(registry, http, size):
    body = bytes(range(256)) * 400
    registry.faults["alias"] = in_pieces(size, body)
    assert http.get(registry.address + PATH, len(body)) == body
    with pytest.raises(RegistryError, match="sent more than"):
        http.get(registry.address + PATH, len(body) - 1)


def test_a_body_in_chunks_that_ends_early_is_refused(registry, http):
    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"5\r\nab")
        handler.close_connection = True

    registry.faults["alias"] = answer
    with pytest.raises(RegistryError, match="IncompleteRead"):
        http.get(registry.address + PATH, 1000)


def test_small_chunks_take_no_more_memory_than_their_bytes(registry, http):
    body = bytes(400_000)
    registry.faults["alias"] = in_pieces(2, body)
    tracemalloc.start()
    try:
        http.get(registry.address + PATH, len(body))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 4 * len(body)


def test_a_denial_names_the_variables_and_quotes_neither_secret_nor_answer(registry, http):
    registry.faults["alias"] = lambda handler: handler.send(401, b"who is somebody?")
    with pytest.raises(RegistryError) as refused:
        http.get(registry.address + PATH, 1000)
    assert refused.value.kind == "denied"
    assert "answered 401: see MLFLOW_TRACKING_USERNAME" in str(refused.value)
    assert "somebody" not in str(refused.value)


def test_each_read_is_preceded_by_a_beat(registry, http, beats):
    http.get(registry.address + PATH, 1000)
    assert len(beats) >= 2


def test_absent_certificates_are_a_settings_error(settings):
    with pytest.raises(SettingsError, match="MLFLOW_TRACKING_SERVER_CERT_PATH='/nowhere"):
        DeadlineHTTP(replace(settings, tracking_ca_file="/nowhere.pem"), lambda: None)

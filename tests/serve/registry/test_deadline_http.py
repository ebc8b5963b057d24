"""Redirects, credentials, limits and errors of one exchange; slow answers are in test_follower."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from serve.errors import RegistryError, SettingsError
from serve.registry.deadline_http import DeadlineHTTP
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
def test_a_redirect_to_another_origin_is_followed_without_the_credentials(registry, elsewhere, http, code):
    registry.faults["alias"] = lambda handler: handler.send(code, b"", Location=elsewhere.address + handler.path)
    assert b'"run_id": "run2"' in http.get(registry.address + PATH, 1000)
    assert (registry.authorizations, elsewhere.authorizations) == ([SECRET], [None])


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

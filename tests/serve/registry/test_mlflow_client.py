"""What is sent, and to whom."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from serve.errors import RegistryError, SettingsError
from serve.registry.mlflow_client import RegistryClient
from serve.settings import Settings
from tests.fake_registry import NAME, FakeRegistry, Handler, fake_registry

SECRET = "Basic c29tZWJvZHk6c2VjcmV0"  # noqa: S105 (nobody's)


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with fake_registry() as registry:
        yield registry


@pytest.fixture
def elsewhere() -> Iterator[FakeRegistry]:
    with fake_registry() as registry:
        yield registry


@pytest.fixture
def settings(registry) -> Settings:
    return Settings(tracking_uri=registry.address, tracking_authorization=SECRET, registry_timeout_seconds=20)


def test_credentials_go_with_every_question(registry, settings):
    registry.register("1", b"any bytes")
    client = RegistryClient(settings)
    version = client.version_of_alias(NAME, "production")
    client.model_file(version)
    client.metadata(version)
    assert registry.asked == ["alias", "uri", "file", "run", "metadata"]
    assert registry.authorizations == [SECRET] * 5


def test_without_credentials_none_are_sent(registry, settings):
    registry.register("1", b"any bytes")
    RegistryClient(replace(settings, tracking_authorization="")).version_of_alias(NAME, "production")
    assert registry.authorizations == [None]


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_elsewhere_is_followed_without_the_credentials(registry, elsewhere, settings, code):
    for place in (registry, elsewhere):
        place.register("1", b"any bytes")
    registry.faults["alias"] = lambda handler: handler.send(code, b"", Location=elsewhere.address + handler.path)
    assert RegistryClient(settings).version_of_alias(NAME, "production").number == "1"
    assert (registry.authorizations, elsewhere.authorizations) == ([SECRET], [None])


def test_a_redirect_to_the_same_origin_keeps_the_credentials(registry, settings):
    registry.register("1", b"any bytes")

    def once(handler: Handler) -> None:
        registry.faults.clear()
        handler.send(302, b"", Location=handler.path)

    registry.faults["alias"] = once
    assert RegistryClient(settings).version_of_alias(NAME, "production").number == "1"
    assert registry.authorizations == [SECRET] * 2


def test_a_refusal_says_where_to_look_and_quotes_neither_secret_nor_answer(registry, settings):
    registry.faults["alias"] = lambda handler: handler.send(401, b"who is somebody?")
    with pytest.raises(RegistryError) as refused:
        RegistryClient(settings).version_of_alias(NAME, "production")
    assert refused.value.kind == "denied"
    assert "answered 401: see MLFLOW_TRACKING_USERNAME" in str(refused.value)
    assert "somebody" not in str(refused.value)


def test_a_name_with_every_kind_of_character_arrives_whole(registry, settings):
    seen = []
    registry.faults["alias"] = lambda handler: (seen.append(handler.path), handler.send(404, b""))
    with pytest.raises(RegistryError):
        RegistryClient(settings).version_of_alias(NAME, "a b&c=d/é")
    assert seen[0].endswith(f"?name={NAME}&alias=a+b%26c%3Dd%2F%C3%A9")


def test_a_tracking_server_below_a_path_is_asked_there(registry, settings):
    seen = []
    registry.faults["metadata"] = lambda handler: (seen.append(handler.path), handler.send(404, b""))
    client = RegistryClient(replace(settings, tracking_uri=registry.address + "/team/mlflow"))
    with pytest.raises(RegistryError):
        client.version_of_alias(NAME, "production")
    assert seen[0].startswith("/team/mlflow/api/2.0/mlflow/registered-models/alias?")


def test_a_beat_tells_of_what_arrives(registry, settings):
    beats = []
    registry.register("1", b"any bytes")
    RegistryClient(settings, lambda: beats.append(1)).version_of_alias(NAME, "production")
    assert len(beats) >= 2


def test_certificates_that_are_not_there_stop_the_start(settings):
    with pytest.raises(SettingsError, match="MLFLOW_TRACKING_SERVER_CERT_PATH='/nowhere"):
        RegistryClient(replace(settings, tracking_ca_file="/nowhere.pem"))

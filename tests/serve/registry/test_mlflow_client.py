"""The questions that the client asks, and the credentials it sends with them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from serve.errors import RegistryError
from serve.registry.mlflow_client import RegistryClient
from serve.settings import Settings
from tests.fake_registry import NAME, FakeRegistry, fake_registry

SECRET = "Basic c29tZWJvZHk6c2VjcmV0"  # noqa: S105 (nobody's)


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
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


def test_special_characters_in_an_alias_are_quoted(registry, settings):
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

import pytest

from serve.settings import Settings
from serve.store.store import Store


@pytest.fixture
def settings(registry, tmp_path) -> Settings:
    return Settings(
        store=tmp_path / "store",
        tracking_uri=registry.address,
        registry_poll_seconds=0.05,
        registry_timeout_seconds=20,
    )


@pytest.fixture
def store(settings) -> Store:
    return Store(settings.store)

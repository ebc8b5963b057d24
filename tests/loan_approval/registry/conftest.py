"""A registered model's name and a server's store, new for each test."""

from pathlib import Path

import pytest

from serve.store.store import Store
from tests.registered import new_name


@pytest.fixture
def name(mlflow_folder: Path) -> str:
    return new_name()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")

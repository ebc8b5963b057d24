"""Model files, stores and clients, for an environment with serve's requirements, pytest and hypothesis only."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from serve.api.app import create_app
from serve.contract.contract import Contract
from serve.settings import Settings
from serve.store.pointer import Pointer
from serve.store.store import Store

ROOT = Path(__file__).parents[2]
METADATA = {"metrics": {"auc": 0.8}, "gates": [{"name": "signal", "passed": True}], "verdict": {"verdict": "passed"}}


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of model files: TEST_MODEL_FILES, else one that is built here, which needs onnx."""
    folder = os.environ.get("TEST_MODEL_FILES")
    if folder:
        return Path(folder)
    from tests.model_files import write_files

    return write_files(tmp_path_factory.mktemp("model_files"))


@pytest.fixture(scope="session")
def model_file(model_folder: Path) -> Callable[[str], bytes]:
    """Return the bytes of a model file by name; `broken/<fault>` for a broken one."""
    return lambda name: (model_folder / f"{name}.onnx").read_bytes()


@pytest.fixture(scope="session")
def loans() -> Contract:
    return Contract.load(ROOT / "data/loans/contract.toml")


@pytest.fixture
def application(loans: Contract) -> dict[str, Any]:
    return loans.example()


@dataclass(frozen=True)
class Shelf:
    """A store, and how tests promote a model file into it."""

    store: Store
    model_file: Callable[[str], bytes]

    def promote(self, name: str, version: str = "1") -> Pointer:
        """Install a model file and point at it."""
        scorer = self.store.install(self.model_file(name), METADATA)
        pointer = Pointer(scorer.sha256, scorer.contract.model_name, "production", version, "run-1", "passed")
        self.store.point(pointer)
        return pointer


@pytest.fixture
def shelf(tmp_path: Path, model_file: Callable[[str], bytes]) -> Shelf:
    return Shelf(Store(tmp_path / "store"), model_file)


@pytest.fixture
def make_app(shelf: Shelf) -> Callable[..., Flask]:
    """Return an application that answers from the shelf; it reads the pointer at its start and on `refresh`."""
    return lambda **settings: create_app(Settings(store=shelf.store.path, poll_seconds=3600, **settings))


@pytest.fixture
def client(shelf: Shelf, make_app: Callable[..., Flask]) -> FlaskClient:
    """A client of a server with the `loans` model."""
    shelf.promote("loans", version="7")
    return make_app().test_client()


@pytest.fixture
def empty_client(make_app: Callable[..., Flask]) -> FlaskClient:
    """A client of a server without a model."""
    return make_app().test_client()

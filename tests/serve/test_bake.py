"""What an image build takes out of a store."""

from collections.abc import Callable
from pathlib import Path

import pytest

from serve.bake import bake
from serve.errors import StoreError
from serve.store.store import Store
from tests.server_process import promote


def test_only_the_file_of_the_pointer_is_baked(tmp_path: Path, model_file: Callable[[str], bytes]) -> None:
    source = Store(tmp_path / "source")
    promote(source, model_file("mixed"), "1")
    pointer = promote(source, model_file("loans"), "2")
    (tmp_path / "target").mkdir()
    assert bake(source.path, tmp_path / "target") == pointer
    names = {path.name for path in (tmp_path / "target").iterdir()}
    files = {f"{pointer.sha256}.{kind}" for kind in ("onnx", "json", "verified")}
    assert names == files | {"production.json"}
    target = Store(tmp_path / "target")
    assert target.pointer() == pointer
    target.load(pointer)


def test_an_empty_store_bakes_no_model(tmp_path: Path) -> None:
    assert bake(tmp_path, tmp_path / "target") is None
    assert not (tmp_path / "target").exists()


def test_files_without_a_pointer_are_no_store(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"x")
    with pytest.raises(StoreError, match=r"files but no production\.json"):
        bake(tmp_path, tmp_path / "target")


def test_a_file_that_fails_its_check_is_not_baked(tmp_path: Path, model_file: Callable[[str], bytes]) -> None:
    source = Store(tmp_path / "source")
    pointer = promote(source, model_file("loans"))
    (source.path / f"{pointer.sha256}.onnx").write_bytes(b"x")
    with pytest.raises(StoreError, match="another hash"):
        bake(source.path, tmp_path / "target")
    assert not (tmp_path / "target").exists()

import hashlib
import json
import os
import subprocess
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any

import pytest

from serve.errors import ModelFileError, SettingsError, SignatureError, StoreBusyError, StoreError
from serve.model.verify import CHECK
from serve.settings import Settings
from serve.store.documents import LARGEST_METADATA
from serve.store.pointer import LARGEST_POINTER, Pointer
from serve.store.store import Store, open_store
from tests.serve.store.conftest import LARGEST, METADATA, NAME

POINTER = Pointer("a" * 64, "loan_approval_model", "production", "1", "run-1", "passed")


def names_in(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_file_and_its_metadata_are_installed_under_the_hash_without_moving_the_pointer(shelf, model_file):
    data = model_file("loans")
    scorer = shelf.store.install(data, {"verdict": "passed"})
    sha256 = hashlib.sha256(data).hexdigest()
    assert scorer.sha256 == sha256
    assert names_in(shelf.store.path) == [f"{sha256}.json", f"{sha256}.onnx", f"{sha256}.verified"]
    assert shelf.store.pointer() is None


def test_installing_again_changes_nothing_but_the_metadata(shelf, model_file):
    shelf.store.install(model_file("loans"), {"verdict": "passed"})
    before = names_in(shelf.store.path)
    shelf.store.install(model_file("loans"), {"verdict": "forced"})
    pointer = replace(POINTER, sha256=hashlib.sha256(model_file("loans")).hexdigest())
    assert (names_in(shelf.store.path), shelf.store.load(pointer)[1]) == (before, {"verdict": "forced"})


def test_a_broken_file_leaves_nothing_in_the_store(shelf, model_file):
    with pytest.raises(ModelFileError):
        shelf.store.install(model_file("broken/golden_score_wrong"), {})
    assert names_in(shelf.store.path) == []


def test_metadata_that_is_not_json_leaves_nothing_in_the_store(shelf, model_file):
    with pytest.raises(StoreError, match="metadata"):
        shelf.store.install(model_file("loans"), {"auc": float("nan")})
    assert names_in(shelf.store.path) == []


def test_metadata_too_large_to_be_read_again_leaves_nothing_in_the_store(shelf, model_file):
    with pytest.raises(StoreError, match="at most"):
        shelf.store.install(model_file("loans"), {"text": "x" * LARGEST_METADATA})
    assert names_in(shelf.store.path) == []


def test_metadata_nested_without_end_is_refused(shelf, model_file):
    metadata = {}
    for _ in range(100_000):
        metadata = {"deeper": metadata}
    with pytest.raises(StoreError, match="metadata"):
        shelf.store.install(model_file("loans"), metadata)


def test_the_pointer_is_read_back_as_it_was_written(shelf):
    pointer = shelf.promote("loans")
    assert shelf.store.pointer() == pointer
    assert json.loads((shelf.store.path / "production.json").read_bytes()) == asdict(pointer)


def test_a_pointer_to_a_file_that_is_not_installed_is_refused(shelf):
    with pytest.raises(StoreError, match="no file"):
        shelf.store.point(POINTER)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", json.dumps(asdict(POINTER) | {"extra": ""}), "[" * 100_000, "\ud800"],
    ids=["empty", "cut", "list", "null", "no keys", "a key more", "nested", "not UTF-8"],
)
def test_a_pointer_that_cannot_be_read_is_an_error_not_an_absence(shelf, text):
    shelf.store.path.mkdir()
    shelf.store.pointer_path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(StoreError):
        shelf.store.pointer()


def test_a_pointer_too_large_to_be_one_is_refused(shelf):
    shelf.store.path.mkdir()
    shelf.store.pointer_path.write_text(" " * (LARGEST_POINTER + 1))
    with pytest.raises(StoreError, match=r"production\.json: not a pointer: too large"):
        shelf.store.pointer()


def test_a_pointer_of_another_alias_is_refused(shelf):
    pointer = shelf.promote("loans")
    shelf.store.pointer_path.write_text(json.dumps(asdict(replace(pointer, alias="challenger"))))
    with pytest.raises(StoreError, match="it is of the alias 'challenger', not 'production'"):
        shelf.store.pointer()


def test_metadata_of_another_file_is_refused(shelf):
    pointer = shelf.promote("loans")
    (shelf.store.path / f"{pointer.sha256}.json").write_text(json.dumps({"sha256": "a" * 64}))
    with pytest.raises(StoreError, match="the metadata is of another file"):
        shelf.store.load(pointer)


def test_a_file_changed_after_its_installation_is_refused(shelf):
    pointer = shelf.promote("loans")
    path = shelf.store.path / f"{pointer.sha256}.onnx"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(StoreError, match="the file has another hash"):
        shelf.store.load(pointer)


@pytest.mark.parametrize("name", ["{}.onnx", "{}.json"])
def test_an_absent_file_is_a_store_error(shelf, name):
    pointer = shelf.promote("loans")
    (shelf.store.path / name.format(pointer.sha256)).unlink()
    with pytest.raises(StoreError, match="can't be read"):
        shelf.store.load(pointer)


@pytest.mark.parametrize("text", ["[]", "null", "{", "[" * 100_000], ids=["list", "null", "cut", "nested"])
def test_metadata_that_is_no_object_is_refused(shelf, text):
    pointer = shelf.promote("loans")
    (shelf.store.path / f"{pointer.sha256}.json").write_text(text)
    with pytest.raises(StoreError, match="metadata"):
        shelf.store.load(pointer)


@pytest.mark.parametrize(
    "text", [b'{"auc": NaN}', b'{"auc": "\\ud800"}', b'{"auc": 1, "auc": 2}', b" " * (LARGEST_METADATA + 1)]
)
def test_metadata_that_is_not_strict_json_is_refused(shelf, text):
    pointer = shelf.promote("loans")
    (shelf.store.path / f"{pointer.sha256}.json").write_bytes(text)
    with pytest.raises(StoreError, match="can't be read"):
        shelf.store.load(pointer)


@pytest.mark.parametrize("suffix", [".onnx", ".json"])
@pytest.mark.parametrize("put", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["pipe", "device"])
def test_pipes_and_devices_are_refused_without_waiting(shelf, suffix, put):
    pointer = shelf.promote("loans")
    for path in (shelf.store.path / f"{pointer.sha256}{suffix}", shelf.store.pointer_path):
        path.unlink()
        put(path)
    with pytest.raises(StoreError, match="can't be read: not a regular file"):
        shelf.store.load(pointer)
    with pytest.raises(StoreError, match="not a pointer: not a regular file"):
        shelf.store.pointer()
    assert suffix == ".json" or shelf.store.file(pointer.sha256) is None


def test_a_pointer_of_another_alias_is_not_written(shelf):
    pointer = shelf.promote("loans")
    with pytest.raises(StoreError, match="of the alias 'challenger', expected 'production'"):
        shelf.store.point(replace(pointer, alias="challenger"))
    assert shelf.store.pointer() == pointer


def test_metadata_of_another_file_is_not_installed(shelf, model_file):
    with pytest.raises(StoreError, match="the metadata is of another file"):
        shelf.store.install(model_file("loans"), {"sha256": "a" * 64})
    assert names_in(shelf.store.path) == []


@pytest.mark.parametrize("fault", ["other metadata", "other bytes", "refused"])
def test_the_pointer_moves_only_to_what_can_be_loaded(shelf, model_file, fault):
    old = shelf.promote("loans")
    new = shelf.store.install(model_file("loans_strict"), METADATA).sha256
    if fault == "other metadata":
        (shelf.store.path / f"{new}.json").write_text(json.dumps({"sha256": "a" * 64}))
    elif fault == "other bytes":
        (shelf.store.path / f"{new}.onnx").write_bytes(model_file("loans"))
    else:
        data = model_file("broken/graph_rows_fixed_inside")
        new = hashlib.sha256(data).hexdigest()
        (shelf.store.path / f"{new}.onnx").write_bytes(data)
        (shelf.store.path / f"{new}.json").write_text("{}")
    with pytest.raises((StoreError, ModelFileError)):
        shelf.store.point(replace(old, sha256=new))
    assert shelf.store.pointer() == old


@pytest.fixture
def copied(shelf, monkeypatch) -> Pointer:
    """The pointer of a file that came into the store without a mark."""
    pointer = shelf.promote("loans")
    (shelf.store.path / f"{pointer.sha256}.verified").unlink()
    monkeypatch.setattr("serve.model.verify._passed", set())
    return pointer


@pytest.fixture
def verified(monkeypatch) -> list[str]:
    """The hashes of the files that were verified in a process of their own."""
    hashes = []

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess:
        hashes.append(command[-1])
        return subprocess.run(command, **options)

    seen = SimpleNamespace(run=run, TimeoutExpired=subprocess.TimeoutExpired)
    monkeypatch.setattr("serve.model.verify.subprocess", seen)
    return hashes


def test_a_file_is_verified_once_for_all_who_load_it(shelf, copied, verified):
    for _ in range(2):
        assert Store(shelf.store.path).load(copied)[0].sha256 == copied.sha256
    assert verified == [copied.sha256]
    assert (shelf.store.path / f"{copied.sha256}.verified").is_file()


def test_a_mark_of_another_check_counts_for_nothing(shelf, copied, verified):
    (shelf.store.path / f"{copied.sha256}.verified").write_text("check 0, onnxruntime 1.0\n")
    shelf.store.load(copied)
    assert verified == [copied.sha256]


def test_a_forged_mark_skips_no_golden_row(shelf, model_file, verified):
    data = model_file("broken/golden_score_wrong")
    sha256 = hashlib.sha256(data).hexdigest()
    shelf.store.path.mkdir()
    for kind, content in {"onnx": data, "json": b"{}", "verified": CHECK}.items():
        (shelf.store.path / f"{sha256}.{kind}").write_bytes(content)
    with pytest.raises(ModelFileError, match="golden row 0 scores otherwise"):
        shelf.store.load(replace(POINTER, sha256=sha256))
    assert verified == []
    with pytest.raises(ModelFileError, match="golden row 0 scores otherwise"):
        shelf.store.install(data, {})
    assert verified == [sha256]


def test_a_file_that_is_not_verified_is_busy_for_who_may_not_wait_and_while_another_verifies_it(shelf, copied):
    with pytest.raises(StoreBusyError, match="not verified yet"):
        shelf.store.load(copied, may_verify=False)
    with shelf.store._lock(".verify.lock", wait=False), pytest.raises(StoreBusyError, match="another process"):
        shelf.store.load(copied)
    assert shelf.store.load(copied)


def test_in_a_read_only_store_a_file_is_verified_without_a_mark(shelf, copied, verified, monkeypatch):
    monkeypatch.setattr("serve.store.store.os.access", lambda path, mode: False)

    def refuse(path, data):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("serve.store.store.write_atomically", refuse)
    before = names_in(shelf.store.path)
    for _ in range(2):
        assert shelf.store.load(copied)
    assert (verified, names_in(shelf.store.path)) == ([copied.sha256], before)


def test_whoever_takes_the_lock_removes_what_killed_processes_left(shelf):
    shelf.store.path.mkdir()
    left = shelf.store.path / ".production.json.0123abcd"
    left.touch()
    os.utime(left, (0, 0))
    with shelf.store.locked():
        assert not left.exists()


def test_a_store_that_cannot_be_written_is_an_error(shelf, model_file):
    shelf.store.path.write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="can't write"):
        shelf.store.install(model_file("loans"), {})


def test_a_taken_lock_is_an_error_unless_the_caller_waits(shelf):
    with shelf.store.locked(), pytest.raises(StoreBusyError, match="another process"), shelf.store.locked(wait=False):
        pass
    with shelf.store.locked(wait=False):
        pass


def test_a_damaged_or_absent_file_is_not_returned(shelf, model_file):
    sha256 = shelf.promote("loans").sha256
    assert shelf.store.file(sha256) == model_file("loans")
    (shelf.store.path / f"{sha256}.onnx").write_bytes(model_file("loans")[:-1])
    assert shelf.store.file(sha256) is None
    assert shelf.store.file("0" * 64) is None


@pytest.mark.parametrize("signature", ["", "AAAA"])
def test_a_store_that_requires_signatures_installs_no_unsigned_file(signed_store, signature):
    with pytest.raises(SignatureError):
        signed_store.store.install(signed_store.model_file("loans"), METADATA, signature)
    assert not list(signed_store.store.path.glob("*.onnx"))


def test_a_file_larger_than_the_limit_is_not_installed(tmp_path, model_file):
    data = model_file("loans")
    assert Store(tmp_path / "right", largest=len(data)).install(data, METADATA)
    with pytest.raises(ModelFileError, match="SERVE_MAX_MODEL_BYTES"):
        Store(tmp_path / "small", largest=len(data) - 1).install(data, METADATA)


def test_without_a_key_signatures_are_stored_and_not_checked(tmp_path, model_file):
    store = Store(tmp_path / "store")
    scorer = store.install(model_file("loans"), METADATA, "no signature at all")
    pointer = Pointer(scorer.sha256, NAME, "production", "1", "run-1", "passed")
    assert store.load(pointer)[0].sha256 == scorer.sha256
    assert (store.path / f"{scorer.sha256}.sig").read_text() == "no signature at all"


def test_open_store_applies_the_settings(signed_store):
    path, key = signed_store.store.path, signed_store.keys.public
    settings = Settings(store=path, public_key_file=key, max_model_bytes=LARGEST)
    pointer = signed_store.promote("loans")
    assert open_store(settings).load(pointer)
    with pytest.raises(SignatureError, match="expected one for other_model"):
        open_store(replace(settings, model_name="other_model")).load(pointer)
    with pytest.raises(ModelFileError, match="more than the 10 bytes"):
        open_store(replace(settings, max_model_bytes=10)).load(pointer)
    key.write_text("no key")
    with pytest.raises(SettingsError, match="SERVE_PUBLIC_KEY_FILE"):
        open_store(settings)

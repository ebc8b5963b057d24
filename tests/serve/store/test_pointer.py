import json
from dataclasses import asdict, replace

import pytest

from serve.errors import StoreError
from serve.store.pointer import Pointer, read_pointer

POINTER = Pointer("a" * 64, "loan_approval_model", "production", "1", "run-1", "passed")


@pytest.mark.parametrize("version", ["1\r\nX-Evil: 1", "1\n", "é", "1\0", ""])
def test_a_version_that_no_header_can_hold_is_refused(version):
    with pytest.raises(StoreError, match="version is not printable ASCII"):
        replace(POINTER, version=version)


@pytest.mark.parametrize("verdict", ["failed", "", "Passed"])
def test_a_pointer_takes_trusted_verdicts_only(verdict):
    with pytest.raises(StoreError, match="expected passed or forced"):
        replace(POINTER, verdict=verdict)


@pytest.mark.parametrize("sha256", ["", "a" * 63, "A" * 64, "../" + "a" * 61, "a" * 64 + "\n"])
def test_a_pointer_names_a_hash_and_no_path(sha256):
    with pytest.raises(StoreError, match="64 hexadecimal digits"):
        replace(POINTER, sha256=sha256)


def test_a_pointer_holds_text_only():
    with pytest.raises(StoreError, match="text only"):
        replace(POINTER, version=1)


@pytest.mark.parametrize(("field", "most"), [("version", 64), ("run", 64), ("name", 256), ("alias", 256)])
def test_a_pointer_holds_no_text_longer_than_its_limit(field, most):
    replace(POINTER, **{field: "1" * most})
    with pytest.raises(StoreError, match=f"the pointer's {field} is longer than {most} characters"):
        replace(POINTER, **{field: "1" * (most + 1)})


def test_a_pointer_is_read_from_its_own_document(tmp_path):
    path = tmp_path / "production.json"
    assert read_pointer(path, "production") is None
    path.write_text(json.dumps(asdict(POINTER)))
    assert read_pointer(path, "production") == POINTER


@pytest.mark.parametrize("document", [[], None, "text", {}, asdict(POINTER) | {"extra": ""}])
def test_a_document_with_other_keys_is_no_pointer(document, tmp_path):
    path = tmp_path / "production.json"
    path.write_text(json.dumps(document))
    with pytest.raises(StoreError, match=r"^production\.json: not a pointer: expected an object with the keys sha256"):
        read_pointer(path, "production")


def test_a_pointer_of_another_model_than_the_given_one_is_refused(tmp_path):
    path = tmp_path / "production.json"
    path.write_text(json.dumps(asdict(POINTER)))
    assert read_pointer(path, "production", POINTER.name) == POINTER
    with pytest.raises(StoreError, match=r"^production\.json: it is of the model 'loan_approval_model', not 'boston'$"):
        read_pointer(path, "production", "boston")

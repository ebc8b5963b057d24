import hashlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, replace
from json import dumps

import pytest

from serve.model.shapley import Explainer
from serve.model.verify import verify
from serve.settings import Settings
from serve.store.live import LiveModel
from serve.store.store import open_store
from tests.serve.store.conftest import LARGEST, NAME, SignedStore
from tests.signing_keys import make_keys
from tests.waiting import wait_until


@pytest.fixture
def live(shelf, caplog) -> LiveModel:
    caplog.set_level(logging.INFO, logger="serve")
    return LiveModel(shelf.store)


def break_pointer(shelf, text: str) -> None:
    shelf.store.path.mkdir(exist_ok=True)
    shelf.store.pointer_path.write_text(text)


def test_without_a_pointer_there_is_no_model_and_nothing_is_logged(live, caplog):
    live.refresh()
    assert live.current is None
    assert caplog.messages == []


def test_the_model_metadata_and_pointer_come_together(live, shelf):
    pointer = shelf.promote("loans")
    live.refresh()
    assert (live.current.pointer, live.current.scorer.sha256) == (pointer, pointer.sha256)
    assert live.current.metadata["metrics"] == {"auc": 0.8}


def test_a_new_pointer_swaps_the_model_and_a_rollback_swaps_it_back(live, shelf, application):
    codes = []
    for name in ("loans", "loans_strict", "loans"):
        shelf.promote(name)
        live.refresh()
        codes.append(live.current.scorer.answer(application).code)
    assert codes == [1, 0, 1]


def test_a_pointer_of_another_model_than_the_given_one_is_refused_and_the_old_one_goes_on(shelf, caplog):
    pointer = shelf.promote("loans")
    live = LiveModel(open_store(Settings(store=shelf.store.path, model_name=pointer.name, is_named=True)))
    live.refresh()
    shelf.promote("mixed")
    live.refresh()
    assert live.current.pointer == pointer
    assert "it is of the model 'mixed_model', not 'loan_approval_model'" in caplog.text


def test_the_same_pointer_loads_nothing_again(live, shelf):
    shelf.promote("loans")
    live.refresh()
    first = live.current
    live.refresh()
    assert live.current is first


def test_a_new_version_of_the_same_file_is_a_new_pointer(live, shelf):
    shelf.promote("loans", version="1")
    live.refresh()
    shelf.promote("loans", version="2")
    live.refresh()
    assert live.current.pointer.version == "2"


def bad_verdict(shelf) -> None:
    break_pointer(shelf, dumps(asdict(shelf.store.pointer()) | {"verdict": "failed"}))


def absent_file(shelf) -> None:
    break_pointer(shelf, dumps(asdict(replace(shelf.store.pointer(), sha256="0" * 64))))


def tampered_file(shelf) -> None:
    pointer = shelf.promote("loans_strict")
    (shelf.store.path / f"{pointer.sha256}.onnx").write_bytes(shelf.model_file("loans"))


def garbage(shelf) -> None:
    break_pointer(shelf, "garbage")


@pytest.mark.parametrize("spoil", [bad_verdict, absent_file, tampered_file, garbage])
def test_a_bad_pointer_leaves_the_old_model_and_one_line_in_the_log(live, shelf, caplog, spoil):
    shelf.promote("loans")
    live.refresh()
    old = live.current
    caplog.clear()
    spoil(shelf)
    for _ in range(3):
        live.refresh()
    assert live.current is old
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("model refused, the old one goes on: ")


def test_the_explainer_is_built_once_for_all_requests(shelf, make_app, application, monkeypatch):
    made = []
    monkeypatch.setattr("serve.store.live.Explainer", lambda scorer: made.append(scorer) or Explainer(scorer))
    shelf.promote("loans")
    client = make_app().test_client()
    for _ in range(3):
        assert client.post("/api/v2/decision", json=application).status_code == 200
    assert len(made) == 1


def test_the_explainer_is_built_once_by_threads_that_ask_at_once(shelf, live, monkeypatch):
    made, both_inside = [], threading.Barrier(2)

    def make(scorer):
        made.append(scorer)
        with suppress(threading.BrokenBarrierError):
            both_inside.wait(0.5)  # in vain, unless the other thread comes in too
        return Explainer(scorer)

    monkeypatch.setattr("serve.store.live.Explainer", make)
    shelf.promote("loans")
    live.refresh()
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: live.current.explainer, range(2))
    assert first is second
    assert len(made) == 1


def test_a_bad_first_pointer_leaves_no_model(live, shelf, caplog):
    break_pointer(shelf, "{")
    live.refresh()
    assert live.current is None
    assert caplog.messages == ["model refused, there is none: production.json: not a pointer: not JSON"]


def test_a_right_pointer_after_a_bad_one_is_followed(live, shelf):
    break_pointer(shelf, "{")
    live.refresh()
    shelf.promote("loans")
    live.refresh()
    assert live.current is not None


def test_a_file_that_arrives_after_its_pointer_is_loaded_then(live, shelf):
    pointer = shelf.promote("loans")
    path = shelf.store.path / f"{pointer.sha256}.onnx"
    data = path.read_bytes()
    path.unlink()
    live.refresh()
    assert live.current is None
    path.write_bytes(data)
    live.refresh()
    assert live.current.pointer == pointer


def test_a_removed_pointer_leaves_the_model_and_one_line_in_the_log(live, shelf, caplog):
    refusals = []
    live.on_swap = lambda old, new: refusals.append(new) if new is None else None
    shelf.promote("loans")
    live.refresh()
    caplog.clear()
    shelf.store.pointer_path.unlink()
    for _ in range(3):
        live.refresh()
    assert live.current is not None
    assert caplog.messages == ["model refused, the old one goes on: production.json is gone"]
    assert refusals == [None]


@pytest.mark.parametrize("spoil", [bad_verdict, absent_file, tampered_file, garbage])
def test_the_same_failure_after_a_recovery_is_logged_again(live, shelf, caplog, spoil):
    refusals = []
    live.on_swap = lambda old, new: refusals.append(new) if new is None else None
    pointer = shelf.promote("loans")
    live.refresh()
    caplog.clear()
    for _ in range(2):
        spoil(shelf)
        live.refresh()
        shelf.store.point(pointer)
        live.refresh()
    first, second = caplog.messages
    assert first == second
    assert len(refusals) == 2


def test_a_bad_pointer_that_is_removed_is_not_logged_again(live, shelf, caplog):
    break_pointer(shelf, "{")
    live.refresh()
    shelf.store.pointer_path.unlink()
    live.refresh()
    assert len(caplog.messages) == 1


def test_a_watched_pointer_is_followed_after_a_bad_one(live, shelf, caplog):
    live.watch(0.05)
    first = shelf.promote("loans")
    wait_until(lambda: live.current is not None and live.current.pointer == first)
    break_pointer(shelf, "[" * 100_000)
    wait_until(lambda: "model refused" in caplog.text)
    second = shelf.promote("loans_strict")
    wait_until(lambda: live.current.pointer == second)
    assert live.current.scorer.sha256 == second.sha256


def removed(shelf) -> None:
    shelf.store.pointer_path.unlink()


def refused_file(shelf) -> None:
    data = shelf.model_file("broken/golden_score_wrong")
    sha256 = hashlib.sha256(data).hexdigest()
    (shelf.store.path / f"{sha256}.onnx").write_bytes(data)
    (shelf.store.path / f"{sha256}.json").write_text("{}")
    break_pointer(shelf, dumps(asdict(replace(shelf.store.pointer(), sha256=sha256, version="9"))))


SPOILED = [bad_verdict, absent_file, tampered_file, garbage, removed, refused_file]


@pytest.mark.parametrize("spoil", SPOILED)
def test_a_new_worker_that_finds_a_bad_pointer_takes_the_model_that_the_others_have(
    live, shelf, caplog, application, spoil
):
    shelf.promote("loans", version="7")
    live.refresh()
    spoil(shelf)
    new = LiveModel(shelf.store)
    caplog.clear()
    for _ in range(3):
        new.refresh()
    assert new.current.pointer == live.current.pointer
    assert new.current.scorer.answer(application).code == 1
    assert [record.levelname for record in caplog.records] == ["INFO", "ERROR"]
    assert caplog.messages[-1].startswith("model refused, the old one goes on: ")
    right = shelf.promote("loans_strict", version="8")
    new.refresh()
    assert new.current.pointer == right


def test_the_last_good_model_is_the_one_that_was_rolled_back_to(live, shelf):
    for name, version in (("loans", "1"), ("loans_strict", "2")):
        shelf.promote(name, version)
        live.refresh()
    shelf.promote("loans", version="1")
    live.refresh()
    garbage(shelf)
    new = LiveModel(shelf.store)
    new.refresh()
    assert new.current.pointer.version == "1"


def test_a_pointer_that_was_removed_on_purpose_leaves_no_model_to_new_workers(live, shelf):
    shelf.promote("loans")
    live.refresh()
    assert shelf.store.unpoint()
    new = LiveModel(shelf.store)
    new.refresh()
    assert new.current is None


def test_a_challenger_without_a_pointer_is_not_brought_back(shelf):
    shelf.promote("loans")
    challenger = LiveModel(shelf.store, shadow=True)
    challenger.refresh()
    assert challenger.current
    for spoil in (removed, garbage):
        shelf.promote("loans")
        spoil(shelf)
        new = LiveModel(shelf.store, shadow=True)
        new.refresh()
        assert new.current is None


def test_a_last_good_model_that_is_refused_is_verified_once(shelf, caplog, monkeypatch):
    pointer = shelf.promote("loans")
    refused_file(shelf)
    shelf.store.keep(shelf.store.pointer())
    garbage(shelf)
    verified = []
    monkeypatch.setattr("serve.store.store.verify", lambda *file: verified.append(file) or verify(*file))
    new = LiveModel(shelf.store)
    for _ in range(3):
        new.refresh()
    assert (new.current, len(verified)) == (None, 1)
    assert caplog.messages == ["model refused, there is none: production.json: not a pointer: not JSON"]
    shelf.store.point(pointer)
    new.refresh()
    assert new.current.pointer == pointer


def test_a_store_that_can_not_be_written_is_served_from(live, shelf, monkeypatch):
    pointer = shelf.promote("loans")

    def refuse(path, data):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("serve.store.store.write_atomically", refuse)
    live.refresh()
    assert live.current.pointer == pointer
    assert shelf.store.last_good() is None


def unmark(shelf, monkeypatch) -> None:
    """Forget which files passed, as if they had been copied into the store."""
    for mark in shelf.store.path.glob("*.verified"):
        mark.unlink()
    monkeypatch.setattr("serve.model.verify._passed", set())


def test_a_start_does_not_wait_for_a_verification_and_takes_the_last_good_model(shelf, monkeypatch):
    first = shelf.promote("loans", version="1")
    live = LiveModel(shelf.store)
    assert live.refresh(may_verify=False) is False
    second = shelf.promote("loans_strict", version="2")
    shelf.store.keep(first)
    monkeypatch.setattr("serve.model.verify._passed", set())
    (shelf.store.path / f"{second.sha256}.verified").unlink()
    new = LiveModel(shelf.store)
    assert new.refresh(may_verify=False) is True
    assert new.current.pointer == first
    assert new.refresh() is False
    assert new.current.pointer == second


def test_a_server_verifies_a_copied_file_by_itself(shelf, make_app, monkeypatch):
    pointer = shelf.promote("loans")
    unmark(shelf, monkeypatch)
    live = make_app().extensions["live_model"]
    wait_until(lambda: live.current is not None and live.current.pointer == pointer)


def test_a_good_version_is_followed_after_one_whose_verification_does_not_end(live, shelf, caplog, monkeypatch):
    monkeypatch.setattr("serve.model.verify.SECONDS", 3)
    old = shelf.promote("loans", version="1")
    live.refresh()
    data = shelf.model_file("bombs/time_while_loading")
    sha256 = hashlib.sha256(data).hexdigest()
    (shelf.store.path / f"{sha256}.onnx").write_bytes(data)
    (shelf.store.path / f"{sha256}.json").write_text("{}")
    break_pointer(shelf, dumps(asdict(replace(old, sha256=sha256, version="2"))))
    live.watch(0.05)
    wait_until(lambda: "the file is not verified within 3 s" in caplog.text)
    assert live.current.pointer == old
    good = shelf.promote("loans_strict", version="3")
    wait_until(lambda: live.current.pointer == good)


@pytest.fixture
def signed(signed_store: SignedStore) -> SignedStore:
    """A store that requires signatures, with a signed file in production."""
    signed_store.promote("loans")
    return signed_store


@pytest.fixture
def signed_live(signed, caplog) -> LiveModel:
    caplog.set_level(logging.INFO, logger="serve")
    live = LiveModel(signed.store)
    live.refresh()
    assert live.current
    return live


def broken(fault: str) -> Callable[[SignedStore], None]:
    return lambda signed: signed.put(signed.model_file(f"broken/{fault}"))


def too_large(signed: SignedStore) -> None:
    signed.put(bytes(LARGEST + 1))


def not_signed(signed: SignedStore) -> None:
    pointer = signed.promote("loans_strict")
    signed.path(pointer.sha256, "sig").unlink()


def signed_by_another(signed: SignedStore) -> None:
    data = signed.model_file("loans_strict")
    other = make_keys(signed.store.path, "other")
    signed.put(data, other.sign(NAME, hashlib.sha256(data).hexdigest()))


def signature_of_another_file(signed: SignedStore) -> None:
    old = hashlib.sha256(signed.model_file("loans")).hexdigest()
    signed.put(signed.model_file("loans_strict"), signed.path(old, "sig").read_text())


def signed_for_another_model(signed: SignedStore) -> None:
    data = signed.model_file("mixed")
    signed.put(data, signed.keys.sign("mixed_model", hashlib.sha256(data).hexdigest()))


def signature_of_noise(signed: SignedStore) -> None:
    signed.put(signed.model_file("loans_strict"), "\x00" * 88)


def signature_without_end(signed: SignedStore) -> None:
    signed.put(signed.model_file("loans_strict"), "A" * 10_000)


def changed_at(place: float) -> Callable[[SignedStore], None]:
    def change(signed: SignedStore) -> None:
        pointer = signed.promote("loans_strict")
        path = signed.path(pointer.sha256, "onnx")
        data = bytearray(path.read_bytes())
        data[int(place * (len(data) - 1))] ^= 1
        path.write_bytes(data)

    return change


def signature_of_the_unchanged_file(signed: SignedStore) -> None:
    """The file was changed and the pointer's hash updated; the signature is of the old bytes."""
    pointer = signed.promote("loans_strict")
    signature = signed.path(pointer.sha256, "sig").read_text()
    signed.put(signed.path(pointer.sha256, "onnx").read_bytes()[:-1] + b"\n", signature)


def another_file_under_the_name(signed: SignedStore) -> None:
    pointer = signed.promote("loans_strict")
    signed.path(pointer.sha256, "onnx").write_bytes(signed.model_file("loans"))


def pointer_to_an_absent_file(signed: SignedStore) -> None:
    signed.path("0" * 64, "sig").write_text(signed.keys.sign(NAME, "0" * 64))
    signed.point("0" * 64)


def file_is_a_folder(signed: SignedStore) -> None:
    pointer = signed.promote("loans_strict")
    signed.path(pointer.sha256, "onnx").unlink()
    signed.path(pointer.sha256, "onnx").mkdir()


TAMPERED = [
    (broken("bytes_truncated"), "the file is not an ONNX model"),
    (broken("bytes_none"), "onnxruntime can't load the file"),
    (broken("bytes_random"), "the file is not an ONNX model"),
    (broken("weights_outside"), "the graph keeps data outside the file"),
    (broken("graph_rows_fixed"), "the golden rows can't be scored one by one"),
    (broken("weight_changed"), "golden row 0 scores otherwise than recorded"),
    (broken("golden_score_wrong"), "golden row 0 scores otherwise than recorded"),
    (broken("golden_decided_otherwise"), "the golden rows are not decided as recorded"),
    (broken("format_newer"), "the file has format '9', expected "),
    (broken("contract_newer"), "the contract in the file: format 2 is not known here"),
    (broken("contract_breaks_rules"), "no feature is scored"),
    (broken("threshold_one"), "no threshold between 0 and 1"),
    (broken("threshold_not_a_number"), "the metadata document 'decision' is missing or not JSON"),
    (too_large, "the file has more than the 100,000 bytes that SERVE_MAX_MODEL_BYTES allows"),
    (not_signed, "the file is not signed"),
    (signed_by_another, "wrong signature"),
    (signature_of_another_file, "wrong signature"),
    (signed_for_another_model, "wrong signature, expected one for loan_approval_model"),
    (signature_of_noise, "wrong signature"),
    (signature_without_end, "the file is not signed"),
    (signature_of_the_unchanged_file, "wrong signature"),
    *[(changed_at(place), "the file has another hash") for place in (0, 0.1, 0.5, 0.9, 1)],
    (another_file_under_the_name, "the file has another hash"),
    (pointer_to_an_absent_file, "the metadata can't be read: No such file"),
    (file_is_a_folder, "the file can't be read: Is a directory"),
]


@pytest.mark.parametrize(("tamper", "reason"), TAMPERED)
def test_a_tampered_file_is_refused_with_a_reason_and_the_old_one_goes_on(signed_live, signed, caplog, tamper, reason):
    old = signed_live.current
    tamper(signed)
    caplog.clear()
    for _ in range(3):
        signed_live.refresh()
    assert signed_live.current is old
    (line,) = caplog.messages
    assert line.startswith("model refused, the old one goes on: ")
    assert reason in line


def test_a_signed_file_is_loaded(signed_live, signed):
    pointer = signed.promote("loans_strict")
    signed_live.refresh()
    assert signed_live.current.pointer == pointer


@pytest.mark.parametrize("spoil", [not_signed, signed_by_another])
def test_a_file_is_loaded_once_its_signature_is_corrected(signed_live, signed, spoil):
    spoil(signed)
    signed_live.refresh()
    sha256 = signed.store.pointer().sha256
    signed.path(sha256, "sig").write_text(signed.keys.sign(NAME, sha256) + "\n")
    signed_live.refresh()
    assert signed_live.current.pointer.sha256 == sha256


def test_an_older_signed_file_may_answer_again(signed_live, signed):
    """The signature says who made the file; the pointer alone says which file answers."""
    first = signed_live.current.pointer
    signed.promote("loans_strict")
    signed_live.refresh()
    signed.point(first.sha256)
    signed_live.refresh()
    assert signed_live.current.pointer.sha256 == first.sha256

import logging
from dataclasses import asdict, replace
from json import dumps

import pytest

from serve.model.shapley import Explainer
from serve.store.live import LiveModel
from tests.waiting import wait_until


@pytest.fixture
def live(shelf, caplog) -> LiveModel:
    caplog.set_level(logging.INFO, logger="serve")
    return LiveModel(shelf.store)


def break_pointer(shelf, text: str) -> None:
    shelf.store.path.mkdir(exist_ok=True)
    shelf.store.pointer_path.write_text(text)


def test_without_a_pointer_there_is_no_model_and_no_complaint(live, caplog):
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


def test_a_model_that_cannot_be_explained_does_not_answer(live, shelf, caplog, monkeypatch):
    shelf.promote("loans")
    live.refresh()
    old = live.current

    def fail(scorer):
        raise RuntimeError("the graph takes no such rows")

    monkeypatch.setattr("serve.store.live.Explainer", fail)
    shelf.promote("loans_strict")
    live.refresh()
    assert live.current is old
    assert caplog.messages[-1].endswith("the background rows can't be scored: RuntimeError")


def test_what_explains_a_model_is_made_once_for_all_requests(shelf, make_app, application, monkeypatch):
    made = []
    monkeypatch.setattr("serve.store.live.Explainer", lambda scorer: made.append(scorer) or Explainer(scorer))
    shelf.promote("loans")
    client = make_app().test_client()
    for _ in range(3):
        assert client.post("/api/v2/decision", json=application).status_code == 200
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


def test_a_pointer_that_goes_away_leaves_the_model_and_one_line_that_names_it(live, shelf, caplog):
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
def test_the_same_trouble_after_it_was_mended_is_told_again(live, shelf, caplog, spoil):
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


def test_a_bad_pointer_that_goes_away_is_no_further_trouble(live, shelf, caplog):
    break_pointer(shelf, "{")
    live.refresh()
    shelf.store.pointer_path.unlink()
    live.refresh()
    assert len(caplog.messages) == 1


def test_a_watched_pointer_is_followed_through_good_and_bad(live, shelf, caplog):
    live.watch(0.05)
    first = shelf.promote("loans")
    wait_until(lambda: live.current is not None and live.current.pointer == first)
    break_pointer(shelf, "[" * 100_000)
    wait_until(lambda: "model refused" in caplog.text)
    second = shelf.promote("loans_strict")
    wait_until(lambda: live.current.pointer == second)
    assert live.current.scorer.sha256 == second.sha256

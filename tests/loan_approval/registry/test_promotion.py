"""Promotion against a real MLflow and a real store, killed at every step."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from loan_approval.errors import PromotionError, TrackingError
from loan_approval.registry import history, tracking
from loan_approval.registry.history import promoted_versions
from loan_approval.registry.promotion import complete_interrupted, identify, promote, rollback, uncommitted_code
from loan_approval.registry.tracking import Version
from loan_approval.validation.gates import Gate
from serve.errors import ModelFileError
from serve.store.store import Store
from tests.model_files import LOANS, LOANS_SCALING, make_file
from tests.registered import answering, register
from tests.server_process import promote as shelve


def test_a_passed_version_answers_after_promotion(name: str, store: Store) -> None:
    register(name, 1.0)
    promote(name, "1", store)
    assert answering(store) == "1"
    assert tracking.find_version(name, "production").number == "1"
    assert promoted_versions(name) == ["1"]


def test_promoting_again_changes_nothing(name: str, store: Store) -> None:
    register(name, 1.0)
    promote(name, "1", store)
    promote(name, "1", store)
    assert [event["event"] for event in history.read(name)] == ["promote"]


@pytest.mark.parametrize("verdict", ["none", "failed"])
def test_a_version_without_a_passed_verdict_is_refused(name: str, store: Store, verdict: str) -> None:
    register(name, 1.0, verdict)
    with pytest.raises(PromotionError, match=f"verdict '{verdict}', expected passed"):
        promote(name, "1", store)
    assert answering(store) is None


def test_forcing_records_who_and_why(name: str, store: Store) -> None:
    version = register(name, 1.0, "failed")
    promote(name, "1", store, force_reason="the committee of 3 May agreed")
    metadata = tracking.load_metadata(version)
    assert metadata["verdict"]["reason"] == "the committee of 3 May agreed"
    assert metadata["verdict"]["by"]
    assert store.pointer().verdict == "forced"
    assert answering(store) == "1"


def test_forcing_without_a_reason_is_refused(name: str, store: Store) -> None:
    register(name, 1.0, "failed")
    with pytest.raises(PromotionError, match="with a reason"):
        promote(name, "1", store, force_reason="  ")


def compared(version: Version | None) -> list[dict]:
    """Return the gates of a version that was compared with this one in production."""
    return [Gate("not_worse", True, "", {}, identify(version)).to_dict()]


@pytest.mark.parametrize("before", [None, 1.0, 0.8])
def test_a_verdict_against_what_is_in_production_no_longer_is_refused(
    name: str, store: Store, before: float | None
) -> None:
    old = register(name, before) if before else None
    late = register(name, 0.5, gates=compared(old))
    promote(name, register(name, 0.0).number, store)
    number = tracking.find_version(name, "production").number
    other = "version 1" if before else "nothing"
    with pytest.raises(PromotionError, match=f"was compared with {other}, production is version {number} now: valid"):
        promote(name, late.number, store)
    assert answering(store) == number
    promote(name, late.number, store, force_reason="the committee knows")
    assert store.pointer().verdict == "forced"
    assert tracking.load_metadata(late)["verdict"]["was"] == "passed"


def test_a_verdict_of_other_costs_than_production_s_is_asked_for_again(name: str, store: Store) -> None:
    old = register(name, 1.0)
    promote(name, "1", store)
    gate = Gate("not_worse", True, "", {"cost": 0.1, "cost_before": 0.0}, identify(old)).to_dict()
    with pytest.raises(PromotionError, match="other costs than production's: validate again"):
        promote(name, register(name, 0.5, gates=[gate]).number, store)


def test_a_verdict_that_does_not_name_what_it_was_compared_with_is_asked_for_again(name: str, store: Store) -> None:
    promote(name, register(name, 1.0).number, store)
    gate = Gate("not_worse", True, "", {}).to_dict()
    with pytest.raises(PromotionError, match="was compared with version unknown"):
        promote(name, register(name, 0.5, gates=[gate]).number, store)


def test_a_verdict_against_another_file_of_that_number_is_refused(name: str, store: Store) -> None:
    old = register(name, 1.0)
    late = register(name, 0.5, gates=compared(replace(old, sha256="f" * 64)))
    promote(name, "1", store)
    with pytest.raises(PromotionError, match="was compared with version 1, production is version 1 now"):
        promote(name, late.number, store)


def test_a_verdict_against_what_is_in_production_holds_after_a_rollback_too(name: str, store: Store) -> None:
    first = register(name, 1.0, gates=compared(None))
    register(name, 0.5, gates=compared(first))
    for number in ("1", "1", "2", "2"):
        promote(name, number, store)
    assert rollback(name, store).number == "1"
    assert promote(name, "2", store).number == "2"
    assert answering(store) == "2"


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interrupted_promotion_is_completed_whatever_its_verdict_was_against(
    name: str, store: Store, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    first = register(name, 1.0, gates=compared(None))
    register(name, 0.5, gates=compared(first))
    promote(name, "1", store)
    with monkeypatch.context() as patch:
        die_at(tracking, "set_alias", when)(patch)
        with pytest.raises(Killed):
            promote(name, "2", store)
    promote(name, "2", store)
    assert answering(store) == "2"


def test_an_unknown_version_is_named(name: str, store: Store) -> None:
    register(name, 1.0)
    with pytest.raises(TrackingError, match="no version '9'"):
        promote(name, "9", store)


def test_a_file_that_was_exchanged_in_the_artifacts_is_refused(name: str, store: Store) -> None:
    version = register(name, 1.0)
    source = tracking.connect().get_model_version_download_uri(name, "1").removeprefix("file://")
    Path(source, tracking.MODEL_FILE).write_bytes(make_file(LOANS, LOANS_SCALING, 2.0))
    with pytest.raises(ModelFileError, match=f"expected {version.sha256}"):
        promote(name, "1", store)
    assert answering(store) is None


def test_rollback_steps_back_through_the_history(name: str, store: Store) -> None:
    for bias in (1.0, 0.5, 0.0):
        promote(name, register(name, bias).number, store)
    assert rollback(name, store).number == "2"
    assert answering(store) == "2"
    assert rollback(name, store).number == "1"
    assert answering(store) == "1"
    with pytest.raises(PromotionError, match="no version was in production before"):
        rollback(name, store)
    assert answering(store) == "1"


def test_a_rolled_back_version_does_not_come_back_where_the_pointer_is_damaged(name: str, store: Store) -> None:
    for bias in (1.0, 0.5):
        promote(name, register(name, bias).number, store)
    assert answering(store) == "2"
    rollback(name, store)
    store.pointer_path.write_text("{")
    assert answering(store) == "1"


def test_an_alias_moved_by_hand_is_followed_by_the_record(name: str, store: Store) -> None:
    for bias in (1.0, 0.5):
        register(name, bias)
    promote(name, "1", store)
    tracking.set_alias(name, "production", "2")
    complete_interrupted(name, store)
    assert answering(store) == "2"
    assert promoted_versions(name) == ["1", "2"]


def test_an_alias_moved_by_hand_to_a_failed_version_is_not_followed(name: str, store: Store) -> None:
    register(name, 1.0)
    register(name, 0.5, "failed")
    promote(name, "1", store)
    tracking.set_alias(name, "production", "2")
    complete_interrupted(name, store)
    assert answering(store) == "1"


def test_a_damaged_pointer_is_completed(name: str, store: Store) -> None:
    register(name, 1.0)
    promote(name, "1", store)
    store.pointer_path.write_text("{")
    complete_interrupted(name, store)
    assert answering(store) == "1"


def test_an_alias_that_somebody_deleted_comes_back_with_the_next_promotion(name: str, store: Store) -> None:
    for bias in (1.0, 0.5):
        promote(name, register(name, bias).number, store)
    tracking.connect().delete_registered_model_alias(name, "production")
    promote(name, "2", store)
    assert tracking.find_version(name, "production").number == "2"


def test_rollback_passes_over_versions_that_are_gone_or_no_longer_trusted(name: str, store: Store) -> None:
    for bias in (1.0, 0.8, 0.5, 0.0):
        promote(name, register(name, bias).number, store)
    tracking.connect().delete_model_version(name, "2")
    tracking.connect().set_model_version_tag(name, "3", "verdict", "failed")
    assert rollback(name, store).number == "1"
    assert promoted_versions(name) == ["1"]
    assert answering(store) == "1"


@pytest.mark.parametrize("changes", ["", "c" * 64])
def test_uncommitted_code_behind_a_file_is_told(store: Store, changes: str) -> None:
    assert uncommitted_code(store) == ""
    model = onnx.load_from_string(make_file(LOANS, LOANS_SCALING))
    for prop in model.metadata_props:
        if prop.key == "provenance":
            prop.value = json.dumps({"changes": changes})
    shelve(store, model.SerializeToString())
    assert uncommitted_code(store) == changes


def test_rollback_before_any_promotion_is_refused(name: str, store: Store) -> None:
    with pytest.raises(PromotionError, match="no version was in production before"):
        rollback(name, store)


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def die_at(owner: object, method: str, when: str) -> Callable[[pytest.MonkeyPatch], None]:
    """Make a function die before or after it did its work."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        real = getattr(owner, method)

        def dying(*arguments: object, **options: object) -> None:
            if when == "after":
                real(*arguments, **options)
            raise Killed

        monkeypatch.setattr(owner, method, dying)

    return patch


STEPS = [(Store, "install"), (tracking, "set_alias"), (Store, "point"), (history, "append")]
KILLS = [pytest.param(step, when, id=f"{when} {step[1]}") for step in STEPS for when in ("before", "after")]


@pytest.mark.parametrize(("step", "when"), KILLS)
def test_killed_at_any_point_the_old_or_the_new_model_answers_and_a_rerun_completes(
    name: str, store: Store, monkeypatch: pytest.MonkeyPatch, step: tuple[object, str], when: str
) -> None:
    promote(name, register(name, 1.0).number, store)
    register(name, 0.5)
    with monkeypatch.context() as patch:
        die_at(*step, when)(patch)
        with pytest.raises(Killed):
            promote(name, "2", store)
    assert answering(store) in ("1", "2")
    promote(name, "2", store)
    assert answering(store) == "2"
    assert tracking.find_version(name, "production").number == "2"
    assert promoted_versions(name) == ["1", "2"]


@pytest.mark.parametrize(("step", "when"), KILLS)
def test_a_rollback_killed_at_any_point_is_completed_by_a_rerun_of_either(
    name: str, store: Store, monkeypatch: pytest.MonkeyPatch, step: tuple[object, str], when: str
) -> None:
    for bias in (1.0, 0.5):
        promote(name, register(name, bias).number, store)
    with monkeypatch.context() as patch:
        die_at(*step, when)(patch)
        with pytest.raises(Killed):
            rollback(name, store)
    assert answering(store) in ("1", "2")
    complete_interrupted(name, store)
    assert answering(store) == tracking.find_version(name, "production").number == promoted_versions(name)[-1]
    promote(name, "2", store)
    assert answering(store) == "2"


def test_a_promotion_killed_before_the_alias_moved_is_told_as_not_carried_out(
    name: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bias in (1.0, 0.5):
        register(name, bias)
    promote(name, "1", store)
    with monkeypatch.context() as patch:
        die_at(tracking, "set_alias", "before")(patch)
        with pytest.raises(Killed):
            promote(name, "2", store)
    promote(name, "2", store)
    events = [(event["event"], event["version"]) for event in history.read(name)]
    assert events == [("promote", "1"), ("promote", "2"), ("not carried out", "2"), ("promote", "2")]


def test_a_promotion_killed_after_the_alias_moved_is_told_once_as_what_it_was(
    name: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bias in (1.0, 0.5):
        promote(name, register(name, bias).number, store)
    with monkeypatch.context() as patch:
        die_at(tracking, "set_alias", "after")(patch)
        with pytest.raises(Killed):
            promote(name, "1", store)
    complete_interrupted(name, store)
    assert [event["event"] for event in history.read(name)] == ["promote", "promote", "promote"]
    assert promoted_versions(name) == ["1", "2", "1"]
    assert answering(store) == "1"


def test_two_promotions_at_once_leave_alias_pointer_and_record_agreed(name: str, store: Store) -> None:
    for bias in (1.0, 0.5):
        register(name, bias)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda number: promote(name, number, store), ["1", "2"]))
    assert answering(store) == tracking.find_version(name, "production").number == promoted_versions(name)[-1]
    assert len(history.read(name)) == 2


def card_in(store: Store) -> str:
    """Return the card that a server started now answers with."""
    return store.load(store.pointer())[1]["card"]


def test_the_card_names_who_promoted_and_when_in_the_store_and_in_the_registry(name: str, store: Store) -> None:
    version = register(name, 1.0)
    promote(name, "1", store)
    [event] = history.read(name)
    expected = f"<strong>{event['by']}</strong> (promote), <strong>{event['at']}</strong>"
    assert expected in card_in(store)
    assert tracking.load_metadata(version)["card"] == card_in(store)


def test_a_server_that_follows_the_alias_finds_the_card_once_the_alias_has_moved(
    name: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = register(name, 1.0)
    with monkeypatch.context() as patch:
        die_at(tracking, "set_alias", "after")(patch)
        with pytest.raises(Killed):
            promote(name, "1", store)
    assert "(promote), <strong>" in tracking.load_metadata(version)["card"]


def test_the_card_tells_of_a_rollback_and_of_what_was_before(name: str, store: Store) -> None:
    for bias in (1.0, 0.5):
        promote(name, register(name, bias).number, store)
    rollback(name, store)
    card = card_in(store)
    assert "(rollback), <strong>" in card
    assert card.count("<td>promote</td>") == 2


def test_the_card_of_a_forced_version_names_who_forced_it_and_why(name: str, store: Store) -> None:
    register(name, 1.0, verdict="none")
    promote(name, "1", store, force_reason="the <old> one is down")
    assert "the &lt;old&gt; one is down" in card_in(store)
    assert "<strong>Forced</strong> by" in card_in(store)


def test_the_card_of_a_version_moved_into_place_by_hand_says_so(name: str, store: Store) -> None:
    register(name, 1.0)
    tracking.set_alias(name, "production", "1")
    complete_interrupted(name, store)
    assert "moved to this version by hand" in card_in(store)


def test_a_card_that_can_not_be_made_holds_up_no_promotion(
    name: str, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    register(name, 1.0)
    monkeypatch.setattr("loan_approval.registry.promotion.add_card", lambda *_: 1 / 0)
    promote(name, "1", store)
    assert answering(store) == "1"
    assert "card" not in store.load(store.pointer())[1]
    assert "version 1 goes without a model card" in caplog.text

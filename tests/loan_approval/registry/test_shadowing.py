"""A challenger put into the shadow with a real MLflow and a real store."""

import os
from collections.abc import Callable

import pytest

from loan_approval.cli import main
from loan_approval.errors import PromotionError, TrackingError
from loan_approval.registry import history, shadowing, tracking
from loan_approval.registry.card import standing
from loan_approval.registry.history import promoted_versions
from loan_approval.registry.promotion import promote, rollback
from loan_approval.registry.shadowing import start_shadow, stop_shadow
from loan_approval.registry.tracking import Version
from serve.errors import ModelFileError
from serve.store.store import Store
from tests.model_files import LOANS, LOANS_SCALING, make_file
from tests.registered import answering
from tests.registered import register as register_version


@pytest.fixture
def register(name: str) -> Callable[..., Version]:
    """Return a function that registers a version of the test's model, or of another, behind `challenger`."""

    def add(bias: float, verdict: str = "passed", of: str = name) -> Version:
        version = register_version(of, bias, verdict)
        tracking.set_alias(of, "challenger", version.number)
        return version

    return add


def shadowed(store: Store, alias: str = "challenger") -> str | None:
    """Return the version that a server would load into the shadow."""
    return answering(Store(store.path, alias), shadow=True)


def events(name: str) -> list[tuple[str, str]]:
    return [(event["event"], event["version"]) for event in history.read(name)]


def test_the_challenger_scores_in_the_shadow_and_production_stays(name, store, register):
    register(1.0)
    promote(name, "1", store)
    register(0.5)
    version = start_shadow(name, "challenger", store)
    assert (version.number, shadowed(store), store.pointer().version) == ("2", "2", "1")
    assert events(name) == [("promote", "1"), ("shadow", "2")]
    start_shadow(name, "2", store)
    assert len(events(name)) == 2


def test_the_alias_follows_the_version_that_was_chosen(name, store, register):
    for bias in (1.0, 0.5):
        register(bias)
    start_shadow(name, "1", store)
    assert tracking.find_version(name, "challenger").number == "1"
    start_shadow(name, "2", store, "beside")
    assert (shadowed(store), shadowed(store, "beside")) == ("1", "2")
    assert tracking.find_version(name, "beside").number == "2"


@pytest.mark.parametrize("verdict", ["none", "failed"])
def test_a_version_that_servers_would_refuse_is_refused(name, store, register, verdict):
    register(1.0, verdict)
    with pytest.raises(PromotionError, match=f"version 1 has the verdict '{verdict}', expected passed"):
        start_shadow(name, "1", store)
    assert (shadowed(store), events(name)) == (None, [])


def test_a_file_that_is_not_the_one_recorded_is_refused(name, store, register, monkeypatch):
    register(1.0)
    monkeypatch.setattr(tracking, "load_model_file", lambda version: make_file(LOANS, LOANS_SCALING, 0.5))
    with pytest.raises(ModelFileError):
        start_shadow(name, "1", store)
    assert shadowed(store) is None


def test_what_is_not_there_and_what_answers_are_refused(name, store, register):
    register(1.0)
    with pytest.raises(TrackingError):
        start_shadow(name, "9", store)
    with pytest.raises(PromotionError, match="expected another"):
        start_shadow(name, "1", store, "production")


def test_stopped_nothing_scores_and_the_alias_stays_where_no_server_follows_it(name, store, register):
    register(1.0)
    start_shadow(name, "1", store)
    assert stop_shadow(name, store) == "1"
    assert shadowed(store) is None
    assert tracking.find_version(name, "challenger").number == "1"
    assert events(name) == [("shadow", "1"), ("shadow ended", "1")]
    with pytest.raises(PromotionError, match="nothing is scored in the shadow"):
        stop_shadow(name, store)
    start_shadow(name, "1", store)
    assert shadowed(store) == "1"


def test_where_servers_follow_the_registry_the_alias_goes_too(name, store, register, monkeypatch):
    register(1.0)
    start_shadow(name, "1", store)
    monkeypatch.setattr(shadowing, "tracking_uri", lambda: "https://mlflow.example")
    assert stop_shadow(name, store) == "1"
    assert tracking.version_of_alias(name, "challenger") is None
    with pytest.raises(PromotionError):
        stop_shadow(name, store)


def test_a_damaged_pointer_can_be_stopped_and_replaced(name, store, register):
    register(1.0)
    start_shadow(name, "1", store)
    pointer = store.path / "challenger.json"
    pointer.write_text("{")
    start_shadow(name, "1", store)
    assert shadowed(store) == "1"
    pointer.write_text("{")
    stop_shadow(name, store)
    assert not pointer.exists()


def test_the_shadow_stands_in_the_history_and_in_no_ones_way_back(name, store, register):
    for bias in (1.0, 0.5, 0.25):
        register(bias)
    promote(name, "1", store)
    start_shadow(name, "2", store)
    promote(name, "2", store)
    start_shadow(name, "3", store)
    assert promoted_versions(name) == ["1", "2"]
    past = history.read(name)
    assert standing("3", past)["state"] == "never"
    assert standing("2", past)["state"] == "current"
    assert rollback(name, store).number == "1"
    stop_shadow(name, store)
    assert promoted_versions(name) == ["1"]


def test_the_command_starts_and_stops_it(register, mlflow_folder, tmp_path, monkeypatch, capsys):
    version = register(1.0, of="loan_approval_model")
    monkeypatch.setitem(os.environ, "SERVE_STORE", str(tmp_path / "store"))
    main(["shadow", "--version", version.number])
    said = f"loan_approval_model: version {version.number} scores in the shadow, sha256 {version.sha256}"
    assert said in capsys.readouterr().out
    assert shadowed(Store(tmp_path / "store")) == version.number
    main(["shadow", "--stop"])
    assert capsys.readouterr().out == f"loan_approval_model: version {version.number} scores in the shadow no more\n"
    with pytest.raises(SystemExit, match="PromotionError: loan_approval_model: nothing is scored in the shadow"):
        main(["shadow", "--stop"])

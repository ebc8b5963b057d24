"""The challenger's alias in the registry: followed beside production's, and never in its way."""

import logging
import threading
from collections.abc import Iterator

import pytest

from serve.errors import SettingsError
from serve.registry.follower import Follower, ShadowFollower
from serve.registry.watcher import watch
from serve.settings import Settings
from serve.store.pointer import Pointer
from serve.store.store import Store
from tests.fake_registry import FakeRegistry, Handler, fake_registry
from tests.waiting import wait_until


@pytest.fixture
def registry(model_file) -> Iterator[FakeRegistry]:
    """A registry with version 1 in production, and no challenger."""
    with fake_registry() as registry:
        registry.register("1", model_file("loans"))
        yield registry


@pytest.fixture
def settings(registry, tmp_path) -> Settings:
    return Settings(
        store=tmp_path / "store",
        shadow_alias="challenger",
        tracking_uri=registry.address,
        registry_poll_seconds=0.05,
        registry_timeout_seconds=20,
    )


@pytest.fixture
def store(settings) -> Store:
    """The store with the challenger's pointer."""
    return Store(settings.store, "challenger")


@pytest.fixture
def follower(settings, caplog) -> ShadowFollower:
    caplog.set_level(logging.INFO, logger="serve")
    return ShadowFollower(settings)


def challenge(registry: FakeRegistry, number: str, data: bytes, **recorded: str) -> str:
    """Register a version behind the challenger's alias; return its sha256."""
    in_production = registry.alias
    kept = registry.register(number, data, **recorded)
    registry.alias, registry.challenger = in_production, number
    return kept.sha256


def said(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_the_challengers_pointer_follows_its_alias(registry, settings, store, follower, model_file):
    sha256 = challenge(registry, "2", model_file("loans_strict"))
    follower.step()
    assert store.pointer() == Pointer(sha256, "loan_approval_model", "challenger", "2", "run2", "passed")
    assert Store(settings.store).pointer() is None
    Follower(settings).step()
    assert Store(settings.store).pointer().version == "1"
    assert store.pointer().version == "2"


def test_an_alias_that_is_taken_away_takes_the_challenger_along(registry, store, follower, model_file, caplog):
    challenge(registry, "2", model_file("loans_strict"))
    follower.step()
    registry.challenger = None
    for _ in range(2):
        follower.step()
    assert store.pointer() is None
    assert len(said(caplog)) == 1
    assert (follower.status.failures, follower.status.error, follower.status.version) == (0, "", "")  # as it should be
    registry.challenger = "2"
    follower.step()
    assert store.pointer().version == "2"


def test_a_registry_in_trouble_leaves_the_challenger(registry, store, follower, model_file):
    challenge(registry, "2", model_file("loans_strict"))
    follower.step()
    registry.faults["alias"] = lambda handler: handler.send(503, b"")
    follower.step()
    assert store.pointer().version == "2"
    assert follower.status.failures == 1


def test_an_alias_set_meanwhile_keeps_its_pointer(registry, store, follower, model_file, monkeypatch):
    challenge(registry, "2", model_file("loans_strict"))
    follower.step()
    registry.challenger = None
    ask, answers = follower._ask, []

    def ask_and_then_set() -> object:
        try:
            return ask()
        finally:
            answers.append(1)
            registry.challenger = "2"

    monkeypatch.setattr(follower, "_ask", ask_and_then_set)
    follower.step()
    assert len(answers) == 2
    assert store.pointer().version == "2"


@pytest.mark.parametrize("verdict", ["none", "failed"])
def test_a_challenger_that_is_not_validated_is_a_warning_and_not_taken(
    registry, store, follower, model_file, caplog, verdict
):
    challenge(registry, "2", model_file("loans_strict"), verdict=verdict)
    for _ in range(2):
        follower.step()
    assert store.pointer() is None
    assert [record.levelname for record in caplog.records if record.levelno >= logging.WARNING] == ["WARNING"]
    assert "version 2 of loan_approval_model is not taken, there is no challenger" in said(caplog)[0]


def test_the_following_of_the_challengers_alias_is_reported_by_itself(registry, settings, model_file):
    challenge(registry, "2", model_file("loans_strict"))
    stopping, reports = threading.Event(), []
    thread = threading.Thread(target=watch, args=(settings, stopping), kwargs={"report_shadow": reports.append})
    thread.start()
    try:
        wait_until(lambda: reports and reports[-1].version == "2")
        registry.faults["alias"] = lambda handler: handler.send(503, b"")
        wait_until(lambda: reports[-1].failures > 1)
        del registry.faults["alias"]
        wait_until(lambda: reports[-1].failures == 0)
    finally:
        stopping.set()
        thread.join()


def test_a_challenger_that_never_arrives_does_not_hold_up_production(registry, settings, model_file):
    challenge(registry, "2", model_file("loans_strict"))

    def hang(handler: Handler) -> None:
        if "/2/" in handler.path:
            registry.closing.wait()
        else:
            handler.send(200, registry.versions["1" if "/1/" in handler.path else "3"].data)

    registry.faults["file"] = hang
    production, stopping, reports = Store(settings.store), threading.Event(), []
    thread = threading.Thread(target=watch, args=(settings, stopping, reports.append))
    thread.start()
    try:
        wait_until(lambda: production.pointer() is not None)
        wait_until(lambda: registry.asked.count("file") == 2)
        registry.register("3", model_file("loans_reviewed"))
        wait_until(lambda: production.pointer().version == "3")
        assert reports[-1].failures == 0
    finally:
        stopping.set()
        thread.join()


def test_whatever_goes_wrong_with_the_challenger_production_is_followed_on(
    registry, settings, model_file, monkeypatch, caplog
):
    monkeypatch.setattr(ShadowFollower, "step", lambda self: 1 / 0)
    stopping, reports = threading.Event(), []
    thread = threading.Thread(target=watch, args=(settings, stopping), kwargs={"report_shadow": reports.append})
    thread.start()
    try:
        wait_until(lambda: Store(settings.store).pointer() is not None)
        wait_until(lambda: reports and reports[0].failures == 1)
        wait_until(lambda: "ZeroDivisionError in following the challenger" in caplog.text)
        registry.register("3", model_file("loans_reviewed"))
        wait_until(lambda: Store(settings.store).pointer().version == "3")
    finally:
        stopping.set()
        thread.join()


def test_the_challengers_alias_is_not_that_of_production():
    told = {"SERVE_SHADOW_ALIAS": "production"}
    with pytest.raises(SettingsError, match="SERVE_SHADOW_ALIAS: expected another alias"):
        Settings.from_environment(told)
    with pytest.raises(SettingsError):
        Settings.from_environment({"SERVE_SHADOW_ALIAS": "live", "SERVE_MODEL_ALIAS": "live"})

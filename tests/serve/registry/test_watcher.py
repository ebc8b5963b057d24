"""One process follows the aliases: it installs, reports, and ends when it is asked to."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from serve.registry.follower import ShadowFollower
from serve.registry.watcher import watch
from serve.settings import Settings
from tests.fake_registry import FakeRegistry, Handler, fake_registry
from tests.waiting import wait_until

DEADLINE = 60  # seconds


@pytest.fixture
def registry(model_file) -> Iterator[FakeRegistry]:
    """A registry with version 1 in production, and no challenger."""
    with fake_registry() as registry:
        registry.register("1", model_file("loans"))
        yield registry


@pytest.fixture
def with_shadow(settings) -> Settings:
    return replace(settings, shadow_alias="challenger")


@contextmanager
def watching(settings: Settings, **reports: Callable[[Any], None]) -> Iterator[None]:
    """Run `watch` on a thread that ends with the block."""
    stopping = threading.Event()
    thread = threading.Thread(target=watch, args=(settings, stopping), kwargs=reports)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(DEADLINE)
    assert not thread.is_alive()


def challenge(registry: FakeRegistry, number: str, data: bytes) -> None:
    """Register a version behind the challenger's alias."""
    in_production = registry.alias
    registry.register(number, data)
    registry.alias, registry.challenger = in_production, number


def test_the_alias_is_followed_and_reported_until_the_end(registry, settings, store, model_file):
    reports, beats = [], []
    with watching(settings, report=reports.append, beat=lambda: beats.append(1)):
        wait_until(lambda: store.pointer() is not None)
        registry.register("2", model_file("loans_strict"))
        wait_until(lambda: store.pointer().version == "2")
        wait_until(lambda: reports and reports[-1].version == "2")
    assert beats


def test_a_long_wait_ends_soon_when_the_watcher_is_stopped(settings):
    reports = []
    with watching(replace(settings, registry_poll_seconds=3600), report=reports.append):
        wait_until(lambda: reports)


def test_the_challengers_alias_has_reports_of_its_own(registry, with_shadow, model_file):
    challenge(registry, "2", model_file("loans_strict"))
    reports = []
    with watching(with_shadow, report_shadow=reports.append):
        wait_until(lambda: reports and reports[-1].version == "2")
        registry.faults["alias"] = lambda handler: handler.send(503, b"")
        wait_until(lambda: reports[-1].failures > 1)
        del registry.faults["alias"]
        wait_until(lambda: reports[-1].failures == 0)


def test_a_challenger_that_never_arrives_does_not_delay_production(registry, with_shadow, store, model_file):
    challenge(registry, "2", model_file("loans_strict"))

    def hang(handler: Handler) -> None:
        if "/2/" in handler.path:
            registry.closing.wait()
        else:
            handler.send(200, registry.versions["1" if "/1/" in handler.path else "3"].data)

    registry.faults["file"] = hang
    reports = []
    with watching(with_shadow, report=reports.append):
        wait_until(lambda: store.pointer() is not None)
        wait_until(lambda: registry.asked.count("file") == 2)
        registry.register("3", model_file("loans_reviewed"))
        wait_until(lambda: store.pointer().version == "3")
        assert reports[-1].failures == 0


def test_an_error_in_following_the_challenger_does_not_stop_production(
    registry, with_shadow, store, model_file, monkeypatch, caplog
):
    monkeypatch.setattr(ShadowFollower, "step", lambda self: 1 / 0)
    reports = []
    with watching(with_shadow, report_shadow=reports.append):
        wait_until(lambda: store.pointer() is not None)
        wait_until(lambda: reports and reports[0].failures == 1)
        wait_until(lambda: "ZeroDivisionError in following the challenger" in caplog.text)
        registry.register("3", model_file("loans_reviewed"))
        wait_until(lambda: store.pointer().version == "3")

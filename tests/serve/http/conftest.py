"""Servers of an application that the test controls."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from serve.http.front import Front
from serve.settings import Settings
from tests.serve.http.front_server import BODY_LIMIT, PATIENT, Application, FrontServer, StubService, serving


@pytest.fixture
def application() -> Iterator[Application]:
    application = Application()
    yield application
    application.go_on.set()


@pytest.fixture
def serve(application) -> Iterator[Callable[..., FrontServer]]:
    """Return a function that serves with some settings until the test ends."""
    ending = []

    def start(**settings: Any) -> FrontServer:
        merged = Settings(**({"max_body_bytes": BODY_LIMIT, "threads": 2} | PATIENT | settings))
        running = serving(lambda: Front(StubService(application, merged.max_body_bytes), merged))
        ending.append(running)
        return running.__enter__()

    yield start
    application.go_on.set()
    for running in ending:
        running.__exit__(None, None, None)


@pytest.fixture
def server(serve) -> FrontServer:
    return serve()

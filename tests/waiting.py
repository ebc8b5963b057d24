"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def wait_until(condition: Callable[[], Any], seconds: float = 60, log: Path | None = None) -> Any:
    """Return the condition's first true value; when there is none in time, fail and show the log."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, log.read_text() if log else f"not true within {seconds} s"
        time.sleep(0.01)
    return value

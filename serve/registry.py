"""Follows an alias in MLflow's registry, in one process: the answering workers see the store's pointer only and never
talk to MLflow.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

from serve.errors import ServeError
from serve.follower import Follower, Status
from serve.settings import Settings

log = logging.getLogger(__name__)


def watch(
    settings: Settings,
    stopping: threading.Event,
    report: Callable[[Status], None] = lambda status: None,
    beat: Callable[[], None] = lambda: None,
) -> None:
    """Follow the alias until `stopping` is set or the parent process is gone. Raises SettingsError.

    Each attempt is followed by a report; beats come every second while waiting, and whenever something arrives.
    """
    parent = os.getppid()
    follower = Follower(settings, beat)
    log.info("following %s@%s at %s", settings.model_name, settings.model_alias, settings.tracking_uri)
    while os.getppid() == parent:
        again = time.monotonic() + follower.step()
        report(follower.status)
        while os.getppid() == parent and (left := again - time.monotonic()) > 0:
            beat()
            if stopping.wait(min(left, 1)):
                return


def main() -> None:
    """Follow the alias that the environment names until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        settings = Settings.from_environment(os.environ)
        if not settings.tracking_uri:
            sys.exit("serve.registry: MLFLOW_TRACKING_URI names no http or https address")
        watch(settings, threading.Event())
    except ServeError as err:
        sys.exit(f"serve.registry: {err}")


if __name__ == "__main__":
    main()

"""Follows aliases in MLflow's registry, in one process: the answering workers see the store's pointers only and never
talk to MLflow. The challenger's alias has a thread of its own, so that nothing about it holds up the other.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from serve.errors import ServeError
from serve.registry.follower import LONGEST_WAIT, Follower, ShadowFollower, Status
from serve.settings import Settings

log = logging.getLogger(__name__)


def watch(
    settings: Settings,
    stopping: threading.Event,
    report: Callable[[Status], None] = lambda status: None,
    beat: Callable[[], None] = lambda: None,
    report_shadow: Callable[[Status], None] = lambda status: None,
) -> None:
    """Follow the alias until `stopping` is set or the parent process is gone. Raises SettingsError.

    Each attempt is followed by a report, those on the challenger's alias by one of their own; beats come every second
    while waiting, and whenever something arrives.
    """
    parent = os.getppid()
    follower = Follower(settings, beat)
    log.info("following %s@%s at %s", settings.model_name, settings.model_alias, settings.tracking_uri)
    if settings.shadow_alias:
        shadow = ShadowFollower(settings)
        following = (shadow, stopping, report_shadow)
        threading.Thread(target=_follow_shadow, args=following, name="shadow-watch", daemon=True).start()
    while os.getppid() == parent:
        again = time.monotonic() + follower.step()
        report(follower.status)
        while os.getppid() == parent and (left := again - time.monotonic()) > 0:
            beat()
            if stopping.wait(min(left, 1)):
                return


def _follow_shadow(follower: ShadowFollower, stopping: threading.Event, report: Callable[[Status], None]) -> None:
    wait = 0.0
    while not stopping.wait(wait):
        try:
            wait = follower.step()
        except Exception as err:  # noqa: BLE001 (whatever it is, the production alias is followed on)
            log.error("%s in following the challenger", type(err).__name__)
            follower.status = replace(follower.status, failures=follower.status.failures + 1)
            wait = LONGEST_WAIT
        report(follower.status)


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

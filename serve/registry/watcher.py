"""Follows the aliases in one process, so that the workers read the store's pointers only and never ask MLflow.

The challenger's alias has its own thread, so that its failures and downloads never delay production.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from serve.registry.follower import LONGEST_WAIT, Follower, ShadowFollower, Status
from serve.settings import Settings

log = logging.getLogger(__name__)
Report = Callable[[Status], None]


def watch(
    settings: Settings,
    stopping: threading.Event,
    report: Report = lambda status: None,
    beat: Callable[[], None] = lambda: None,
    report_shadow: Report = lambda status: None,
) -> None:
    """Follow the aliases until `stopping` is set or the parent process has ended. Raises SettingsError.

    report, report_shadow: called after each attempt, for production and for the challenger.
    beat: called every second while waiting, and whenever data arrives.
    """
    parent = os.getppid()
    follower = Follower(settings, beat)
    log.info("following %s@%s at %s", settings.model_name, settings.model_alias, settings.tracking_uri)
    if settings.shadow_alias:
        arguments = (ShadowFollower(replace(settings, model_alias=settings.shadow_alias)), stopping, report_shadow)
        threading.Thread(target=_follow_shadow, args=arguments, name="shadow-watch", daemon=True).start()
    while os.getppid() == parent:
        again = time.monotonic() + follower.step()
        report(follower.status)
        while os.getppid() == parent and (left := again - time.monotonic()) > 0:
            beat()
            if stopping.wait(min(left, 1)):
                return


def _follow_shadow(follower: ShadowFollower, stopping: threading.Event, report: Report) -> None:
    wait = 0.0
    while not stopping.wait(wait):
        try:
            wait = follower.step()
        except Exception as err:  # noqa: BLE001 (production is followed whatever happens here)
            log.error("%s in following the challenger", type(err).__name__)
            follower.status = replace(follower.status, failures=follower.status.failures + 1)
            wait = LONGEST_WAIT
        report(follower.status)

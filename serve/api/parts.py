"""What a worker has beside its routes: the live model, the counts, the keys, the prediction log, the shadow."""

import os
from dataclasses import dataclass, field
from threading import Event

from serve.keys import Keys
from serve.metrics.observer import Observer
from serve.metrics.tracing import Tracer, make_tracer
from serve.records.prediction_log import PredictionLog
from serve.settings import Settings
from serve.shadow.shadow import Shadow, make_shadow
from serve.store.live import LiveModel
from serve.store.store import open_store


@dataclass(frozen=True)
class Parts:
    """Each under the name by which routes and hooks find it; None: the settings do not ask for it."""

    settings: Settings
    live_model: LiveModel
    observer: Observer
    keys: Keys | None
    prediction_log: PredictionLog | None
    shadow: Shadow | None
    tracer: Tracer | None
    stopping: Event = field(default_factory=Event)


def make_parts(settings: Settings) -> Parts:
    """Load the model, watch for the next, and open what the settings ask for. Raises SettingsError."""
    model = LiveModel(open_store(settings))
    tracer = make_tracer(os.environ)
    observer = Observer(settings.request_log, settings.revision, tracer)
    keys = Keys(settings.api_keys_file) if settings.api_keys_file else None
    log = PredictionLog(settings, observer.recorded) if settings.prediction_log else None
    shadow = make_shadow(settings, observer.tallies)
    model.on_swap = observer.swapped
    # The verification of a new file takes longer than a start may: the last good model answers meanwhile.
    unverified = model.refresh(may_verify=False)
    model.watch(settings.poll_seconds, at_once=unverified)
    if shadow:
        shadow.start(settings.poll_seconds)
    return Parts(settings, model, observer, keys, log, shadow, tracer)

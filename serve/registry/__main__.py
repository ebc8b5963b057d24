"""`python -m serve.registry`: follows the alias that the environment names, without serving, until SIGTERM."""

import logging
import os
import signal
import sys
import threading

from serve.errors import ServeError
from serve.registry.watcher import watch
from serve.settings import Settings
from serve.store.start import name_model

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        settings = name_model(Settings.from_environment(os.environ))
        if not settings.tracking_uri:
            sys.exit("serve.registry: MLFLOW_TRACKING_URI names no http or https address")
        watch(settings, threading.Event())
    except ServeError as err:
        sys.exit(f"serve.registry: {err}")

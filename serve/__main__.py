"""`python -m serve`: the application under gunicorn."""

import logging
import os
import sys

from gunicorn.app.base import BaseApplication

from serve.app import create_app
from serve.errors import ServeError
from serve.settings import Settings
from serve.worker import QuietLogger, Worker


class Server(BaseApplication):
    """gunicorn, told what the settings say. Each worker makes its own application, and so its own onnxruntime
    session, after the fork: a session does not survive one.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's options."""
        options = {
            "bind": f"{self.settings.host}:{self.settings.port}",
            "workers": self.settings.workers,
            "worker_class": Worker,
            "logger_class": QuietLogger,
            "threads": self.settings.threads,
            "graceful_timeout": self.settings.drain_seconds,
            "control_socket_disable": True,  # it would write below HOME
            "worker_tmp_dir": "/dev/shm" if os.access("/dev/shm", os.W_OK) else None,
            "loglevel": "warning",
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> object:
        """Return the application; called once in each worker."""
        return create_app(self.settings)


def main() -> None:
    """Serve until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    try:
        settings = Settings.from_environment(os.environ)
    except ServeError as err:
        sys.exit(f"serve: {err}")
    logging.getLogger("serve").info("listening on http://%s:%d", settings.host, settings.port)
    Server(settings).run()


if __name__ == "__main__":
    main()

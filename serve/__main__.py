"""`python -m serve`: bind, then keep the workers."""

import logging
import os
import resource
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from serve.errors import ServeError, SettingsError
from serve.log_format import JSONFormatter
from serve.settings import Settings
from serve.supervisor import Child, Supervisor
from serve.tls import make_context

BACKLOG = 2048
log = logging.getLogger("serve")


def main() -> None:
    """Serve until SIGTERM; exit 0 when every request in flight was answered."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    try:
        settings = Settings.from_environment(os.environ)
        make_context(settings)
        public = listen(settings.host, settings.port)
        metrics = listen(*settings.metrics_address) if settings.metrics_address else None
    except ServeError as err:
        sys.exit(f"serve: {err}")
    host, port = public.getsockname()[:2]
    log.info("listening on %s://%s:%d", "https" if settings.tls_certificate else "http", host, port)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sys.exit(supervise(settings, public, metrics))


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises SettingsError."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as err:
        raise SettingsError(f"can't listen on {host}:{port}: {err.strerror}") from err


def supervise(settings: Settings, public: socket.socket, metrics: socket.socket | None) -> int:
    """Run the workers; their counts lie in a folder of shared memory as long as they live. Return the exit code."""
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # writable where the tree is read-only
    folder = Path(tempfile.mkdtemp(prefix="serve-", dir=shared)) if metrics else None
    if folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)

    def forget(pid: int) -> None:
        """Take a dead worker's gauges out of the sum."""
        for file in folder.glob(f"gauge_live*_{pid}.db") if folder else ():
            file.unlink(missing_ok=True)

    parent = os.getpid()

    def run_worker(beat: Callable[[], None]) -> None:
        from serve.worker import work  # after the fork: the parent stays small

        work(settings, public, metrics, beat, parent)

    def run_watcher(beat: Callable[[], None]) -> None:
        from serve.registry import watch

        stopping = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stopping.set())
        watch(settings, stopping, beat=beat)

    children = [Child(f"worker {number}", run_worker) for number in range(1, settings.workers + 1)]
    if settings.tracking_uri:
        children.append(Child("registry watcher", run_watcher))
    try:
        return Supervisor(children, settings.drain_seconds, forget).run()
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

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
from contextlib import suppress
from functools import partial
from pathlib import Path

from serve.errors import ServeError, SettingsError
from serve.http.supervisor import Child, Supervisor
from serve.http.tls import make_context
from serve.keys import Keys
from serve.metrics.counters import forget_gauges
from serve.metrics.log_format import log_as_json
from serve.records.applicant import check_log_folder
from serve.settings import BACKLOG, Settings
from serve.store.signature import Verifier

WATCHER = "registry watcher"
log = logging.getLogger("serve")


def main() -> None:
    """Serve until SIGTERM; exit 0 when every request in flight was answered."""
    log_as_json()
    try:
        settings = Settings.from_environment(os.environ)
        make_context(settings)
        if settings.api_keys_file:
            Keys(settings.api_keys_file)  # each worker reads it for itself; a file that is none stops the start
        if settings.public_key_file:
            Verifier(settings.public_key_file, settings.model_name)  # likewise
        check_log_folder(settings)
        public = listen(settings.host, settings.port)
        metrics = listen(*settings.metrics_address) if settings.metrics_address else None
    except ServeError as err:
        log.critical("serve: %s", err)
        sys.exit(1)
    host, port = public.getsockname()[:2]
    log.info("listening on %s://%s:%d", "https" if settings.tls_certificate else "http", host, port)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # a system may call its limit endless and refuse to have it set
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
    """Run the workers; what they count is added up in a folder of shared memory. Return the exit code."""
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # writable where the tree is read-only
    folder = Path(tempfile.mkdtemp(prefix=f"serve-{os.getpid()}-", dir=shared)) if metrics else None

    def forget(pid: int) -> None:
        """Take a dead process's gauges out of the sum."""
        for child in children if folder else ():
            if child.pid == pid:
                forget_gauges(folder / child.name)

    parent = os.getpid()

    def run_worker(name: str, beat: Callable[[], None]) -> None:
        from serve.api.service import Service  # after the fork: the parent stays small
        from serve.http.worker import work

        counts = folder / name if folder else None
        work(partial(Service, settings, counts), settings, public, metrics, beat, parent)

    def run_watcher(beat: Callable[[], None]) -> None:
        from serve.metrics.observer import RegistryObserver
        from serve.registry.watcher import watch

        stopping = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stopping.set())
        reports = {}
        if folder:
            observer = RegistryObserver(folder / WATCHER)
            reports = {"report": observer.report, "report_shadow": observer.report_shadow}
        watch(settings, stopping, beat=beat, **reports)

    names = [f"worker {number}" for number in range(1, settings.workers + 1)]
    children = [Child(name, partial(run_worker, name)) for name in names]
    if settings.tracking_uri:
        children.append(Child(WATCHER, run_watcher))
    try:
        return Supervisor(children, settings.drain_seconds, forget).run()
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

"""`python -m serve`: bind the addresses, then keep the workers running. `--help` lists the settings."""

import logging
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from socket import socket

from serve.command_line import find_unknown, read_arguments
from serve.errors import ServeError
from serve.files import sweep
from serve.http.listening import listen, listen_on_path, make_context, remove_path, write_address
from serve.http.supervisor import Child, Supervisor
from serve.metrics.count_files import find_shared, forget_gauges, make_counts, remove_counts, sweep_counts
from serve.metrics.log_format import log_as_json
from serve.settings import Settings
from serve.store.start import name_model, report_empty_store

WATCHER = "registry watcher"
log = logging.getLogger("serve")


def main() -> None:
    """Serve until SIGTERM; exit 0 when every request in flight was answered."""
    environment = read_arguments(sys.argv[1:], os.environ)
    log_as_json()
    for sentence in find_unknown(environment):
        log.warning(sentence)
    try:
        settings = Settings.from_environment(environment)
        _check_files(settings)
        settings = name_model(settings)
        metrics = listen(*settings.metrics_address) if settings.metrics_address else None
        public = listen_on_path(settings.socket) if settings.socket else listen(settings.host, settings.port)
    except ServeError as err:
        log.critical("serve: %s", err)
        sys.exit(1)
    scheme = "https" if settings.tls_certificate else "http"
    address = f"unix:{settings.socket}" if settings.socket else f"{scheme}://{write_address(*public.getsockname()[:2])}"
    log.info("listening on %s", address)
    if not settings.socket:
        log.info("to decide in a browser: %s/app, the interface: %s/docs/", address, address)
    report_empty_store(settings)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # some systems report an infinite limit and refuse to set it
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    code = supervise(settings, public, metrics)
    if settings.socket:
        public.close()
        remove_path(settings.socket)
    sys.exit(code)


def _check_files(settings: Settings) -> None:
    """Read what the settings name, as each worker does again: here a bad file stops the start. Raises SettingsError.

    What only some settings need is imported for them alone: the parent stays small.
    """
    make_context(settings)
    if settings.api_keys_file:
        from serve.keys import Keys

        Keys(settings.api_keys_file)
    if settings.public_key_file:
        from serve.store.signature import Verifier

        Verifier(settings.public_key_file, settings.model_name)
    if settings.prediction_log or settings.applicant_secret_file:
        from serve.records.applicant import check_log_folder

        check_log_folder(settings)


def supervise(settings: Settings, public: socket, metrics: socket | None) -> int:
    """Run the workers and the registry watcher; their counts are added up in a folder. Return the exit code."""
    parent = os.getpid()
    sweep(settings.store)
    shared = find_shared()
    sweep_counts(shared)
    folder = make_counts(shared) if metrics else None

    def run_worker(name: str, beat: Callable[[], None]) -> None:
        import uvloop  # these after the fork: the parent stays small

        from serve.api.service import Service
        from serve.http.worker import work

        make_service = partial(Service, settings, folder / name if folder else None)
        uvloop.run(work(make_service, settings, public, metrics, beat, parent))

    def run_watcher(beat: Callable[[], None]) -> None:
        from serve.metrics.observer import make_registry_reports
        from serve.registry.watcher import watch

        stopping = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stopping.set())
        watch(settings, stopping, beat=beat, **(make_registry_reports(folder / WATCHER) if folder else {}))

    def forget(child: Child) -> None:
        if folder:
            forget_gauges(folder / child.name)

    names = [f"worker {number + 1}" for number in range(settings.workers)]
    children = [Child(name, partial(run_worker, name)) for name in names]
    if settings.tracking_uri:
        children.append(Child(WATCHER, run_watcher))
    try:
        return Supervisor(children, settings.drain_seconds, forget).run()
    finally:
        if folder:
            remove_counts(folder)


if __name__ == "__main__":
    main()

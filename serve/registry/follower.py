"""Copies the version behind an alias into a store, one step at a time.

Whatever the registry does, the installed model keeps answering: the pointer moves to a verified file or not at all.
"""

import hashlib
import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from serve.errors import ModelFileError, RegistryError, ServeError, SignatureError, StoreBusyError, StoreError
from serve.registry.mlflow_client import RegistryClient, Version
from serve.settings import Settings
from serve.store.pointer import TRUSTED_VERDICTS, Pointer
from serve.store.store import open_store

LONGEST_WAIT = 300.0  # seconds between two attempts, however many failed
MOST_POLLS = 30  # and at most this many times the usual wait
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Status:
    """The state of the following.

    error: unreachable, timeout, denied, answer, alias, verdict, missing, content, file, signature or store; "" while
    the store agrees with the alias.
    """

    last_success: float = 0.0  # unix time at which they last agreed, 0 before the first
    version: str = ""  # that the pointer names
    failures: int = 0  # in a row
    error: str = ""


@dataclass(frozen=True)
class _Refused:
    """A version whose file or metadata failed: not downloaded again before `until` (of `time.monotonic`)."""

    version: Version
    kind: str
    reason: str  # not the error itself, whose traceback would keep the file's bytes
    attempts: int
    until: float


class Follower:
    """Keeps one store in agreement with one alias."""

    _no_model, _level = "there is no model", logging.ERROR

    def __init__(self, settings: Settings, beat: Callable[[], None] = lambda: None) -> None:
        """beat: called when data arrives. Raises SettingsError."""
        self._name, self._alias = settings.model_name, settings.model_alias
        self._poll = settings.registry_poll_seconds
        self._store = open_store(settings)
        self._client = RegistryClient(settings, beat)
        self._installed: Pointer | None = None  # known to be in the store, undamaged
        self._refused: _Refused | None = None
        self._logged: object = None
        self._silent = 0  # failures in a row in which the registry gave no answer
        self.status = Status()

    def step(self) -> float:
        """Ask for the alias and install what it names; return the seconds to wait before the next step."""
        version = None
        try:
            version = self._ask()
            self._follow(version)
        except StoreBusyError:  # a promotion on this machine, which sets the pointer itself
            return self._poll
        except (RegistryError, ModelFileError, StoreError) as err:
            self._fail(version, err)
            self._silent = self._silent + 1 if version is None and kind_of(err) != "alias" else 0
            return wait_after(self._silent, self._poll)
        if self._logged:
            log.info("in step again with the alias %s of %s: version %s", self._alias, self._name, version.number)
        self._logged, self._refused, self._silent = None, None, 0
        self.status = Status(time.time(), version.number)
        return self._poll

    def _ask(self) -> Version:
        return self._client.version_of_alias(self._name, self._alias)

    def _follow(self, version: Version) -> None:
        if version.verdict not in TRUSTED_VERDICTS:
            raise RegistryError("verdict", f"its verdict is {version.verdict[:20]!r}, expected passed or forced")
        try:
            wanted = Pointer(version.sha256, version.name, self._alias, version.number, version.run, version.verdict)
        except StoreError as err:
            raise RegistryError("content", "no sha256 is recorded for its file") from err
        if wanted == self._installed == self._pointer():
            return
        refused = self._refused if self._refused and self._refused.version == version else None
        if refused and time.monotonic() < refused.until:
            raise RegistryError(refused.kind, refused.reason)
        try:
            if not self._is_installed(wanted):
                self._install(version, wanted)
        except (RegistryError, ModelFileError, StoreError) as err:
            if not isinstance(err, StoreBusyError):
                attempts = refused.attempts + 1 if refused else 1
                until = time.monotonic() + wait_after(attempts, self._poll)
                self._refused = _Refused(version, kind_of(err), str(err), attempts, until)
            raise
        self._installed = wanted

    def _is_installed(self, wanted: Pointer) -> bool:
        """Return whether a promotion, or this process before a restart, has installed the wanted version.

        Raises ModelFileError for an undamaged file that is refused, and StoreBusyError while another process has it.
        """
        if self._pointer() != wanted:
            return False
        try:
            self._store.load(wanted)
        except StoreBusyError:
            raise
        except StoreError:
            return False
        return True

    def _install(self, version: Version, wanted: Pointer) -> None:
        data = self._store.file(version.sha256) or self._client.model_file(version)
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 != version.sha256:
            raise RegistryError("content", f"its file has sha256 {sha256}, expected {version.sha256}")
        metadata = self._client.metadata(version)
        verdict = metadata.get("verdict")
        if not isinstance(verdict, dict) or verdict.get("verdict") != version.verdict:
            raise RegistryError("content", f"its tag says {version.verdict}, its recorded metadata does not")
        with self._store.locked(wait=False):
            if self._ask() != version:  # a promotion happened meanwhile; the next step follows it
                raise StoreBusyError("the alias has moved on")
            metadata |= version.identity()
            self._store.install(data, metadata, version.signature)
            if self._pointer() != wanted:
                self._store.point(wanted)
        log.info("installed %s version %s, sha256 %s", version.name, version.number, version.sha256)

    def _pointer(self) -> Pointer | None:
        with suppress(StoreError):  # a damaged pointer is replaced like a missing one
            return self._store.pointer()
        return None

    def _fail(self, version: Version | None, err: ServeError) -> None:
        """Update the status, and log the failure if it differs from the last one."""
        pointer = self._pointer()
        kind, number = kind_of(err), version.number if version else None
        running = pointer.version if pointer else ""
        self.status = replace(self.status, version=running, failures=self.status.failures + 1, error=kind)
        if (kind, number) == self._logged:
            return
        self._logged = (kind, number)
        failure = f"version {number} of {self._name} is not taken" if number else f"can't follow {self._name}"
        log.log(self._level, "%s, %s: %s", failure, f"version {running} goes on" if running else self._no_model, err)


class ShadowFollower(Follower):
    """Keeps the pointer of a challenger in agreement with its alias, and removes it where the alias does not exist.

    Failures are warnings: no answer depends on the challenger, and its alias may name a version before its validation.
    """

    _no_model, _level = "there is no challenger", logging.WARNING

    def _fail(self, version: Version | None, err: ServeError) -> None:
        super()._fail(version, err)
        if kind_of(err) != "alias":
            return
        with suppress(ServeError):  # the next step reports it, if it lasts
            with self._store.locked(wait=False):
                try:
                    self._ask()  # the alias may have been set meanwhile, and the pointer with it
                except RegistryError as again:
                    if again.kind == "alias" and self._store.unpoint():
                        log.info("the challenger is gone with the alias %s of %s", self._alias, self._name)
            if self._pointer() is None:  # the store agrees with the registry
                self.status = Status(time.time())


def kind_of(err: ServeError) -> str:
    """Return the kind of a failure, as `Status.error` and a metric's label."""
    if isinstance(err, RegistryError):
        return err.kind
    if isinstance(err, SignatureError):
        return "signature"
    return "file" if isinstance(err, ModelFileError) else "store"


def wait_after(failures: int, poll: float) -> float:
    """Return the seconds to wait after so many failures in a row: doubled each time, half of it random."""
    longest = max(poll, min(LONGEST_WAIT, MOST_POLLS * poll))
    return poll if not failures else min(longest, poll * 2 ** min(failures, 16)) * random.uniform(0.5, 1)

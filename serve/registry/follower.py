"""Keeps a store in step with an alias of the registry, one step at a time.

Whatever the registry does, what answered goes on: the pointer moves to a file that has proved itself, or not at all.
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

LONGEST_WAIT = 300.0  # seconds between two attempts, however often they failed
MOST_POLLS = 30  # nor more than so many times the usual
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Status:
    """How the following goes. `error` is its kind: unreachable, timeout, denied, answer, alias, verdict, missing,
    content, file, signature, store; "" while store and alias agree.
    """

    last_success: float = 0.0  # unix time at which they last agreed, 0 before the first
    version: str = ""  # that the pointer names
    failures: int = 0  # in a row
    error: str = ""


@dataclass(frozen=True)
class _Refused:
    """A version whose file or metadata could not be had: not asked for again before a time (of `time.monotonic`)."""

    version: Version
    kind: str
    reason: str  # not the error itself, whose traceback would keep the file's bytes
    attempts: int
    until: float


class Follower:
    """Keeps one store in step with one alias."""

    _without, _level = "there is no model", logging.ERROR

    def __init__(self, settings: Settings, beat: Callable[[], None] = lambda: None) -> None:
        """Raises SettingsError."""
        self._name, self._alias = settings.model_name, settings.model_alias
        self._poll = settings.registry_poll_seconds
        self._store = open_store(settings)
        self._client = RegistryClient(settings, beat)
        self._settled: Pointer | None = None  # known to be in the store, whole
        self._refused: _Refused | None = None
        self._logged: object = None
        self._silent = 0  # failures to hear from the registry at all, in a row
        self.status = Status()

    def step(self) -> float:
        """Ask once and do what follows; return the seconds to wait before the next."""
        version = None
        try:
            version = self._ask()
            self._follow(version)
        except StoreBusyError:  # a promotion on this machine; it sets the pointer itself
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
        try:
            return self._client.version_of_alias(self._name, self._alias)
        except RegistryError as err:
            if err.kind == "missing":
                raise RegistryError("alias", f"{self._name} has no alias {self._alias}") from err
            raise

    def _follow(self, version: Version) -> None:
        if version.verdict not in TRUSTED_VERDICTS:
            raise RegistryError("verdict", f"its verdict is {version.verdict[:20]!r}, expected passed or forced")
        wanted = make_pointer(version, self._alias)
        if wanted == self._settled == self._pointer():
            return
        refused = self._refused
        if refused and refused.version == version and time.monotonic() < refused.until:
            raise RegistryError(refused.kind, refused.reason)
        try:
            if not self._is_whole(wanted):
                self._install(version, wanted)
        except StoreBusyError:
            raise
        except (RegistryError, ModelFileError, StoreError) as err:
            attempts = refused.attempts + 1 if refused and refused.version == version else 1
            until = time.monotonic() + wait_after(attempts, self._poll)
            self._refused = _Refused(version, kind_of(err), str(err), attempts, until)
            raise
        self._settled = wanted

    def _is_whole(self, wanted: Pointer) -> bool:
        """Say whether the store holds what is wanted already: put there by a promotion, or before a restart."""
        if self._pointer() != wanted:
            return False
        try:
            self._store.load(wanted)
        except (StoreError, ModelFileError):
            return False
        return True

    def _install(self, version: Version, wanted: Pointer) -> None:
        data = self._store.file(version.sha256) or self._client.model_file(version)
        found = hashlib.sha256(data).hexdigest()
        if found != version.sha256:
            raise RegistryError("content", f"its file has sha256 {found}, expected {version.sha256}")
        metadata = self._client.metadata(version)
        verdict = metadata.get("verdict")
        if not isinstance(verdict, dict) or verdict.get("verdict") != version.verdict:
            raise RegistryError("content", f"its tag says {version.verdict}, the metadata recorded for its file do not")
        with self._store.locked(wait=False):
            if self._ask() != version:  # a promotion came between; the next step sees to it
                raise StoreBusyError("the alias has moved on")
            metadata |= {"name": version.name, "version": version.number, "run": version.run}
            self._store.install(data, metadata, version.signature)
            if self._pointer() != wanted:
                self._store.point(wanted)
        log.info("installed %s version %s, sha256 %s", version.name, version.number, version.sha256)

    def _pointer(self) -> Pointer | None:
        try:
            return self._store.pointer()
        except StoreError:  # a damaged pointer is replaced like a missing one
            return None

    def _fail(self, version: Version | None, err: ServeError) -> None:
        """Log a failure when it is another one than last time."""
        pointer = self._pointer()
        kind, number = kind_of(err), version.number if version else None
        self.status = replace(
            self.status, version=pointer.version if pointer else "", failures=self.status.failures + 1, error=kind
        )
        if (kind, number) == self._logged:
            return
        self._logged = (kind, number)
        what = f"version {number} of {self._name} is not taken" if number else f"can't follow {self._name}"
        kept = f"version {pointer.version} goes on" if pointer else self._without
        log.log(self._level, "%s, %s: %s", what, kept, err)


class ShadowFollower(Follower):
    """Keeps the challenger's pointer in step with its alias; where the registry has no such alias, there is none.

    Nobody's answer hangs on it, and an alias may well name what is not validated yet: a warning is enough.
    """

    _without, _level = "there is no challenger", logging.WARNING

    def __init__(self, settings: Settings) -> None:
        """Raises SettingsError."""
        super().__init__(replace(settings, model_alias=settings.shadow_alias))

    def _fail(self, version: Version | None, err: ServeError) -> None:
        super()._fail(version, err)
        if kind_of(err) == "alias":
            with suppress(ServeError):  # told with the next step, if it lasts
                self._let_go()
                if self._pointer() is None:  # which is what the registry says
                    self.status = Status(time.time())

    def _let_go(self) -> None:
        with self._store.locked(wait=False):
            try:
                self._ask()  # somebody may have set the alias, and the pointer with it
            except RegistryError as err:
                if err.kind == "alias" and self._store.unpoint():
                    log.info("the challenger is gone with the alias %s of %s", self._alias, self._name)


def make_pointer(version: Version, alias: str) -> Pointer:
    """Return the pointer that a promotion writes for a version. Raises RegistryError when it has no sha256."""
    try:
        return Pointer(version.sha256, version.name, alias, version.number, version.run, version.verdict)
    except StoreError as err:
        raise RegistryError("content", "no sha256 is recorded for its file") from err


def kind_of(err: ServeError) -> str:
    """Return the kind of a failure, as `Status.error` and a metric's label."""
    if isinstance(err, RegistryError):
        return err.kind
    if isinstance(err, SignatureError):
        return "signature"
    return "file" if isinstance(err, ModelFileError) else "store"


def wait_after(failures: int, poll: float) -> float:
    """Return the seconds to wait after so many failures in a row: doubled each time, half of it by chance."""
    longest = max(poll, min(LONGEST_WAIT, MOST_POLLS * poll))
    return poll if not failures else min(longest, poll * 2 ** min(failures, 16)) * random.uniform(0.5, 1)

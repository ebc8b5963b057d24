"""The model that answers requests: it follows the pointer, and stays when the new model fails a check."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from serve.errors import ModelFileError, StoreBusyError, StoreError
from serve.model.scorer import Scorer
from serve.model.shapley import Explainer
from serve.store.pointer import Pointer
from serve.store.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """One model with all that an answer says about it; an answer uses a single one of these."""

    scorer: Scorer
    pointer: Pointer
    metadata: dict[str, Any]
    _making: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @cached_property
    def explainer(self) -> Explainer:
        """Explains the model's decisions. Made when it is first asked for: that takes longer than loading the file."""
        with self._making:  # from Python 3.12 on, threads may enter here at once
            if "explainer" not in self.__dict__:
                self.__dict__["explainer"] = Explainer(self.scorer)
            return self.__dict__["explainer"]


class LiveModel:
    """Holds the loaded model; `current` is replaced in one assignment, so a request sees the old or the new."""

    def __init__(self, store: Store, shadow: bool = False) -> None:
        """shadow: of a challenger that answers no request; unlike the live model, it is dropped with its pointer."""
        self.current: Loaded | None = None
        # Called with the old model and the new one, or None where the new one was refused.
        self.on_swap: Callable[[Loaded | None, Loaded | None], None] = lambda old, new: None
        self.on_gone: Callable[[], None] = lambda: None
        self._store, self._shadow = store, shadow
        self._refused: object = None  # the last failure that was logged
        self._refused_last_good: Pointer | None = None

    def refresh(self, may_verify: bool = True) -> bool:
        """Load the model that the pointer names, if it changed. A failure is logged once and keeps the loaded model.

        may_verify: whether to wait for the verification of a new file. Return whether one is still to be verified.
        Without a loaded model, the one that was loaded last on this machine answers in place of a refused one.
        """
        pointer = None
        try:
            pointer = self._store.pointer()
            if pointer is None and self._shadow:
                self._drop()
                return False
            known = self.current.pointer if self.current else None
            if pointer == known and (known or not self._store.last_good()):
                self._refused = None  # store and memory agree: the same failure is logged again if it comes back
                return False
            if pointer is None:
                raise StoreError(f"{self._store.pointer_path.name} is gone")
            if pointer == self._refused:
                self._take_last_good(may_verify)
                return False
            self._take(pointer, may_verify)
            self._refused = None
        except StoreBusyError:
            self._take_last_good(may_verify)
            return True
        except ModelFileError as err:
            self._refuse(pointer, f"{pointer.sha256}.onnx: {err}", may_verify)
        except StoreError as err:
            self._refuse(str(err), str(err), may_verify)
        return False

    def _take_last_good(self, may_verify: bool) -> None:
        """Without a loaded model, load the one that was loaded last on this machine, if it can be."""
        pointer = None if self.current or self._shadow else self._store.last_good()
        if pointer is None or pointer in (self._refused, self._refused_last_good):
            return
        try:
            self._take(pointer, may_verify)
        except ModelFileError:
            self._refused_last_good = pointer
        except StoreError as err:  # it is tried again
            log.debug("the last good model can't be loaded: %s", err)

    def _take(self, pointer: Pointer, may_verify: bool) -> None:
        scorer, metadata = self._store.load(pointer, may_verify)
        old, self.current = self.current, Loaded(scorer, pointer, metadata)
        self.on_swap(old, self.current)
        does = "scoring in the shadow" if self._shadow else "answering"
        log.info("%s with %s version %s, sha256 %s", does, pointer.name, pointer.version, pointer.sha256)
        if not self._shadow:
            self._store.keep(pointer)

    def _drop(self) -> None:
        if self.current:
            log.info("version %s no longer scores in the shadow: its pointer is gone", self.current.pointer.version)
            self.current = None
            self.on_gone()
        self._refused = None

    def _refuse(self, failure: object, reason: str, may_verify: bool) -> None:
        is_new, self._refused = failure != self._refused, failure
        self._take_last_good(may_verify)
        if is_new:
            model = "challenger" if self._shadow else "model"
            log.error("%s refused, %s: %s", model, "the old one goes on" if self.current else "there is none", reason)
            self.on_swap(self.current, None)

    def _prepare(self) -> None:
        """Make the explainer of the live model before somebody has to wait for it."""
        with suppress(Exception):  # whoever asks for it gets the error; its file was verified with one
            if self.current and not self._shadow:
                self.current.explainer  # noqa: B018 (a cached property)

    def watch(self, seconds: float, at_once: bool = False) -> None:
        """Refresh every `seconds`, the first time now if `at_once`, on a thread that ends with the process."""

        def run() -> None:
            if at_once:
                self.refresh()
            while True:
                self._prepare()
                time.sleep(seconds)
                self.refresh()

        threading.Thread(target=run, name="pointer-watch", daemon=True).start()

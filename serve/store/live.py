"""The model that answers now: follows the pointer, and keeps the old model when the new one fails a check."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from serve.errors import ModelFileError, StoreError
from serve.model.scorer import Scorer
from serve.model.shapley import Explainer
from serve.store.pointer import Pointer
from serve.store.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """One model, whole: an answer takes everything it says from a single one of these."""

    scorer: Scorer
    pointer: Pointer
    metadata: dict[str, Any]
    explainer: Explainer


class LiveModel:
    """Holds the loaded model; `current` is replaced in one assignment, so a request sees the old or the new."""

    def __init__(self, store: Store, shadow: bool = False) -> None:
        """shadow: of a challenger that answers nobody; unlike the live model, it goes when its pointer goes."""
        self.current: Loaded | None = None
        # Called with the old model and the new one, or None where the new one was refused.
        self.on_swap: Callable[[Loaded | None, Loaded | None], None] = lambda old, new: None
        self.on_gone: Callable[[], None] = lambda: None
        self._store, self._shadow = store, shadow
        self._refused: object = None

    def refresh(self) -> None:
        """Load what the pointer names, if it changed. One that fails or is gone is logged once, and changes nothing."""
        try:
            pointer = self._store.pointer()
            if pointer is None and self._shadow:
                self._forget()
                return
            if pointer == (self.current.pointer if self.current else None):
                self._refused = None  # in step: the same trouble, should it come again, is news again
                return
            if pointer is None:
                raise StoreError(f"{self._store.pointer_path.name} is gone")
            if pointer == self._refused:
                return
            scorer, metadata = self._store.load(pointer)
            explainer = _make_explainer(scorer)
        except (StoreError, ModelFileError) as err:
            if isinstance(err, ModelFileError):
                self._refuse(pointer, f"{pointer.sha256}.onnx: {err}")
            else:
                self._refuse(str(err), str(err))
            return
        old, self.current, self._refused = self.current, Loaded(scorer, pointer, metadata, explainer), None
        self.on_swap(old, self.current)
        does = "scoring in the shadow" if self._shadow else "answering"
        log.info("%s with %s version %s, sha256 %s", does, pointer.name, pointer.version, pointer.sha256)

    def _forget(self) -> None:
        if self.current:
            log.info("version %s no longer scores in the shadow: its pointer is gone", self.current.pointer.version)
            self.current = None
            self.on_gone()
        self._refused = None

    def _refuse(self, what: object, why: str) -> None:
        if what != self._refused:
            model = "challenger" if self._shadow else "model"
            log.error("%s refused, %s: %s", model, "the old one goes on" if self.current else "there is none", why)
            self.on_swap(self.current, None)
        self._refused = what

    def watch(self, seconds: float, at_once: bool = False) -> None:
        """Refresh every `seconds`, and now if at once, on a thread that ends with the process."""
        threading.Thread(target=self._watch, args=(seconds, at_once), name="pointer-watch", daemon=True).start()

    def _watch(self, seconds: float, at_once: bool) -> None:
        ticker = threading.Event()
        if at_once:
            self.refresh()
        while not ticker.wait(seconds):
            self.refresh()


def _make_explainer(scorer: Scorer) -> Explainer:
    """Return what explains a model's decisions. Raises ModelFileError: what can't be explained decides nothing."""
    try:
        return Explainer(scorer)
    except Exception as err:  # whatever onnxruntime raises for the background rows, the file is at fault
        raise ModelFileError(f"the background rows can't be scored: {type(err).__name__}") from err

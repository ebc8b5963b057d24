"""The model that answers requests: it follows the pointer, and stays when the new model fails a check."""

import logging
import threading
import time
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
    """One model with all that an answer says about it; an answer uses a single one of these."""

    scorer: Scorer
    pointer: Pointer
    metadata: dict[str, Any]
    explainer: Explainer


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

    def refresh(self) -> None:
        """Load the model that the pointer names, if it changed. A failure is logged once and keeps the loaded model."""
        try:
            pointer = self._store.pointer()
            if pointer is None and self._shadow:
                self._drop()
                return
            if pointer == (self.current.pointer if self.current else None):
                self._refused = None  # store and memory agree: the same failure is logged again if it comes back
                return
            if pointer is None:
                raise StoreError(f"{self._store.pointer_path.name} is gone")
            if pointer == self._refused:
                return
            scorer, metadata = self._store.load(pointer)
            explainer = _make_explainer(scorer)
        except ModelFileError as err:
            self._refuse(pointer, f"{pointer.sha256}.onnx: {err}")
            return
        except StoreError as err:
            self._refuse(str(err), str(err))
            return
        old, self.current, self._refused = self.current, Loaded(scorer, pointer, metadata, explainer), None
        self.on_swap(old, self.current)
        does = "scoring in the shadow" if self._shadow else "answering"
        log.info("%s with %s version %s, sha256 %s", does, pointer.name, pointer.version, pointer.sha256)

    def _drop(self) -> None:
        if self.current:
            log.info("version %s no longer scores in the shadow: its pointer is gone", self.current.pointer.version)
            self.current = None
            self.on_gone()
        self._refused = None

    def _refuse(self, failure: object, reason: str) -> None:
        if failure != self._refused:
            model = "challenger" if self._shadow else "model"
            log.error("%s refused, %s: %s", model, "the old one goes on" if self.current else "there is none", reason)
            self.on_swap(self.current, None)
        self._refused = failure

    def watch(self, seconds: float, at_once: bool = False) -> None:
        """Refresh every `seconds`, the first time now if `at_once`, on a thread that ends with the process."""

        def run() -> None:
            time.sleep(0 if at_once else seconds)
            while True:
                self.refresh()
                time.sleep(seconds)

        threading.Thread(target=run, name="pointer-watch", daemon=True).start()


def _make_explainer(scorer: Scorer) -> Explainer:
    """Return the explainer of a model. Raises ModelFileError: a model without explanations decides nothing."""
    try:
        return Explainer(scorer)
    except Exception as err:  # whatever onnxruntime raises for the background rows, the file is at fault
        raise ModelFileError(f"the background rows can't be scored: {type(err).__name__}") from err

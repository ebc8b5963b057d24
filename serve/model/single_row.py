"""Scores one row at a time in memory that is bound to the session once: half the time of a usual call."""

from functools import partial

import numpy as np
import onnxruntime as ort

from serve.model.scorer import OUTPUTS, Scorer

_TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64}


class SingleRow:
    """The scores of one model, bit for bit those of `Scorer.score`; not for two threads at once."""

    def __init__(self, scorer: Scorer) -> None:
        session = scorer.session
        (kind,) = (output.type for output in session.get_outputs() if output.name == OUTPUTS[0])
        self._row = bytearray(8 * len(scorer.contract.scored))
        self._p = np.empty((1, 2), _TYPES[kind])
        binding = session.io_binding()
        X = np.frombuffer(self._row).reshape(1, -1)
        binding.bind_ortvalue_input("X", ort.OrtValue.ortvalue_from_numpy(X))
        binding.bind_ortvalue_output(OUTPUTS[0], ort.OrtValue.ortvalue_from_numpy(self._p))
        # Without run options: onnxruntime looks for a key in them, and finds its absence by an exception.
        self._run = partial(session.run_with_iobinding, binding)

    def score(self, row: bytes) -> float:
        """Return the probability of approval for the F float64 of one application."""
        self._row[:] = row
        self._run()
        return self._p.item(1)

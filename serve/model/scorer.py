"""A verified model file: its contract, its decision rule, and probabilities for encoded rows.

The file is an ONNX graph (double input `X [N, F]`, output `probabilities [N, 2]`) whose metadata holds the JSON
documents of `serve.model.documents`. It is used only if it scores its own golden rows as recorded.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort

from serve.contract.contract import Contract
from serve.errors import ContractError, ModelFileError
from serve.model.documents import read_background, read_documents, read_rule
from serve.model.graph import check_graph
from serve.settings import LARGEST_FILE

MODEL_FILE = "model.onnx"  # its name in the registry
FEWEST_GOLDEN_ROWS = 4  # the example, both ends of every range, and one with missing values
TOLERANCE = 1e-6  # on probabilities
OUTPUTS = ["probabilities"]  # not the graph's own label, which depends on the batch at p = 0.5
LONGEST_REASON = 200  # characters of onnxruntime's message about a file
CHUNK = 4096  # rows a call, so that memory does not grow with N
SMALL_FILE = 2**20  # bytes: a tenth of a second to read the trees of


@dataclass(frozen=True)
class Decision:
    """The decision on one application: `code` is 1, approved, if `probability` is at least `threshold`."""

    code: int
    label: str
    probability: float
    threshold: float


class Scorer:
    """Scores encoded rows with one verified model file."""

    def __init__(self, data: bytes, sha256: str | None = None) -> None:
        """Verify and load a model file. Raises ModelFileError with the reason."""
        if len(data) > LARGEST_FILE:
            raise ModelFileError(f"the file has {len(data):,} bytes, at most {LARGEST_FILE:,} are allowed")
        self.sha256 = hashlib.sha256(data).hexdigest()
        if sha256 not in (None, self.sha256):
            raise ModelFileError(f"the file has sha256 {self.sha256}, expected {sha256}")
        check_graph(data)
        self.file_bytes = len(data)
        self.small_file = data if len(data) <= SMALL_FILE else b""
        self.session = open_session(data)
        documents = read_documents(self.session.get_modelmeta().custom_metadata_map)
        try:
            self.contract = Contract.from_dict(documents["contract"], where="the contract in the file")
        except ContractError as err:
            raise ModelFileError(str(err)) from err
        self.provenance: dict[str, Any] = documents["provenance"]
        self.decision_rule: dict[str, Any] = documents["decision"]
        self.threshold, self.review_band = read_rule(self.decision_rule)
        self._options = ort.RunOptions()
        self._options.log_severity_level = 4
        inputs = [(i.name, i.type, i.shape[1:]) for i in self.session.get_inputs()]
        expected = [("X", "tensor(double)", [len(self.contract.scored)])]
        if inputs != expected:
            raise ModelFileError(f"the graph takes {inputs}, expected {expected}")
        if OUTPUTS[0] not in [output.name for output in self.session.get_outputs()]:
            raise ModelFileError("the graph has no output 'probabilities'")
        self.background, self.background_weights = read_background(documents["background"], self.contract)
        self._replay_golden(documents["golden"])

    def score(self, X: np.ndarray) -> np.ndarray:
        """Return (n,) probabilities of approval for (n, F) float64 rows."""
        chunks = [X[start : start + CHUNK] for start in range(0, len(X) or 1, CHUNK)]
        runs = [self.session.run(OUTPUTS, {"X": chunk}, self._options)[0][:, 1] for chunk in chunks]
        return np.concatenate(runs, dtype=np.float64)

    def score_one(self, X: np.ndarray) -> float:
        """Return the probability of approval for one (1, F) float64 row."""
        return float(self.session.run(OUTPUTS, {"X": X}, self._options)[0][0, 1])

    def decide(self, p: np.ndarray) -> np.ndarray:
        """Return (n,) codes: 1 where the probability reaches the threshold."""
        return (p >= self.threshold).astype(np.int64)

    def answer(self, application: object) -> Decision:
        """Validate and decide one application. Raises ApplicationError."""
        return self.answer_row(self.contract.encode(application))

    def answer_row(self, X: np.ndarray) -> Decision:
        """Decide one encoded application, (1, F)."""
        p = self.score(X)
        code = int(self.decide(p)[0])
        return Decision(code, self.contract.label(code), float(p[0]), self.threshold)

    def _replay_golden(self, golden: Mapping[str, Any]) -> None:
        try:
            X, recorded = (np.array(golden[name], dtype=np.float64) for name in ("rows", "scores"))
        except (LookupError, TypeError, ValueError, OverflowError) as err:
            raise ModelFileError(f"the golden rows can't be scored: {type(err).__name__}") from err
        if X.ndim != 2 or len(X) < FEWEST_GOLDEN_ROWS or recorded.shape != X.shape[:1]:
            raise ModelFileError(f"the file has no {FEWEST_GOLDEN_ROWS} golden rows, or not a score for each")
        p = _replay(self.score, X, recorded)
        # A graph may take some numbers of rows only. CHUNK + 1 rows are the longest call, then one of a single row.
        _replay(lambda rows: np.array([self.score_one(row[None]) for row in rows]), X, recorded, " one by one")
        for count in (2, len(X) + 1, 2 * len(X), CHUNK + 1):
            chosen = np.arange(count) % len(X)
            _replay(self.score, X[chosen], recorded[chosen], f" in a batch of {count}")
        codes = golden.get("codes")
        if not isinstance(codes, list) or not all(type(code) is int for code in codes):
            raise ModelFileError("the file has no decision for each golden row")
        # Scores alone do not reveal a changed threshold.
        if not codes == self.decide(p).tolist() == self.decide(recorded).tolist():
            raise ModelFileError("the golden rows are not decided as recorded, or not all of them are")


def _replay(
    score: Callable[[np.ndarray], np.ndarray], X: np.ndarray, recorded: np.ndarray, how: str = ""
) -> np.ndarray:
    """Return the scores of golden rows. Raises ModelFileError unless they are the recorded ones."""
    try:
        p = score(X)
        differs = ~(np.abs(p - recorded) <= TOLERANCE)  # True for NaN
    except Exception as err:  # whatever onnxruntime raises for these rows, the file is at fault
        raise ModelFileError(f"the golden rows can't be scored{how}: {type(err).__name__}") from err
    if p.shape != recorded.shape or differs.any():
        raise ModelFileError(f"golden row {int(np.argmax(differs))} scores otherwise than recorded{how}")
    return p


def name_band(probability: float, low: float, high: float) -> str:
    """Return "approve" for a probability of approval from `high`, "decline" below `low`, else "refer" (to a person)."""
    if probability >= high:
        return "approve"
    return "refer" if probability >= low else "decline"


def open_session(data: bytes) -> ort.InferenceSession:
    """Return a session that computes with one thread. Raises ModelFileError."""
    options = ort.SessionOptions()
    # One thread: sums are always added in the same order, and onnxruntime pins no threads of its own.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    try:
        return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as err:  # onnxruntime has a dozen unrelated exception classes for a bad file
        first = next(iter(str(err).splitlines()), "")[:LONGEST_REASON]
        raise ModelFileError(f"onnxruntime can't load the file: {type(err).__name__}: {first}") from err

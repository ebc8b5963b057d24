"""A model file that has proved itself: its contract, its decision rule, and probabilities for encoded rows.

The file is an ONNX graph (double input `X [N, F]`, output `probabilities [N, 2]`) whose metadata carries the JSON
documents in `DOCUMENTS`. Nothing in it is believed before it has replayed its own golden rows.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort

from serve import strict_json
from serve.contract import Contract
from serve.errors import ContractError, JSONError, ModelFileError
from serve.feature import Fault, Feature
from serve.settings import LARGEST_FILE

FORMAT = 2
DOCUMENTS = ("contract", "decision", "provenance", "background", "golden")
FEWEST_GOLDEN_ROWS = 4  # the example, both ends of every range, and what may be missing missing
MOST_BACKGROUND_ROWS = 64  # an explanation costs that many times its coalitions
TOLERANCE = 1e-6  # on probabilities
OUTPUTS = ["probabilities"]  # the graph's own label is never asked for: at p = 0.5 it depends on the batch
MOST_REASON = 200  # characters of what onnxruntime says of a file; it has seen nobody's values
CHUNK = 4096  # rows a call: memory stays flat whatever N is


@dataclass(frozen=True)
class Decision:
    """The answer for one application: `code` 1 approves; `probability` of approval is at least `threshold` then."""

    code: int
    label: str
    probability: float
    threshold: float


class Scorer:
    """Scores encoded rows with one verified model file."""

    def __init__(self, data: bytes, sha256: str | None = None) -> None:
        """Verify and load a model file. Raises ModelFileError that says what is wrong with it."""
        if len(data) > LARGEST_FILE:
            raise ModelFileError(f"the file has {len(data):,} bytes, at most {LARGEST_FILE:,} are allowed")
        self.sha256 = hashlib.sha256(data).hexdigest()
        if sha256 not in (None, self.sha256):
            raise ModelFileError(f"the file has sha256 {self.sha256}, expected {sha256}")
        self._session = open_session(data)
        documents = _read_documents(self._session.get_modelmeta().custom_metadata_map)
        try:
            self.contract = Contract.from_dict(documents["contract"], where="the contract in the file")
        except ContractError as err:
            raise ModelFileError(str(err)) from err
        self.provenance: dict[str, Any] = documents["provenance"]
        self.decision_rule: dict[str, Any] = documents["decision"]
        self.threshold = _threshold(self.decision_rule)
        self.review_band = _review_band(self.decision_rule, self.threshold)
        self._options = ort.RunOptions()
        self._options.log_severity_level = 4
        self._check_shape()
        self.background = _background(documents["background"], self.contract)
        self._replay(documents["golden"])

    def score(self, X: np.ndarray) -> np.ndarray:
        """Return (n,) probabilities of approval for (n, F) float64 rows."""
        if len(X) <= CHUNK:
            return self._run(X)
        return np.concatenate([self._run(X[start : start + CHUNK]) for start in range(0, len(X), CHUNK)])

    def score_one(self, X: np.ndarray) -> float:
        """Return the probability of approval for one (1, F) float64 row."""
        return float(self._session.run(OUTPUTS, {"X": X}, self._options)[0][0, 1])

    def decide(self, p: np.ndarray) -> np.ndarray:
        """Return (n,) codes: 1 where the probability reaches the threshold."""
        return (p >= self.threshold).astype(np.int64)

    def answer(self, application: object) -> Decision:
        """Validate and decide one application. Raises ApplicationError."""
        return self.answer_row(self.contract.encode(application))

    def answer_row(self, X: np.ndarray) -> Decision:
        """Decide one application that is encoded, (1, F)."""
        p = self.score(X)
        code = int(self.decide(p)[0])
        return Decision(code, self.contract.label(code), float(p[0]), self.threshold)

    def _run(self, X: np.ndarray) -> np.ndarray:
        return self._session.run(OUTPUTS, {"X": X}, self._options)[0][:, 1].astype(np.float64)

    def _check_shape(self) -> None:
        inputs = [(i.name, i.type, i.shape[1:]) for i in self._session.get_inputs()]
        expected = [("X", "tensor(double)", [len(self.contract.scored)])]
        if inputs != expected:
            raise ModelFileError(f"the graph takes {inputs}, expected {expected}")
        if "probabilities" not in [output.name for output in self._session.get_outputs()]:
            raise ModelFileError("the graph has no output 'probabilities'")

    def _replay(self, golden: Mapping[str, Any]) -> None:
        try:
            X = np.array(golden["rows"], dtype=np.float64)
            recorded = np.array(golden["scores"], dtype=np.float64)
            p = self.score(X) if len(X) else X
        except Exception as err:  # whatever onnxruntime raises for such rows, the file is at fault
            raise ModelFileError(f"the golden rows can't be scored: {type(err).__name__}") from err
        if len(p) < FEWEST_GOLDEN_ROWS or p.shape != recorded.shape:
            raise ModelFileError(f"the file has no {FEWEST_GOLDEN_ROWS} golden rows, or not a score for each")
        apart = np.abs(p - recorded)
        if not np.all(apart <= TOLERANCE):
            raise ModelFileError(f"golden row {int(np.argmax(~(apart <= TOLERANCE)))} scores otherwise than recorded")
        if not np.array_equal(self.decide(p), self.decide(recorded)):
            raise ModelFileError("a golden row is decided otherwise than recorded")
        codes = golden.get("codes")
        if not isinstance(codes, list) or not all(type(code) is int for code in codes):
            raise ModelFileError("the file has no decision for each golden row")
        # Scores alone would not notice a threshold that was moved.
        if codes != self.decide(p).tolist():
            raise ModelFileError("the golden rows are not decided as recorded, or not all of them are")


def name_band(probability: float, low: float, high: float) -> str:
    """Return what the probability of approval calls for: approve from `high` on, decline below `low`, else refer.

    An empty band (low == high) lies at the threshold: nothing is referred, and the name says what the code says.
    """
    if probability >= high:
        return "approve"
    return "refer" if probability >= low else "decline"


def open_session(data: bytes) -> ort.InferenceSession:
    """Return a session that computes with one thread. Raises ModelFileError."""
    options = ort.SessionOptions()
    # One thread, fixed: the sums come in one order, and onnxruntime doesn't pin threads of its own.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    try:
        return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as err:  # onnxruntime has a dozen unrelated exception classes for a bad file
        first = next(iter(str(err).splitlines()), "")[:MOST_REASON]
        raise ModelFileError(f"onnxruntime can't load the file: {type(err).__name__}: {first}") from err


def _read_documents(metadata: Mapping[str, str]) -> dict[str, Any]:
    version = metadata.get("format")
    if version != str(FORMAT):
        raise ModelFileError(f"the file has format {version!r}, expected {str(FORMAT)!r}")
    documents = {}
    for name in DOCUMENTS:
        try:
            documents[name] = strict_json.loads(metadata[name].encode())
        except (KeyError, UnicodeError, JSONError) as err:
            raise ModelFileError(f"the metadata document {name!r} is missing or not JSON") from err
        if not isinstance(documents[name], dict):
            raise ModelFileError(f"the metadata document {name!r} is not an object")
    return documents


def _background(document: Mapping[str, Any], contract: Contract) -> np.ndarray:
    """Return (B, F) encoded rows, NaN = missing: what an application is compared with. Raises ModelFileError."""
    rows = document.get("rows")
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_BACKGROUND_ROWS:
        raise ModelFileError(f"the file has no list of 1 to {MOST_BACKGROUND_ROWS} background rows")
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(contract.scored):
            raise ModelFileError(f"background row {number} is not a value for each of {len(contract.scored)} features")
        for feature, value in zip(contract.scored, row, strict=True):
            if not _keeps(feature, value):
                raise ModelFileError(f"background row {number} breaks the contract at {feature.name}")
    background = np.array(rows, dtype=np.float64)
    background.setflags(write=False)
    return background


def _keeps(feature: Feature, value: object) -> bool:
    """Whether a value from JSON is an encoded one of this feature, or null where it may be missing."""
    if feature.is_category and value is not None:
        return type(value) in (int, float) and value in range(len(feature.values))
    try:
        feature.encode(value)
    except Fault:
        return False
    return True


def _threshold(rule: Mapping[str, Any]) -> float:
    threshold = rule.get("threshold")
    if not isinstance(threshold, float) or not 0 < threshold < 1:
        raise ModelFileError("the decision rule has no threshold between 0 and 1")
    return threshold


def _review_band(rule: Mapping[str, Any], threshold: float) -> tuple[float, float]:
    """Return low and high: a person looks at what lies in [low, high). Empty, at the threshold, unless declared."""
    band = rule.get("review_band", [threshold, threshold])
    if not isinstance(band, list) or [type(end) in (int, float) for end in band] != [True, True]:
        raise ModelFileError("the review band is not two numbers")
    low, high = map(float, band)
    # With the threshold outside, one answer could say "approved" and "decline".
    if not 0 <= low <= threshold <= high <= 1:
        raise ModelFileError("the review band is not low <= threshold <= high between 0 and 1")
    return low, high

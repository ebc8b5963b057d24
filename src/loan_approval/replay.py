"""A decision's receipt: the logged decision made again, by the very model file that made it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from loan_approval import tracking
from loan_approval.errors import LogError, TrackingError
from loan_approval.prediction_log import DECISIONS, day_files, loads
from serve.explain import Explainer
from serve.reasons import principal_reasons
from serve.scorer import TOLERANCE, Scorer, name_band
from serve.store import Store

_UUIDV7 = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}(\.\d+)?")


@dataclass(frozen=True)
class Receipt:
    """A logged decision beside what the same file says now: `again` has the line's keys that were computed anew.

    `differences` are the keys that differ; reasons that were not logged are computed and differ from nothing.
    """

    line: Mapping[str, Any]
    again: Mapping[str, Any]
    differences: tuple[str, ...]


def find_decision(folder: Path, decision_id: str) -> dict[str, Any]:
    """Return the line of a decision, the values as they were scored. Raises LogError when the log has none."""
    for path in _files_by_nearness(folder / DECISIONS, decision_id):
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # removed meanwhile, by retention say
            continue
        except OSError as err:
            raise LogError(f"{path}: can't be read: {err.strerror}") from err
        if line := _find_line(data, decision_id):
            return line
    raise LogError(
        f"{folder}: no decision {decision_id!r}, expected the id of an answer (a row of a batch: <id>.<row>)"
    )


def load_file(line: Mapping[str, Any], store: Store) -> bytes:
    """Return the model file that made a decision: from the store, else from MLflow. Raises LogError."""
    sha256, which = line["model_sha256"], f"{line['model_name']} version {line['model_version']}"
    if data := store.file(sha256):
        return data
    try:
        version = tracking.find_version(line["model_name"], line["model_version"])
        if version.sha256 != sha256:
            raise TrackingError(f"its {which} has sha256 {version.sha256 or 'none'}")
        return tracking.load_model_file(version)
    except TrackingError as err:
        raise LogError(
            f"the model file of {which}, sha256 {sha256}, is no longer in the store {store.path}, nor in MLflow: {err}"
        ) from err


def replay(line: Mapping[str, Any], data: bytes) -> Receipt:
    """Decide a logged application again with the bytes of its model file, through the server's own code.

    Raises ModelFileError when these are other bytes, LogError when the line lacks what the file scores.
    """
    scorer = Scorer(data, line["model_sha256"])
    X = _encode(line, scorer)
    decision = scorer.answer_row(X)
    band = name_band(decision.probability, *scorer.review_band)
    explanation = Explainer(scorer).explain(X)
    reasons = principal_reasons(scorer.contract.scored, X, explanation, scorer.background, band == "approve")
    again = {
        "contract": scorer.contract.fingerprint,
        "probability": decision.probability,
        "code": decision.code,
        "label": decision.label,
        "band": band,
        "reasons": [reason.code for reason in reasons],
    }
    return Receipt(line, again, tuple(key for key, value in again.items() if _differs(key, line.get(key), value)))


def describe(receipt: Receipt) -> list[str]:
    """Return the receipt in words, the applicant's values among them: for the terminal only."""
    line, again = receipt.line, receipt.again
    who = f"{line['model_name']} version {line['model_version']}, sha256 {line['model_sha256']}"
    words = [f"{line['decision_id']}, {line['time']}, {line['route']}", who]
    words += [f"  {key.removeprefix('input.')}: {line[key]}" for key in line if key.startswith("input.")]
    for key, value in again.items():
        if key in receipt.differences:
            words.append(f"{key}: logged {line.get(key)!r}, now {value!r}")
        elif key == "reasons":
            words.append(f"reasons{'' if line.get(key) is not None else ' (not logged)'}: {', '.join(value) or 'none'}")
        else:
            words.append(f"{key}: {value}")
    return words


def _encode(line: Mapping[str, Any], scorer: Scorer) -> np.ndarray:
    names = [feature.name for feature in scorer.contract.scored]
    absent = [name for name in names if f"input.{name}" not in line]
    if absent:
        raise LogError(f"the line of {line['decision_id']} lacks what its model scores: {', '.join(absent)}")
    return scorer.contract.encode({name: line[f"input.{name}"] for name in names})


def _differs(key: str, logged: object, again: Any) -> bool:
    if key == "reasons" and logged is None:
        return False
    if key == "probability" and isinstance(logged, float | int):
        return not abs(logged - again) <= TOLERANCE
    return logged != again


def _files_by_nearness(folder: Path, decision_id: str) -> Iterator[Path]:
    """Yield all files of decisions, those of the day that the id tells of and of its neighbours first."""
    near = _days_near(decision_id)
    later = []
    for path in day_files(folder):
        if path.parent.name in near:
            yield path
        else:
            later.append(path)
    yield from reversed(later)


def _days_near(decision_id: str) -> set[str]:
    match = _UUIDV7.fullmatch(decision_id)
    if not match:
        return set()
    try:
        made = datetime.fromtimestamp(int(match[1] + match[2], 16) / 1000, UTC)
        return {f"{made + timedelta(days=days):%Y-%m-%d}" for days in (-1, 0, 1)}
    except (OverflowError, ValueError):  # an id from a time that has no date
        return set()


def _find_line(data: bytes, decision_id: str) -> dict[str, Any] | None:
    """Return the line with this id; a line that only mentions it, or is torn, is none."""
    needle, start = b'"' + decision_id.encode() + b'"', 0
    while (found := data.find(needle, start)) >= 0:
        end = data.find(b"\n", found)
        end = len(data) if end < 0 else end
        line = loads(data[data.rfind(b"\n", 0, found) + 1 : end])
        if line and line.get("decision_id") == decision_id:
            return line
        start = end
    return None

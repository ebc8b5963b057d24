"""A decision's receipt: the logged decision, made again by the same model file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loan_approval.errors import LogError, TrackingError
from loan_approval.registry import tracking
from serve.errors import ApplicationError
from serve.model.reasons import explain_decision
from serve.model.scorer import TOLERANCE, Scorer, name_band
from serve.model.shapley import Explainer
from serve.store.store import Store

_NEEDED = ("time", "route", "model_name", "model_version", "model_sha256")


@dataclass(frozen=True)
class Receipt:
    """The line of a logged decision, and in `again` the keys of it that were computed again.

    `differences` are the keys whose values differ; reasons that were not logged don't count.
    """

    line: Mapping[str, Any]
    again: Mapping[str, Any]
    differences: tuple[str, ...]


def load_file(line: Mapping[str, Any], store: Store) -> bytes:
    """Return the model file that made a decision: from the store, else from MLflow. Raises LogError."""
    gaps = [name for name in _NEEDED if not isinstance(line.get(name), str)]
    if gaps:
        raise LogError(f"the line of {line['decision_id']} has no text as {', '.join(gaps)}: no server has left it so")
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

    Raises ModelFileError when the bytes are not of that file, LogError when the line lacks what the file scores.
    """
    scorer = Scorer(data, line["model_sha256"])
    names = [feature.name for feature in scorer.contract.scored]
    absent = [name for name in names if f"input.{name}" not in line]
    if absent:
        raise LogError(f"the line of {line['decision_id']} lacks what its model scores: {', '.join(absent)}")
    try:
        X = scorer.contract.encode({name: line[f"input.{name}"] for name in names})
    except ApplicationError as err:
        raise LogError(f"the line of {line['decision_id']}, as it stands in the log: {err}") from err
    decision = scorer.answer_row(X)
    band = name_band(decision.probability, *scorer.review_band)
    _, reasons = explain_decision(scorer, Explainer(scorer), X, decision.probability)
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
    """Return the receipt in words. They include the applicant's values: show them on the terminal only."""
    line, again = receipt.line, receipt.again
    words = [f"{line['decision_id']}, {line['time']}, {line['route']}"]
    words.append(f"{line['model_name']} version {line['model_version']}, sha256 {line['model_sha256']}")
    words += [f"  {key.removeprefix('input.')}: {line[key]}" for key in line if key.startswith("input.")]
    for key, value in again.items():
        if key in receipt.differences:
            words.append(f"{key}: logged {line.get(key)!r}, now {value!r}")
        elif key == "reasons":
            words.append(f"reasons{'' if line.get(key) is not None else ' (not logged)'}: {', '.join(value) or 'none'}")
        else:
            words.append(f"{key}: {value}")
    return words


def _differs(key: str, logged: object, again: Any) -> bool:
    if key == "reasons" and logged is None:
        return False
    if key == "probability" and isinstance(logged, float | int):
        return not abs(logged - again) <= TOLERANCE
    return logged != again

"""What an answer to many rows may hold beyond codes, for hosts that reach one route alone: a document for each row.

The wish stands where the protocol has a place for it: MLflow's `params`, `parameters` of V1, V2 and Vertex AI, or
SageMaker's header X-Amzn-SageMaker-Custom-Attributes (`details=true,reasons=true`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from werkzeug.exceptions import RequestEntityTooLarge

from serve.api.recording import decide_rows
from serve.contract.tables import Monitored
from serve.errors import RequestError
from serve.model.reasons import reason_codes
from serve.model.scorer import name_band
from serve.store.live import Loaded

Reasons = list[list[str]]  # the codes of the principal reasons for each row


@dataclass(frozen=True)
class Wish:
    """details: label, probability, band and decision id beside the code.   reasons: these, and the codes of reasons."""

    details: bool = False
    reasons: bool = False

    @classmethod
    def read(cls, parameters: object, where: str) -> "Wish":
        """Return the wish in an object of booleans; null and {} wish nothing. Raises RequestError."""
        if not isinstance(parameters, Mapping | None):
            raise RequestError(f"{where}: expected an object or null")
        names = [each.name for each in fields(cls)]
        for name, value in (parameters or {}).items():
            if name not in names:
                raise RequestError(f"{where}: unknown name, expected {' or '.join(names)}")
            if type(value) is not bool:
                raise RequestError(f"{where}.{name}: expected true or false")
        return cls(**parameters or {})

    @classmethod
    def read_header(cls, text: str, where: str) -> "Wish":
        """Return the wish in `name=true,name=false`. A part without = is an id of the caller's own, unless it is a name
        that was meant. Raises RequestError.
        """
        parts = [part.strip() for part in text.split(",")]
        names = [each.name for each in fields(cls)]
        pairs = [part.partition("=") for part in parts if "=" in part or part in names]
        return cls.read({name: {"true": True, "false": False}.get(value, value) for name, _, value in pairs}, where)


def explain_rows(loaded: Loaded, X: np.ndarray) -> Reasons:
    """Return the codes of the reasons for each of (n, F) rows. Raises RequestEntityTooLarge."""
    most = loaded.explainer.most_rows
    if len(X) > most:
        raise RequestEntityTooLarge(f"more than {most} rows with reasons, send them in several requests")
    return reason_codes(loaded.scorer, loaded.explainer, X)


def decide_as_wished(
    loaded: Loaded, X: np.ndarray, wish: Wish, monitored: Monitored | None = None
) -> tuple[list[Any], str]:
    """Decide and record (n, F) rows; return the code of each, or a document of each, and the decision id."""
    reasons = explain_rows(loaded, X) if wish.reasons else None
    p, codes, decision_id = decide_rows(loaded, X, monitored, reasons)
    if wish == Wish():
        return codes.tolist(), decision_id
    contract, band = loaded.scorer.contract, loaded.scorer.review_band
    documents = [
        {
            **{"code": code, "label": contract.label(code), "probability": probability},
            **{"band": name_band(probability, *band), "decision_id": decision_id},
        }
        for code, probability in zip(codes.tolist(), p.tolist(), strict=True)
    ]
    for document, each in zip(documents, reasons or (), strict=bool(reasons)):
        document["reasons"] = each
    return documents, decision_id

"""A challenger beside a champion: whether it can read the rows that the other encoded, and the line of each row."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from serve.contract.contract import Contract
from serve.records.decided import Decided, show_time
from serve.store.live import Loaded

# What says which applications a feature lets in, and which number the model sees for them.
ENCODING = ("name", "type", "min", "max", "values", "unit", "missing")
_encode_lines = msgspec.json.Encoder().encode_lines


class _Line(msgspec.Struct, gc=False):
    """A line; its time is that of the decision, so that both lines about it lie in the folder of one day."""

    time: datetime | str
    decision_id: str
    model_version: str
    model_sha256: str
    probability: float
    code: int
    champion_sha256: str
    champion_probability: float
    champion_code: int


def find_difference(champion: Contract, challenger: Contract) -> str:
    """Return the first reason for which one can't read the rows that the other encoded, "" where it can."""
    names = [[feature.name for feature in contract.scored] for contract in (champion, challenger)]
    if names[0] != names[1]:
        return "its scored features are others, or in another order"
    for one, other in zip(champion.scored, challenger.scored, strict=True):
        for part in ENCODING:
            if getattr(one, part) != getattr(other, part):
                return f"its contract has another {part} for {one.name}"
    return ""


def write_lines(challenger: Loaded, parts: Sequence[Decided], p: Sequence[float], codes: Sequence[int]) -> bytes:
    """Return a line for each row of these decisions, with the challenger's probabilities and codes."""
    version, sha256, champion = challenger.pointer.version, challenger.scorer.sha256, parts[0].loaded.scorer.sha256
    times = [show_time(part.at) for part in parts]
    rows = [
        (time, *row)
        for time, part in zip(times, parts, strict=True)
        for row in zip(part.ids(), part.p, part.codes, strict=True)
    ]
    return _encode_lines(
        [
            _Line(time, decision_id, version, sha256, new_p, new_code, champion, old_p, old_code)
            for (time, decision_id, old_p, old_code), new_p, new_code in zip(rows, p, codes, strict=True)
        ]
    )

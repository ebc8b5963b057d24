"""Applications of one population under a contract, for the tests of drift."""

import numpy as np
import pandas as pd

from loan_approval.drift.drift import Finding
from serve.contract.contract import Contract
from tests.model_files import MIXED

CONTRACT = Contract.from_dict(
    MIXED
    | {
        "feature": [
            *MIXED["feature"],
            {"name": "debt", "type": "number", "min": 0, "max": 1000, "missing": True, "example": 1},
            {"name": "years", "type": "integer", "min": 0, "max": 40, "missing": True, "example": 1},
        ]
    }
)


def make_table(rows: int, seed: int) -> pd.DataFrame:
    """Return applications of the population; a seed fixes them."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "amount": rng.normal(50, 10, rows).clip(0, 100),
            "home": rng.choice(np.array(["own", "rent"], dtype=object), rows, p=[0.6, 0.4]),
            "debt": np.where(rng.random(rows) < 0.05, np.nan, rng.lognormal(3, 1, rows).clip(0, 1000)),
            "years": rng.poisson(6, rows).clip(0, 40).astype(float),
        }
    )


REFERENCE = make_table(5000, 1)


def find(findings: list[Finding], kind: str, subject: str) -> Finding:
    """Return the only finding of a kind on a subject."""
    (found,) = [finding for finding in findings if (finding.kind, finding.subject) == (kind, subject)]
    return found

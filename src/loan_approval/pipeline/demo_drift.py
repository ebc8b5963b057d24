"""A month in the life, three times: simulated applicants ask the real server, and the monitor reads what it logged.

The server's clock says when: each month has a log of its own, filled within seconds, and its report is of that log.
"""

import http.client
import json
import shutil
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from loan_approval.data.datasets import dataset_folder, load_contract
from loan_approval.data.simulate import simulate
from loan_approval.errors import LoanApprovalError, PromotionError
from loan_approval.pipeline.pipeline import run_step, served
from loan_approval.project import ROOT
from loan_approval.registry.stores import model_and_store
from serve.contract.contract import Contract

ROWS = 2_000  # applications a month
REFUSED_EVERY = 500  # one in so many is not an application: somebody always sends nonsense
SEED = 20_261_101
DATASET = "loans"


@dataclass(frozen=True)
class Month:
    """A kind of month: what changes in its applications, and the verdict that the monitor ought to come to."""

    name: str
    story: str
    expected: str
    change: Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]


@dataclass(frozen=True)
class Judged:
    """What the monitor said of a month."""

    month: Month
    verdict: str
    words: list[str]

    @property
    def as_expected(self) -> bool:
        """Whether the monitor came to the verdict it ought to come to."""
        return self.verdict == self.month.expected


def _keep(applicants: pd.DataFrame, _rng: np.random.Generator) -> pd.DataFrame:
    return applicants


def _before_the_holidays(applicants: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return applicants who borrow three tenths more, a third of those with short terms over five years."""
    amount = (applicants["Loan_Amount"] * 1.3).round(-2).clip(upper=1_000_000)
    term = applicants["Loan_Duration_Years"]
    return applicants.assign(
        Loan_Amount=amount, Loan_Duration_Years=term.mask((term <= 3) & (rng.random(len(term)) < 1 / 3), 5.0)
    )


def _income_in_thousands(applicants: pd.DataFrame, _rng: np.random.Generator) -> pd.DataFrame:
    return applicants.assign(Annual_Income=applicants["Annual_Income"] / 1000)


MONTHS = (
    Month("stable", "applicants like those of the training data", "stable", _keep),
    Month("season", "before the holidays: larger loans, longer terms", "drift", _before_the_holidays),
    Month("broken_unit", "an upstream system sends Annual_Income in thousands", "severe", _income_in_thousands),
)


def run_demo(reports: Path, rows: int = ROWS, time_limit: float = 600) -> list[Judged]:
    """Let each month happen; return what the monitor said of it. Its reports are `monitor_<month>` below `reports`.

    The logs lie below `predictions/demo-drift`, away from that of `make serve`; a run replaces them.
    Raises PromotionError when no model is in production.
    """
    name, store = model_and_store(DATASET)
    contract = load_contract(dataset_folder(DATASET))
    if store.pointer() is None:
        raise PromotionError(f"{store.path}: no model is in production that could be asked: run `make run` first")
    judged = []
    for number, month in enumerate(MONTHS):
        log = ROOT / "predictions" / "demo-drift" / month.name
        shutil.rmtree(log, ignore_errors=True)
        settings = {"SERVE_PREDICTION_LOG": str(log), "SERVE_PREDICTION_LOG_MODE": "required"}
        rng = np.random.default_rng([SEED, number])
        applicants = month.change(simulate(rows, int(rng.integers(2**62))), rng)
        with served(name, store, _free_port(), settings) as address:
            _apply(address, _to_documents(applicants, contract))
        texts = {"dataset": DATASET, "log": str(log), "report": f"monitor_{month.name}"}
        result = run_step("04_monitor", texts, reports, time_limit)
        judged.append(Judged(month, str(result["verdict"]), list(result["words"])))
    return judged


def describe(judged: Judged) -> str:
    """Return the month, the verdict beside the expected one, and what it rests on."""
    month = judged.month
    sign = "as expected" if judged.as_expected else f"NOT as expected ({month.expected})"
    return "\n  - ".join([f"{month.name} ({month.story}): {judged.verdict}, {sign}", *judged.words[1:]])


def _to_documents(applicants: pd.DataFrame, contract: Contract) -> list[dict[str, Any]]:
    """Return each applicant as a request's document: absent where unknown, whole numbers as such."""
    documents = []
    for row in applicants[[feature.name for feature in contract.scored]].to_dict("records"):
        documents.append({name: int(v) if v == int(v) else v for name, v in row.items() if not np.isnan(v)})
    return documents


def _apply(address: str, documents: list[dict[str, Any]]) -> None:
    """Send the applications one after another over one connection. Raises LoanApprovalError for another answer."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
    for number, document in enumerate(documents):
        if number % REFUSED_EVERY == 0:
            _post(connection, document | {"Loan_Amount": "much"}, 422)
        _post(connection, document, 200)
    connection.close()


def _post(connection: http.client.HTTPConnection, document: Mapping[str, Any], expected: int) -> None:
    connection.request("POST", "/api/v2/predict", json.dumps(document), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    if answer.status != expected:
        raise LoanApprovalError(f"the server answered {answer.status} to an application, expected {expected}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

"""Demonstrates the drift monitor: simulated applicants of three months ask the real server, the monitor judges its log.

The server logs its own time, so each month has a separate log, filled within seconds, and a report of that log.
"""

import http.client
import json
import shutil
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
from loan_approval.registry.tracking_server import free_port
from serve.contract.contract import Contract

REFUSED_EVERY = 500  # one in so many requests is no valid application
TIME_LIMIT = 600  # seconds a report may take
SEED = 20_261_101
DATASET = "loans"


@dataclass(frozen=True)
class Month:
    """A kind of month: the change in its applications, and the expected verdict of the monitor."""

    name: str
    story: str
    expected: str
    change: Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]


def _before_the_holidays(applicants: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return the applicants with 30 % larger loans; a third of the terms up to 3 years become 5 years."""
    amount = (applicants["Loan_Amount"] * 1.3).round(-2).clip(upper=1_000_000)
    term = applicants["Loan_Duration_Years"]
    return applicants.assign(
        Loan_Amount=amount, Loan_Duration_Years=term.mask((term <= 3) & (rng.random(len(term)) < 1 / 3), 5.0)
    )


MONTHS = (
    Month("stable", "applicants like those of the training data", "stable", lambda applicants, _: applicants),
    Month("season", "before the holidays: larger loans, longer terms", "drift", _before_the_holidays),
    Month(
        "broken_unit",
        "an upstream system sends Annual_Income in thousands",
        "severe",
        lambda applicants, _: applicants.assign(Annual_Income=applicants["Annual_Income"] / 1000),
    ),
)


def run_demo(reports: Path, rows: int) -> list[tuple[bool, str]]:
    """Simulate each month with so many applications and `judge` its report, `monitor_<month>` below `reports`.

    The logs are below `predictions/demo-drift`, apart from the log of `make serve`; a run replaces them.
    Raises PromotionError when no model is in production.
    """
    name, store = model_and_store(DATASET)
    if store.pointer() is None:
        raise PromotionError(f"{store.path}: no model is in production: run `make run` first")
    contract = load_contract(dataset_folder(DATASET))
    judged = []
    for number, month in enumerate(MONTHS):
        log = ROOT / "predictions" / "demo-drift" / month.name
        shutil.rmtree(log, ignore_errors=True)
        settings = {"SERVE_PREDICTION_LOG": str(log), "SERVE_PREDICTION_LOG_MODE": "required"}
        rng = np.random.default_rng([SEED, number])
        applicants = month.change(simulate(rows, int(rng.integers(2**62))), rng)
        with served(name, store, free_port(), **settings) as address:
            _apply(address, to_documents(applicants, contract))
        texts = {"dataset": DATASET, "log": str(log), "report": f"monitor_{month.name}"}
        result = run_step("04_monitor", texts, reports, TIME_LIMIT)
        judged.append(judge(month, result["verdict"], result["words"]))
    return judged


def judge(month: Month, verdict: str, words: list[str]) -> tuple[bool, str]:
    """Return whether a verdict is the expected one, and the month, the verdict and its reasons as text."""
    as_expected = verdict == month.expected
    sign = "as expected" if as_expected else f"NOT as expected ({month.expected})"
    return as_expected, "\n  - ".join([f"{month.name} ({month.story}): {verdict}, {sign}", *words[1:]])


def to_documents(applicants: pd.DataFrame, contract: Contract) -> list[dict[str, Any]]:
    """Return each applicant as a request's document: absent where unknown, whole numbers as integers."""
    rows = applicants[[feature.name for feature in contract.scored]].to_dict("records")
    return [{name: int(v) if v == int(v) else v for name, v in row.items() if not np.isnan(v)} for row in rows]


def _apply(address: str, documents: list[dict[str, Any]]) -> None:
    """Send the applications one by one over one connection. Raises LoanApprovalError for an unexpected status."""
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

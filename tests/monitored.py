"""A data set, a model trained on it in a store, and decisions in a log, for the tests of the monitor."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from loan_approval.data.datasets import Dataset, read_dataset
from loan_approval.data.simulate import write_simulation
from loan_approval.monitor.window import Window, load_window
from serve.contract.contract import Contract
from serve.model.scorer import Scorer
from serve.store.store import Store
from tests.model_files import (
    LOANS,
    LOANS_SCALING,
    MIXED,
    MIXED_SCALING,
    PROVENANCE,
    THRESHOLD,
    make_documents,
    make_model,
    to_bytes,
)
from tests.prediction_logs import NOON, make_id, make_line, write_lines

DAY = timedelta(days=1)
BAND = {"threshold": THRESHOLD, "review_band": [0.5, 0.7]}


@dataclass(frozen=True)
class Monitored:
    """A data set, the store with a model of it, and the folder of the log."""

    dataset: Dataset
    store: Store
    log: Path

    def install(self, bias: float = 1.0, data_sha256: str = "") -> Scorer:
        """Put a model file into the store; `bias` tells two apart."""
        contract = self.dataset.contract.to_dict()
        model = make_model(contract, LOANS_SCALING if len(self.dataset.contract.scored) == 7 else MIXED_SCALING, bias)
        provenance = PROVENANCE | {"data_sha256": data_sha256 or self.dataset.sha256}
        documents = make_documents(model, contract, bias) | {"decision": BAND, "provenance": provenance}
        return self.store.install(to_bytes(model, documents), {"verdict": {"verdict": "passed"}})

    def decide(
        self, applications: pd.DataFrame, scorer: Scorer, version: str = "1", begin: datetime = NOON, **changes: object
    ) -> list[str]:
        """Log a decision a minute about each application; return the ids."""
        contract = self.dataset.contract
        columns = {f.name: list(applications[f.name].astype(object)) for f in contract.scored}
        inputs = {name: [None if pd.isna(v) else v for v in values] for name, values in columns.items()}
        X, problems = contract.encode_table(inputs)
        assert not problems
        p = scorer.score(X)
        lines = []
        for row, (probability, code) in enumerate(zip(p, scorer.decide(p), strict=True)):
            time = begin + timedelta(minutes=row)
            low, high = scorer.review_band
            band = "decline" if probability < low else "approve" if probability >= high else "refer"
            answer = {"probability": float(probability), "code": int(code), "label": contract.label(code), "band": band}
            answer |= {f"monitored.{f.name}": applications[f.name].iloc[row] for f in contract.monitored}
            answer |= {"model_name": contract.model_name, "model_version": version, "model_sha256": scorer.sha256}
            answer |= {"contract": contract.fingerprint, "decision_id": make_id(time)}
            lines.append(make_line({name: inputs[name][row] for name in inputs}, time, **(answer | changes)))
        write_lines(self.log, lines)
        return [line["decision_id"] for line in lines]


def load(monitored: Monitored, begin: str = "", end: str = "", version: str = "") -> Window:
    """Return a window of the log."""
    return load_window(monitored.dataset, monitored.log, monitored.store, begin, end, version)


def make_loans(folder: Path, rows: int = 1500) -> Monitored:
    """Return simulated loans."""
    path = folder / "loans" / "dataset.csv"
    write_simulation(path, rows=rows, seed=1)
    return Monitored(read_dataset(path, Contract.from_dict(LOANS), "loans"), Store(folder / "store"), folder / "log")


def make_mixed(folder: Path, rows: int = 1000) -> Monitored:
    """Return applications with a category and a monitored attribute; their target is repayment."""
    path = folder / "mixed" / "dataset.csv"
    path.parent.mkdir(parents=True)
    mixed_applications(rows, 1).assign(granted="yes").to_csv(path, index=False)
    return Monitored(read_dataset(path, Contract.from_dict(MIXED), "mixed"), Store(folder / "store"), folder / "log")


def mixed_applications(rows: int, seed: int) -> pd.DataFrame:
    """Return applications for the contract `MIXED`."""
    rng = np.random.default_rng(seed)
    homes, regions = rng.choice(["own", "rent"], rows, p=[0.6, 0.4]), rng.choice(["north", "south"], rows)
    return pd.DataFrame({"amount": rng.uniform(0, 100, rows).round(2), "home": homes, "region": regions})


def write_refusals(folder: Path, count: int, time: datetime = NOON, field: str = "Age", kind: str = "missing") -> None:
    """Log that so many applications were refused in a minute."""
    line = {"minute": time.strftime("%Y-%m-%dT%H:%MZ"), "route": "/api/v2/predict", "field": field, "kind": kind}
    write_lines(folder, [line | {"count": count}], "refusals", "w1")


def write_review(folder: Path, decision_id: str, outcome: str) -> None:
    """Log what a person decided."""
    line = {"time": "2026-11-23T13:00:00.000000Z", "decision_id": decision_id, "reviewer": "ana", "outcome": outcome}
    with (folder / "reviews.jsonl").open("a") as file:
        file.write(json.dumps(line | {"reason": "seen"}) + "\n")

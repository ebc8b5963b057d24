"""A window of the prediction log, and the reference its decisions are compared with."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from loan_approval.data.datasets import Dataset
from loan_approval.errors import LogError, ParameterError
from loan_approval.project import ROOT
from loan_approval.records import reading
from loan_approval.records.day_files import prediction_log_folder
from serve.contract.columns import encode_column
from serve.contract.contract import Contract
from serve.model.scorer import Scorer
from serve.store.store import Store

EARLIER = timedelta(days=30)  # before the window, to compare its refusals and volume with


@dataclass(frozen=True)
class Window:
    """The decisions of a window, and the reference.

    reference: the data set that every model in the window was trained on, or an earlier window.
    decisions: (n, k) as the log's reader returns them.   current: their features, named as in the contract.
    scorers: by version, in the order of the log.   refusals, reviews: of the window.
    earlier: the number of decisions in the 30 days before it, and their refusals.   torn: lines cut off by a crash.
    """

    reference: Dataset
    folder: Path
    decisions: pd.DataFrame
    current: pd.DataFrame
    scorers: dict[str, Scorer]
    refusals: pd.DataFrame
    reviews: pd.DataFrame
    earlier: tuple[int, pd.DataFrame]
    torn: int
    begin: pd.Timestamp | None
    end: pd.Timestamp | None

    def describe(self) -> str:
        """Return period, decisions and versions, in a sentence."""
        times = self.decisions["time"]
        span = f"{times.iloc[0]:%Y-%m-%d %H:%M} to {times.iloc[-1]:%Y-%m-%d %H:%M} UTC"
        versions = ", ".join(f"{v} ({n:,})" for v, n in self.decisions["model_version"].value_counts().items())
        torn = f"; {self.torn} torn lines left out" if self.torn else ""
        return f"{len(times):,} decisions from {span}, by version {versions}{torn}."


def log_folder(dataset: Dataset, folder: str) -> Path:
    """Return the folder of a prediction log, by default the one that `make serve` writes."""
    return ROOT / folder if folder else prediction_log_folder(dataset.contract.model_name)


def load_window(dataset: Dataset, folder: Path, store: Store, begin: str, end: str, version: str) -> Window:
    """Read the decisions with begin <= time < end, of one version if it is named, and load the models that made them.

    Raises ParameterError; LogError when there are no decisions, or some under another contract, or when a model is not
    in the store or was trained on other data than the data set's.
    """
    since, until = _parse_time("begin", begin), _parse_time("end", end)
    if since is not None and until is not None and since >= until:
        raise ParameterError(f"begin {begin} is not before end {end}")
    lines = reading.require_rows(reading.read_decisions(folder, since, until), folder, since, until)
    decisions = reading.require_contract(_of_version(lines.frame, version, folder), dataset.contract)
    reviews = reading.read_reviews(folder).frame
    earlier = 0, reading.read_refusals(folder).frame.iloc[:0]
    if since is not None:
        before = reading.read_decisions(folder, since - EARLIER, since).frame
        earlier = len(before), reading.read_refusals(folder, since - EARLIER, since).frame
    return Window(
        reference=dataset,
        folder=folder,
        decisions=decisions,
        current=_feature_columns(decisions, dataset.contract),
        scorers=_load_scorers(decisions, dataset, store),
        refusals=reading.read_refusals(folder, since, until).frame,
        reviews=reviews[reviews["decision_id"].isin(decisions["decision_id"])],
        earlier=earlier,
        torn=lines.torn,
        begin=since,
        end=until,
    )


def compare_with(window: Window, against: str) -> Window:
    """Return the window with an earlier one of the same log, "BEGIN/END", as its reference; "" changes nothing.

    The same months of last year make a reference with the same season. The window's models score its applications.
    Raises ParameterError, LogError.
    """
    if not against:
        return window
    begin, slash, end = against.partition("/")
    if not slash:
        raise ParameterError(f"against is {against!r}, expected BEGIN/END, such as 2025-11-01/2025-12-01")
    since, until = _parse_time("against", begin), _parse_time("against", end)
    lines = reading.require_rows(reading.read_decisions(window.folder, since, until), window.folder, since, until)
    contract = window.reference.contract
    frame = _feature_columns(reading.require_contract(lines.frame, contract), contract)
    features = [feature if feature.is_category else feature.encoded for feature in contract.scored]
    X, _ = contract.encode_table(frame.astype(object).where(frame.notna(), None).to_dict("list"), features)
    splits, y = np.full(len(frame), "earlier"), lines.frame["code"].to_numpy()
    return replace(window, reference=Dataset(f"log {against}", contract, frame, X, y, splits, sha256=""))


def window_scores(window: Window) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return by version the probabilities of the reference's calibrate and test rows, and of its decisions.

    Train rows are left out: a model scores them with more certainty, which is no drift.
    """
    held_out = window.reference.X[window.reference.splits != "train"]
    made = window.decisions.groupby("model_version")["probability"]
    return {
        f"score of version {version}": (scorer.score(held_out), made.get_group(version).to_numpy())
        for version, scorer in window.scorers.items()
    }


def _parse_time(name: str, text: str) -> pd.Timestamp | None:
    """Return a parameter as a time in UTC, None when it is empty. Raises ParameterError."""
    try:
        return reading.as_utc(datetime.fromisoformat(text)) if text else None
    except ValueError as err:
        raise ParameterError(f"{name}: expected a date or time such as 2026-11-23 or 2026-11-23T12:00Z") from err


def _feature_columns(decisions: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Return the features of logged decisions by the contract's names, without monitored ones that are all missing."""
    columns = {}
    for feature in contract.features:
        logged = f"{'input' if feature.scored else 'monitored'}.{feature.name}"
        if feature.scored or (logged in decisions and decisions[logged].notna().any()):
            column = decisions.get(logged, pd.Series(np.nan, decisions.index))
            if feature.type == "date":  # a table of features has its number
                numbers, _ = encode_column(feature, column.astype(object).where(column.notna(), None).to_list())
                column = pd.Series(numbers, column.index)
            columns[feature.name] = column.astype(object if feature.is_category else float)
    return pd.DataFrame(columns)


def _of_version(decisions: pd.DataFrame, version: str, folder: Path) -> pd.DataFrame:
    if not version:
        return decisions
    chosen = decisions[decisions["model_version"] == version].reset_index(drop=True)
    if chosen.empty:
        known = ", ".join(sorted(decisions["model_version"].unique()))
        raise LogError(f"{folder}: no decision in this window is of version {version}, expected one of {known}")
    return chosen


def _load_scorers(decisions: pd.DataFrame, dataset: Dataset, store: Store) -> dict[str, Scorer]:
    scorers: dict[str, Scorer] = {}
    for version, sha256 in decisions.groupby(["model_version", "model_sha256"], sort=False).size().index:
        which = f"version {version}, sha256 {sha256}"
        data = store.file(sha256)
        if data is None:
            raise LogError(f"{store.path}: the file of {which}, is gone or broken, expected it to score the reference")
        if version in scorers:
            raise LogError(f"version {version} stands for two files, {scorers[version].sha256} and {sha256}")
        scorers[version] = scorer = Scorer(data, sha256)
        if (trained_on := scorer.provenance.get("data_sha256", "")) != dataset.sha256:
            raise LogError(
                f"{which}, was trained on data {trained_on[:12]}, {dataset.name} holds {dataset.sha256[:12]}, expected "
                "the same: bring that data back, or choose decisions of one version"
            )
    return scorers

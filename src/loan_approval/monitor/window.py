"""A window of the prediction log beside what its models were trained on."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from loan_approval.data.datasets import Dataset
from loan_approval.drift.drift import LEVEL, Finding, compare
from loan_approval.drift.measures import Share
from loan_approval.errors import LogError, ParameterError
from loan_approval.monitor.groups import group_shares
from loan_approval.project import ROOT
from loan_approval.records.reading import (
    as_utc,
    prediction_log_folder,
    read_decisions,
    read_refusals,
    read_reviews,
    require_contract,
    require_rows,
)
from serve.model.scorer import Scorer
from serve.store.store import Store

EARLIER = timedelta(days=30)  # before the window: what its refusals are compared with


@dataclass(frozen=True)
class Window:
    """The decisions of a window, with what to compare them with.

    reference: the data set that every model in the window was trained on.   decisions: (n, k) as the log's reader gives
    them.   current: the features of these, named as in the contract.   scorers: by version, in the order of the log.
    refusals, reviews: of the window.   earlier: how many decisions
    came in the 30 days before it, and their refusals.
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
        """Return what is looked at, in a sentence."""
        times = self.decisions["time"]
        span = f"{times.iloc[0]:%Y-%m-%d %H:%M} to {times.iloc[-1]:%Y-%m-%d %H:%M} UTC"
        versions = ", ".join(f"{v} ({n:,})" for v, n in self.decisions["model_version"].value_counts().items())
        torn = f"; {self.torn} torn lines left out" if self.torn else ""
        return f"{len(times):,} decisions from {span}, by version {versions}{torn}."


def log_folder(dataset: Dataset, folder: str) -> Path:
    """Return the folder of a prediction log: the one that `make serve` writes unless another is named."""
    return ROOT / folder if folder else prediction_log_folder(dataset.contract.model_name)


def parse_time(name: str, text: str) -> pd.Timestamp | None:
    """Return the time that a parameter names, in UTC, None where it is empty. Raises ParameterError."""
    if not text:
        return None
    try:
        return as_utc(datetime.fromisoformat(text))
    except ValueError as err:
        raise ParameterError(f"{name}: expected a date or time such as 2026-11-23 or 2026-11-23T12:00Z") from err


def load_window(dataset: Dataset, folder: Path, store: Store, begin: str, end: str, version: str) -> Window:
    """Read the decisions with begin <= time < end, of one version if it is named, and load the models that made them.

    Raises ParameterError; LogError when there are none, when they are of another contract, when a model is gone from
    the store, or when one was trained on other data than the data set holds.
    """
    since, until = parse_time("begin", begin), parse_time("end", end)
    if since is not None and until is not None and since >= until:
        raise ParameterError(f"begin {begin} is not before end {end}")
    lines = require_rows(read_decisions(folder, since, until), folder, since, until)
    decisions = require_contract(_of_version(lines.frame, version, folder), dataset.contract)
    reviews = read_reviews(folder).frame
    return Window(
        reference=dataset,
        folder=folder,
        decisions=decisions,
        current=feature_columns(decisions, dataset),
        scorers=_load_scorers(decisions, dataset, store),
        refusals=read_refusals(folder, since, until).frame,
        reviews=reviews[reviews["decision_id"].isin(decisions["decision_id"])],
        earlier=_read_earlier(folder, since),
        torn=lines.torn,
        begin=since,
        end=until,
    )


def compare_with(window: Window, against: str) -> Window:
    """Return the window with an earlier one of the same log, "BEGIN/END", as its reference: as it is where "" is given.

    The same months of last year are a reference in which the season is in. Their applications are scored anew by the
    models of the window. Raises ParameterError, LogError.
    """
    if not against:
        return window
    begin, slash, end = against.partition("/")
    if not slash:
        raise ParameterError(f"against is {against!r}, expected BEGIN/END, such as 2025-11-01/2025-12-01")
    since, until = parse_time("against", begin), parse_time("against", end)
    lines = require_rows(read_decisions(window.folder, since, until), window.folder, since, until)
    contract = window.reference.contract
    frame = feature_columns(require_contract(lines.frame, contract), window.reference)
    X, _ = contract.encode_table({name: _plain_values(frame[name]) for name in frame})
    splits, y = np.full(len(frame), "earlier"), lines.frame["code"].to_numpy()
    return replace(window, reference=Dataset(f"log {against}", contract, frame, X, y, splits, sha256=""))


def _plain_values(column: pd.Series) -> list[object]:
    return [None if missing else value for value, missing in zip(column.tolist(), column.isna(), strict=True)]


def feature_columns(decisions: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Return the features of logged decisions by the contract's names; a monitored one that nobody gave is absent."""
    columns = {}
    for feature in dataset.contract.features:
        logged = f"{'input' if feature.scored else 'monitored'}.{feature.name}"
        if feature.scored or (logged in decisions and decisions[logged].notna().any()):
            column = decisions.get(logged, pd.Series(np.nan, decisions.index))
            columns[feature.name] = column.astype(object) if feature.is_category else column.astype(float)
    return pd.DataFrame(columns)


def window_scores(window: Window) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return by version the probabilities of the reference rows that no model was fitted to, and of its decisions.

    A model is surer of the rows it has learnt from (train), and that is no drift: calibrate and test rows remain.
    """
    held_out = window.reference.X[window.reference.splits != "train"]
    made = window.decisions.groupby("model_version")["probability"]
    return {
        f"score of version {version}": (scorer.score(held_out), made.get_group(version).to_numpy())
        for version, scorer in window.scorers.items()
    }


def window_shares(window: Window) -> dict[str, tuple[Share, Share]]:
    """Return by version how many reference rows it approves (refers), and how many of its decisions it did."""
    held_out = window.reference.X[window.reference.splits != "train"]
    shares: dict[str, tuple[Share, Share]] = {}
    for version, scorer in window.scorers.items():
        p, (low, high) = scorer.score(held_out), scorer.review_band
        made = window.decisions[window.decisions["model_version"] == version]
        approved, referred = int((made["code"] == 1).sum()), int((made["band"] == "refer").sum())
        shares[f"approvals by version {version}"] = (int(scorer.decide(p).sum()), len(p)), (approved, len(made))
        if low < high:
            before = int(np.sum((p >= low) & (p < high)))
            shares[f"referrals by version {version}"] = (before, len(p)), (referred, len(made))
    return shares


def compare_window(window: Window, level: float = LEVEL) -> list[Finding]:
    """Return what drifted: features over the whole window, scores and shares of decisions by version and group."""
    tables = window.reference.frame, window.current, window.reference.contract
    return compare(*tables, window_scores(window), window_shares(window) | group_shares(window), level)


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
        scorers[version] = Scorer(data, sha256)
        trained_on = scorers[version].provenance.get("data_sha256", "")
        if trained_on != dataset.sha256:
            raise LogError(
                f"{which}, was trained on data {trained_on[:12]}, {dataset.name} holds {dataset.sha256[:12]}, expected "
                "the same: bring that data back, or choose decisions of one version"
            )
    return scorers


def _read_earlier(folder: Path, begin: pd.Timestamp | None) -> tuple[int, pd.DataFrame]:
    """Return how many decisions came in the days before the window, and the refusals of these days."""
    if begin is None:
        return 0, read_refusals(folder).frame.iloc[:0]
    since = begin - EARLIER
    return len(read_decisions(folder, since, begin).frame), read_refusals(folder, since, begin).frame

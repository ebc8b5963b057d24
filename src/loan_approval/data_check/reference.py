"""What new data are compared with: the rows that the version in production was trained on."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loan_approval.data.datasets import dataset_folder, find_csv, load_contract
from loan_approval.data_check.table import Table, read_table
from loan_approval.drift.drift import Finding
from loan_approval.errors import DataError
from loan_approval.project import ROOT, sha256_of
from serve.contract.contract import Contract

if TYPE_CHECKING:
    from loan_approval.registry.tracking import Version
    from serve.model.scorer import Scorer


@dataclass(frozen=True)
class Tables:
    """New data of a data set and their reference, read by its contract; `notes` say what the reference is."""

    name: str
    contract: Contract
    current: Table
    reference: Table
    notes: list[Finding]


def read_tables(
    dataset: str, csv: str = "", reference_csv: str = "", reference_notes: Sequence[Sequence[str]] = ()
) -> Tables:
    """Read new data and what they are compared with; paths from the project's root.

    csv: the new data, "" for the data set's own.   reference_csv: the reference, "" for what production was trained on.
    reference_notes: what `find_reference` has said of it; without any, production is asked.
    Raises DataError when one can't be read as a table or the reference is not at hand.
    """
    folder = dataset_folder(dataset)
    contract = load_contract(folder)
    path, notes = ROOT / reference_csv, [Finding("reference", *note) for note in reference_notes]
    if not notes:
        path, notes = _find_reference(folder, contract, reference_csv)
    current = read_table(ROOT / csv if csv else find_csv(folder), contract)
    reference = read_table(path, contract)
    if reference.frame.empty:
        raise DataError(f"{path}: as a reference it has no row or column that keeps the contract")
    if current.sha256 == reference.sha256:
        notes.append(Finding("reference", "file", "ok", "the new data are the reference itself"))
    return Tables(folder.name, contract, current, reference, notes)


def find_reference(dataset: str, reference_csv: str = "") -> dict[str, Any]:
    """Return the parameters that tell `05_check_data` its reference: asked here, its kernel need not load MLflow.

    Raises DataError when it is not at hand, TrackingError, ModelFileError.
    """
    folder = dataset_folder(dataset)
    path, notes = _find_reference(folder, load_contract(folder), reference_csv)
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    listed = [[note.subject, note.level, note.words] for note in notes]
    return {"reference_csv": os.fspath(shown), "reference_notes": listed}


def _find_reference(folder: Path, contract: Contract, given: str) -> tuple[Path, list[Finding]]:
    from loan_approval.registry import (
        tracking,  # slow to import, and a notebook that was told its reference needs none of it
    )
    from loan_approval.registry.promotion import ALIAS

    version = tracking.version_of_alias(contract.model_name, ALIAS)
    scorer = _load(version) if version else None
    trained_on = scorer.provenance["data_sha256"] if scorer else ""
    which = f"{contract.model_name} version {version.number}, in production," if version else ""
    notes = []
    if scorer and scorer.contract != contract:
        words = f"{folder.name}/contract.toml is not the contract that {which} was trained by"
        notes.append(Finding("reference", "contract", "warning", words))
    if given:
        path = ROOT / given
        known = path.is_file() and sha256_of(path) == trained_on
        words = f"the rows {which} was trained on" if known else "a given file, not with what production learnt from"
        return path, [*notes, Finding("reference", "file", "ok", f"compared with {words}")]
    if version is None:
        words = f"nothing is promoted as {contract.model_name} yet: compared with {folder.name}/dataset.csv itself"
        return find_csv(folder), [*notes, Finding("reference", "file", "ok", words)]
    path = _find_copy(folder, trained_on)
    if path is None:
        raise DataError(
            f"the reference is not at hand: {which} was trained on data with sha256 {trained_on}, which no "
            f"{folder}/dataset*.csv has; get it with `make data DATASET={folder.name} VERSION={version.number}`, "
            "or name a copy of it with --reference (REFERENCE=… of make)"
        )
    return path, [*notes, Finding("reference", "file", "ok", f"compared with the rows {which} was trained on")]


def _find_copy(folder: Path, sha256: str) -> Path | None:
    """Return the data set's CSV with these bytes: its own, or an earlier version that lies beside it."""
    copies = [find_csv(folder), *sorted(folder.glob("dataset.*.csv"))]
    return next((path for path in copies if path.is_file() and sha256_of(path) == sha256), None)


def _load(version: "Version") -> "Scorer":
    """Return the checked file of a version. Raises TrackingError, ModelFileError."""
    from loan_approval.registry import tracking
    from loan_approval.registry.file_check import check_file
    from serve.model.scorer import Scorer

    data = tracking.load_model_file(version)
    check_file(data, version.sha256)
    return Scorer(data, version.sha256)

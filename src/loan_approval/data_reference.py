"""What new data are compared with: the rows that the version in production was trained on."""

from dataclasses import dataclass
from pathlib import Path

from loan_approval import tracking
from loan_approval.checked_table import Table, read_table
from loan_approval.datasets import dataset_folder, find_csv, load_contract
from loan_approval.drift import Finding
from loan_approval.errors import DataError
from loan_approval.file_check import check_file
from loan_approval.project import ROOT, sha256_of
from loan_approval.promotion import ALIAS
from loan_approval.tracking import Version
from serve.contract import Contract
from serve.scorer import Scorer


@dataclass(frozen=True)
class Tables:
    """New data of a data set and their reference, read by its contract; `notes` say what the reference is."""

    name: str
    contract: Contract
    current: Table
    reference: Table
    notes: list[Finding]


def read_tables(dataset: str, csv: str = "", reference_csv: str = "") -> Tables:
    """Read new data and what they are compared with; paths from the project's root.

    csv: the new data, "" for the data set's own.   reference_csv: the reference, "" for what production was trained on.
    Raises DataError when one can't be read as a table or the reference is not at hand.
    """
    folder = dataset_folder(dataset)
    contract = load_contract(folder)
    found, notes = _find_reference(folder, contract, reference_csv)
    current = read_table(ROOT / csv if csv else find_csv(folder), contract)
    reference = read_table(found, contract)
    if reference.frame.empty:
        raise DataError(f"{found}: as a reference it has no row or column that keeps the contract")
    if current.sha256 == reference.sha256:
        notes.append(Finding("reference", "file", "ok", "the new data are the reference itself"))
    return Tables(folder.name, contract, current, reference, notes)


def _find_reference(folder: Path, contract: Contract, given: str) -> tuple[Path, list[Finding]]:
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


def _load(version: Version) -> Scorer:
    """Return the checked file of a version. Raises TrackingError, ModelFileError."""
    data = tracking.load_model_file(version)
    check_file(data, version.sha256)
    return Scorer(data, version.sha256)

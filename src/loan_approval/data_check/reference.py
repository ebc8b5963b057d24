"""Finds what new data are compared with: the rows that the version in production was trained on."""

import shlex
from typing import Any

from loan_approval.data.datasets import dataset_folder, find_csv, load_contract
from loan_approval.errors import DataError
from loan_approval.project import ROOT, sha256_of
from loan_approval.registry import tracking
from loan_approval.registry.promotion import ALIAS
from serve.model.scorer import Scorer
from serve.model.verify import verify


def find_reference(dataset: str, reference_csv: str = "") -> dict[str, Any]:
    """Return the parameters that name the reference of `05_check_data`: its path, and notes (subject, level, words).

    reference_csv: a file to use instead of production's training data.
    Raises DataError when the reference is missing, TrackingError, ModelFileError.
    """
    folder = dataset_folder(dataset)
    contract = load_contract(folder)
    version = tracking.version_of_alias(contract.model_name, ALIAS)
    trained_on, which, reason, notes = "", "", "", []
    if version is not None:
        which = f"{contract.model_name} version {version.number}, in production,"
        data = tracking.load_model_file(version)
        verify(data, version.sha256)
        scorer = Scorer(data, version.sha256)
        trained_on = scorer.provenance["data_sha256"]
        if scorer.contract != contract:
            words = f"{folder.name}/contract.toml is not the contract that {which} was trained by"
            notes.append(["contract", "warning", words])
    words = f"the rows {which} was trained on"
    if reference_csv:
        path = ROOT / reference_csv
        if not path.is_file() or sha256_of(path) != trained_on:
            words = "a given file, not with what production learnt from"
    elif version is None:
        path, reason = find_csv(folder), f"nothing is promoted as {contract.model_name} yet: "
        words = f"{folder.name}/dataset.csv itself"
    else:
        copies = [find_csv(folder), *sorted(folder.glob("dataset.*.csv"))]
        path = next((path for path in copies if path.is_file() and sha256_of(path) == trained_on), None)
        if path is None:
            raise DataError(
                f"the reference is not at hand: {which} was trained on data with sha256 {trained_on}, which no "
                f"{folder}/dataset*.csv has; get it with "
                f"`make data DATASET={shlex.quote(folder.name)} VERSION={version.number}`, "
                "or name a copy of it with --reference (REFERENCE=… of make)"
            )
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return {"reference_csv": str(shown), "reference_notes": [*notes, ["file", "ok", f"{reason}compared with {words}"]]}

"""Where the server's store of a data set is."""

import os
from pathlib import Path

from loan_approval.data.datasets import dataset_folder, load_contract
from loan_approval.project import ROOT
from serve.store.store import Store


def model_and_store(dataset: str) -> tuple[str, Store]:
    """Return the registered model's name of a data set, and the store its server reads (`SERVE_STORE`)."""
    name = load_contract(dataset_folder(dataset)).model_name
    return name, Store(Path(os.environ.get("SERVE_STORE") or ROOT / "store" / name))

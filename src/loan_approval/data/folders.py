"""The folders that hold a data set: its contract, and its CSV."""

from pathlib import Path

from loan_approval.errors import DataError
from loan_approval.project import ROOT


def dataset_folder(name: str) -> Path:
    """Return `data/<name>`, or the folder itself when `name` is a path. Raises DataError with the names there are."""
    folder = ROOT / name if "/" in name else ROOT / "data" / name
    if not (folder / "contract.toml").is_file():
        known = sorted(path.parent.name for path in ROOT.glob("data/*/contract.toml"))
        raise DataError(f"no data set {name!r}, expected {', '.join(known)}, or a path to a folder with contract.toml")
    return folder

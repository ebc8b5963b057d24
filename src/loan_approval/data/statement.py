"""What the owner of a data set says of the model made from it (`card.toml`), and how many rows each split has."""

import tomllib
from pathlib import Path
from typing import Any

import numpy as np

from loan_approval.data.datasets import SPLITS, Dataset, dataset_folder
from loan_approval.errors import DataError

TEXTS = ("purpose", "source", "owner", "contact")
LISTS = ("not_for", "limits")


def describe_data(dataset: Dataset, name: str) -> dict[str, Any]:
    """Return the model card's topics `statement` and `data`. name: the folder below data/, or a path to one."""
    splits = [{"role": split, "rows": len(dataset.rows(split)[1]), **_share(dataset, split)} for split in SPLITS]
    return {"statement": read_statement(dataset_folder(name)), "data": {"rows": len(dataset.y), "roles": splits}}


def _share(dataset: Dataset, split: str) -> dict[str, float]:
    _, y = dataset.rows(split)
    return {f"share_{dataset.contract.label(1)}": float(np.mean(y))} if len(y) else {}


def read_statement(folder: Path) -> dict[str, Any]:
    """Return the owner's words, {} when there is no `card.toml`. Raises DataError with every problem."""
    path = folder / "card.toml"
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as err:
        raise DataError(f"{path}: can't be read: {err}") from err
    unknown = [f"{key}: expected one of {', '.join(TEXTS + LISTS)}" for key in document if key not in TEXTS + LISTS]
    texts = [f"{key}: expected a text" for key in TEXTS if not isinstance(document.get(key, ""), str)]
    lists = [f"{key}: expected a list of texts" for key in LISTS if not _are_texts(document.get(key, []))]
    if problems := unknown + texts + lists:
        raise DataError("\n  ".join([f"{path}: not a statement", *problems]))
    return document


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)

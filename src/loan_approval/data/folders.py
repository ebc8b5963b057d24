"""The folder of a data set: where it is, its contract, and what its owner states about the model (`card.toml`)."""

import tomllib
from pathlib import Path
from typing import Any

from loan_approval.errors import DataError
from loan_approval.project import ROOT
from serve.contract.contract import Contract
from serve.contract.numbers import count
from serve.errors import ContractError

TEXTS = ("purpose", "source", "owner", "contact")
LISTS = ("not_for", "limits")
PROBLEMS_SHOWN = 20


def dataset_folder(name: str) -> Path:
    """Return `data/<name>`, or the folder itself when `name` is a path. Raises DataError with the known names."""
    folder = ROOT / name if "/" in name else ROOT / "data" / name
    if not (folder / "contract.toml").is_file():
        known = sorted(path.parent.name for path in ROOT.glob("data/*/contract.toml"))
        raise DataError(f"no data set {name!r}, expected {', '.join(known)}, or a path to a folder with contract.toml")
    return folder


def load_contract(folder: Path, draft: bool = False) -> Contract:
    """Read a folder's contract; draft: ignore its open questions. Raises DataError with every problem."""
    path = folder / "contract.toml"
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        for table in (
            (document.get("target"), document.get("source", {}), *document.get("feature", [])) if draft else ()
        ):
            table.pop("question", None)
        return Contract.from_dict(document, where=str(path))
    except ContractError as err:
        raise DataError(summary(path, err.problems)) from err
    except (OSError, ValueError, AttributeError, TypeError) as err:
        raise DataError(f"{path}: not a contract: {err}") from err


def has_questions(folder: Path) -> bool:
    """Return whether a contract that can be read as a draft leaves questions open."""
    try:
        load_contract(folder)
    except DataError:
        return True
    return False


def read_statement(folder: Path) -> dict[str, Any]:
    """Return the owner's statement, {} when there is no `card.toml`. Raises DataError with every problem."""
    path = folder / "card.toml"
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as err:
        raise DataError(f"{path}: can't be read: {err}") from err
    unknown = [f"{key}: expected one of {', '.join(TEXTS + LISTS)}" for key in document if key not in TEXTS + LISTS]
    texts = [f"{key}: expected a text" for key in TEXTS if not isinstance(document.get(key, ""), str)]
    lists = [f"{key}: expected a list of texts" for key in LISTS if not _is_list_of_texts(document.get(key, []))]
    if problems := unknown + texts + lists:
        raise DataError("\n  ".join([f"{path}: not a statement", *problems]))
    return document


def summary(path: Path, problems: list[str]) -> str:
    """Return an error message that shows the first problems of a file and counts all."""
    shown = "\n  ".join(problems[:PROBLEMS_SHOWN])
    more = f"\n  and {len(problems) - PROBLEMS_SHOWN} more" if len(problems) > PROBLEMS_SHOWN else ""
    return f"{path}: {count(len(problems), 'problem')}\n  {shown}{more}"


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)

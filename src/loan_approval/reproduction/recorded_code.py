"""Runs the code of a recorded commit, as a script whose PYTHONPATH names that commit's tree.

Imports nothing of this project at the top: the tree's modules are those of its commit, the oldest without packages.
"""

import contextlib
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any


def train(notebook: Path, target: Path, parameters: dict[str, Any]) -> None:
    """Run the notebook's cells with these parameters until one defines `model_file`; write it to the target."""
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = [cell for cell in json.loads(notebook.read_bytes())["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(cells, 1):
        with contextlib.redirect_stdout(sys.stderr):
            exec(compile("".join(cell["source"]), f"<{notebook.stem}, cell {number}>", "exec"), names)  # noqa: S102
        if "parameters" in cell["metadata"].get("tags", []):
            unknown = sorted(parameters.keys() - names.keys())
            if unknown:
                sys.exit("that commit's notebook has no parameter " + ", ".join(unknown))
            names |= parameters
        if "model_file" in names:
            target.write_bytes(names["model_file"])
            return
    sys.exit("that commit's notebook exports no model_file")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["make-data", dataset]:
            try:
                datasets = import_module("loan_approval.data.datasets")
            except ModuleNotFoundError:  # a commit from before the packages
                datasets = import_module("loan_approval.datasets")
            datasets.load_dataset(dataset)  # which makes a built-in one
        case ["train", notebook, target]:
            train(Path(notebook), Path(target), json.load(sys.stdin))

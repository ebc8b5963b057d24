"""What `reproduce` gives back to 02_train is what the file records: a parameter left out would fall back in silence."""

import ast
from pathlib import Path

import nbformat

PATH = Path(__file__).parents[2] / "notebooks" / "02_train.ipynb"
# Recorded beside them, by name and hash; and what happens with the finished file.
NOT_OF_THE_BYTES = {"dataset", "register"}


def test_every_parameter_of_02_train_is_recorded_in_the_file() -> None:
    cells = [cell for cell in nbformat.read(PATH, as_version=4).cells if cell.cell_type == "code"]
    (parameters,) = [cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    tree = ast.parse("\n".join(cell.source for cell in cells))
    recorded: dict[str, str] = {}
    for node in ast.walk(tree):
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == "given" and isinstance(node.value, ast.Dict):
            recorded |= {key.value: value.id for key, value in zip(node.value.keys, node.value.values, strict=True)}
    asked = {getattr(node, "target", None) or node.targets[0] for node in ast.parse(parameters).body}
    names = {node.id for node in asked} - NOT_OF_THE_BYTES
    assert recorded == {name: name for name in names}

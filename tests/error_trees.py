"""The tree of errors that a module's docstring draws, and the tree of its classes."""

import re
from types import ModuleType


def drawn_tree(module: ModuleType) -> dict[str, str]:
    """Return each drawn error with the one it hangs from."""
    lines = re.findall(r"^([│ ]*[├└]── )?(\w+Error)\b", module.__doc__, re.MULTILINE)
    above: list[str] = []
    tree = {}
    for branch, name in lines:
        depth = len(branch) // 4
        tree[name] = above[depth - 1] if depth else "Exception"
        above[depth:] = [name]
    return tree


def class_tree(module: ModuleType) -> dict[str, str]:
    """Return each error class of the module with its base."""
    classes = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Exception)]
    return {error.__name__: error.__base__.__name__ for error in classes if error.__module__ == module.__name__}

"""`python docs/house.py`: draws the packages and their imports into docs/house.md.

Edges that follow from others are left out (transitive reduction). A test compares the page with what this draws.
"""

import ast
import re
import sys
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).with_name("house.md")
SIDES = {"loan_approval": ROOT / "src/loan_approval", "serve": ROOT / "serve"}
DRAWN = re.compile(r"(?<=<!-- drawn -->\n).*?(?=<!-- end -->)", re.DOTALL)

Edges = dict[str, set[str]]  # package to the packages it imports directly


def read_edges(side: str) -> Edges:
    """Return the imports between a side's packages; a module directly below the side counts as one."""
    graph = grimp.build_graph(*SIDES, cache_dir=None)
    edges: Edges = defaultdict(set)
    for module in graph.modules:
        package = module.split(".")[1:2]
        if module.startswith(f"{side}.") and package != ["__main__"]:
            edges[package[0]] |= {
                imported.split(".")[1]
                for imported in graph.find_modules_directly_imported_by(module)
                if imported.startswith(f"{side}.") and imported.split(".")[1] != package[0]
            }
    return dict(edges)


def reduce_edges(edges: Edges) -> Edges:
    """Return the edges that do not follow from others. Raises CycleError where the packages form a ring."""
    below: Edges = {}
    for package in TopologicalSorter(edges).static_order():
        below[package] = set().union(*({each} | below[each] for each in edges.get(package, ())))
    return {
        package: direct - set().union(*(below[each] for each in direct)) for package, direct in sorted(edges.items())
    }


def describe(side: str, package: str) -> str:
    """Return the first sentence of a package's or module's docstring."""
    folder = SIDES[side] / package
    file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


def draw() -> str:
    """Return the part of the page that follows from the code: a diagram for each side, and what each package holds."""
    parts = []
    for side, folder in SIDES.items():
        edges = read_edges(side)
        arrows = [f"  {package} --> {each}" for package, few in reduce_edges(edges).items() for each in sorted(few)]
        rows = [f"| `{package}` | {describe(side, package)} |" for package in sorted(edges)]
        place = folder.relative_to(ROOT).as_posix()
        parts += [f"## `{place}`\n", "```mermaid", "flowchart TD", *arrows, "```\n"]
        parts += [f"| in `{place}` | what lives there |", "|---|---|", *rows, ""]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "src"), str(ROOT)]
    PAGE.write_text(DRAWN.sub(lambda _: draw(), PAGE.read_text(encoding="utf-8")), encoding="utf-8")

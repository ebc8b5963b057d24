"""The pages of the modules: one for each package, with the docstrings of its modules as autodoc reads them."""

import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
API = Path(__file__).parent / "reference/api"
SIDES = {"loan_approval": ROOT / "src/loan_approval", "serve": ROOT / "serve"}


def api_pages(_page: str = "") -> str:
    """Return the table of contents of the modules."""
    pages = sorted(f"api/{path.stem}" for path in API.glob("*.md"))
    return "\n".join(["```{toctree}\n:maxdepth: 1\n", *pages, "```"])


def write_api_pages() -> None:
    """Write a page for each package, with its modules and their docstrings, below `reference/api`."""
    API.mkdir(exist_ok=True)
    pages: dict[str, list[str]] = {}
    for side, folder in SIDES.items():
        for module in _modules(side, folder):
            package = ".".join(module.split(".")[:2])
            pages.setdefault(package, []).append(module)
    for old in API.glob("*.md"):
        if old.stem not in pages:
            old.unlink()
    for package, modules in pages.items():
        parts = [f"## {m}\n\n```{{eval-rst}}\n.. automodule:: {m}\n   :members:\n```" for m in modules]
        text = "\n\n".join([f"# {package}", *parts]) + "\n"
        path = API / f"{package}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:  # an unchanged page is not built again
            path.write_text(text, encoding="utf-8")


def _modules(side: str, folder: Path) -> Iterator[str]:
    for found in pkgutil.walk_packages([str(folder)], f"{side}."):
        if not found.name.endswith("__main__"):
            yield found.name


def escape(lines: list[str]) -> None:
    """Make reStructuredText of a docstring, in place: its words stay, its lines too, and code stays code."""
    paragraphs = re.split(r"\n\s*\n", "\n".join(lines).strip("\n"))
    lines[:] = [*"\n\n".join(map(_escape_paragraph, paragraphs)).splitlines(), ""]


def _escape_paragraph(text: str) -> str:
    if re.search(r"[├└]|^ {2,}", text, re.MULTILINE):
        return "::\n\n" + "\n".join(f"   {line}" for line in text.splitlines())
    pieces = re.split(r"(`+[^`]+`+)", text)
    pieces[::2] = [re.sub(r"([*|_\\<])", r"\\\1", piece) for piece in pieces[::2]]
    code = [" ".join(piece.strip("`").split()) for piece in pieces[1::2]]  # it may run over a line
    pieces[1::2] = [f"``{piece}``" for piece in code]
    joined = "\\ ".join(pieces).replace("\n\\ ", "\n").replace("\\ \n", "\n")
    return "\n".join(f"| {line.strip()}" for line in joined.splitlines() if line.strip())

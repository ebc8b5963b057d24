"""The README and the pages of the documentation, and what stands in them."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
HAND_WRITTEN = sorted(path for path in DOCS.rglob("*.md") if not {"_build", "api"} & set(path.parts))
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")] + HAND_WRITTEN
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def read(page: str | Path) -> str:
    """Return the text of a page, by its path from the project's root."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(text: str) -> list[str]:
    """Return what stands between fences."""
    return [body for _, body in _FENCE.findall(text)]


def commands(text: str) -> list[str]:
    """Return the commands in a page: lines of its blocks without a language, and what begins so in its text."""
    lines = [
        line.split("  #")[0].strip() for kind, body in _FENCE.findall(text) if not kind for line in body.splitlines()
    ]
    return lines + re.findall(r"`((?:make|python -m|loan-approval) [^`]+)`", _FENCE.sub("", text))


def prose(text: str) -> str:
    """Return a page without its blocks and code."""
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text))


def script(name: str) -> ModuleType:
    """Return a script of the documentation as a module; it imports what lies beside it."""
    sys.path.insert(0, str(DOCS))
    try:
        spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(DOCS))
    return module

"""What is installed, against a lock file's pins."""

import re
from importlib import metadata
from pathlib import Path

from packaging.markers import Marker


def differs_from_lock(lock: Path) -> list[str]:
    """Return `name installed, locked version` for each package that is here in another version than a lock's.

    What is not installed at all, a development tool say, took no part in a training.
    """
    lines = []
    for name, version, marker in re.findall(r"^([\w.-]+)==(\S+)(?: ; (.*?))? \\$", lock.read_text(), re.MULTILINE):
        found = _version(name) if not marker or Marker(marker).evaluate() else None
        if found and found != version:
            lines.append(f"{name} {found}, locked {version}")
    return lines


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None

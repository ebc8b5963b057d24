"""Kubernetes manifests as kustomize makes them, and what the image that they run says of itself."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
KUBERNETES = ROOT / "deploy/kubernetes"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())
KUBECTL = Path(sys.executable).with_name("kubectl")
# What an environment may hold in plain text: never what opens a door, but the name of a file or secret that does.
SECRET = re.compile(r"PASSWORD|TOKEN|SECRET|CREDENTIAL|ACCESS_KEY")


@cache
def render(folder: Path) -> str:
    """Return what `kubectl kustomize` prints for a folder."""
    run = subprocess.run([KUBECTL, "kustomize", folder], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def documents(folder: Path) -> dict[str, Any]:
    """Return a folder's documents by their kind, of which there is one each."""
    listed = [document for document in yaml.safe_load_all(render(folder)) if document]
    by_kind = {document["kind"]: document for document in listed}
    assert len(by_kind) == len(listed)
    return by_kind


def image_environment() -> dict[str, str]:
    """Return what the Dockerfile's ENV sets."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(re.findall(r"^ENV (.*)$", text, re.MULTILINE))))


def plain_secrets(environment: dict[str, str]) -> list[str]:
    """Return the names of variables that hold a secret rather than the name of a file that does."""
    return [name for name in environment if SECRET.search(name) and not name.endswith("_FILE")]

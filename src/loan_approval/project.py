"""Describes this checkout: its root folder, commit, changes and lock file, and the platform."""

import hashlib
import json
import os
import platform
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REPORTS = ROOT / "reports"
LOCK = ROOT / "locks" / "dev.txt"
NOTEBOOKS = "notebooks/*.ipynb"
CODE = ("src", "serve", "notebooks", "locks")  # determines a training's result, with data and parameters


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def git_state() -> dict[str, str]:
    """Return `commit` and `changes`: the SHA-256 of what differs from it in the code folders, "" when nothing does.

    Of a notebook the cells' text and tags count: neither outputs nor what Jupyter writes into the file's metadata.
    Outside a git checkout the commit is "unknown".
    """
    commit = git("rev-parse", "HEAD").decode().strip() or "unknown"
    code = [*CODE, f":(exclude){NOTEBOOKS}"]
    untracked = git("ls-files", "--others", "--exclude-standard", "-z", "--", *code).split(b"\0")
    # The prefixes and the algorithm are fixed, so that a user's git settings don't change the hash.
    options = ("--binary", "--no-color", "--no-ext-diff", "--src-prefix=a/", "--dst-prefix=b/")
    diff = git("diff", "HEAD", *options, "--", *code)
    files = [name + b"\0" + sha256_of(ROOT / os.fsdecode(name)).encode() for name in sorted(filter(None, untracked))]
    changes = b"\0".join([diff, *files, *_changed_notebooks()])
    return {"commit": commit, "changes": hashlib.sha256(changes).hexdigest() if changes else ""}


def _changed_notebooks() -> list[bytes]:
    """Return the name and the SHA-256 of each notebook whose cells differ from the commit's."""
    changed = git("diff", "HEAD", "--name-only", "--no-renames", "-z", "--", NOTEBOOKS)
    untracked = git("ls-files", "--others", "--exclude-standard", "-z", "--", NOTEBOOKS)
    parts = []
    for name in sorted(filter(None, {*changed.split(b"\0"), *untracked.split(b"\0")})):
        path = ROOT / os.fsdecode(name)
        now = _cells(path.read_bytes()) if path.is_file() else b""
        if now != _cells(git("show", f"HEAD:{os.fsdecode(name)}")):
            parts.append(name + b"\0" + hashlib.sha256(now).hexdigest().encode())
    return parts


def _cells(notebook: bytes) -> bytes:
    """Return the cells' types, tags and texts; of what is no notebook, all of it."""
    try:
        cells = json.loads(notebook)["cells"]
        parts = [[each["cell_type"], each["metadata"].get("tags"), "".join(each["source"])] for each in cells]
    except (ValueError, KeyError, TypeError, AttributeError):
        return notebook
    return json.dumps(parts).encode()


def platform_state() -> dict[str, str]:
    """Return what else may change the bytes of a training than commit, data, lock and parameters.

    `cpu` is the processor type that the linear algebra library detects; its arithmetic depends on it.
    """
    from threadpoolctl import threadpool_info  # knows only loaded libraries: the caller must have imported numpy

    system = f"{platform.system()} {platform.machine()} {' '.join(platform.libc_ver())}".rstrip()
    cpus = sorted({str(pool["architecture"]) for pool in threadpool_info() if pool.get("architecture")})
    return {"platform": system, "python": platform.python_version(), "cpu": ", ".join(cpus) or "unknown"}


def git(*arguments: str) -> bytes:
    """Return the output of a git command in this checkout, b"" when it fails or there is no git."""
    try:
        run = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)
    except FileNotFoundError:
        return b""
    return run.stdout if run.returncode == 0 else b""

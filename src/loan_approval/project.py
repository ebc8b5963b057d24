"""Describes this checkout: its root folder, commit, changes and lock file, and the platform."""

import hashlib
import os
import platform
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REPORTS = ROOT / "reports"
LOCK = ROOT / "locks" / "dev.txt"
CODE = ("src", "serve", "notebooks", "locks")  # determines a training's result, with data and parameters


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def git_state() -> dict[str, str]:
    """Return `commit` and `changes`: the SHA-256 of what differs from it in the code folders, "" when nothing does.

    Outside a git checkout the commit is "unknown".
    """
    commit = git("rev-parse", "HEAD").decode().strip() or "unknown"
    untracked = git("ls-files", "--others", "--exclude-standard", "-z", "--", *CODE).split(b"\0")
    # The prefixes and the algorithm are fixed, so that a user's git settings don't change the hash.
    options = ("--binary", "--no-color", "--no-ext-diff", "--src-prefix=a/", "--dst-prefix=b/")
    diff = git("diff", "HEAD", *options, "--", *CODE)
    files = [name + b"\0" + sha256_of(ROOT / os.fsdecode(name)).encode() for name in sorted(filter(None, untracked))]
    changes = b"\0".join([diff, *files])
    return {"commit": commit, "changes": hashlib.sha256(changes).hexdigest() if changes else ""}


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

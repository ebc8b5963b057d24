"""Environments of their own for tests, made from a hashed lock."""

import subprocess
import sys
from pathlib import Path

import pytest

LOCKS = Path(__file__).parents[1] / "locks"


def make_environment(folder: Path, lock: str) -> Path:
    """Make an environment that has what a lock names and nothing else; return its interpreter.

    Skips the test where the packages can't be fetched.
    """
    subprocess.run([sys.executable, "-m", "uv", "venv", "--quiet", "--python", sys.executable, folder], check=True)
    python = folder / "bin/python"
    install = ["-m", "uv", "pip", "install", "--require-hashes", "-r", LOCKS / lock, "--python", python]
    made = subprocess.run([sys.executable, *install], capture_output=True, text=True, timeout=1200, check=False)
    if "Failed to fetch" in made.stderr:
        pytest.skip(f"the packages of locks/{lock} can't be fetched: {made.stderr.strip()[-300:]}")
    assert made.returncode == 0, made.stderr
    return python

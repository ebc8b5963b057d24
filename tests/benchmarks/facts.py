"""When, on what and with which versions a run was made."""

import json
import os
import platform
import re
import subprocess
import time
from pathlib import Path

from tests.benchmarks.servers import BENCH, MLSERVER, PYTHON

PACKAGES = {
    PYTHON: ("mlflow", "onnxruntime", "scikit-learn", "uvloop", "httptools", "msgspec"),
    BENCH / "python": ("fastapi", "uvicorn", "pydantic", "gunicorn", "granian"),
    MLSERVER / "python": ("mlserver",),
}
_ASK = "import json, sys, importlib.metadata as m; print(json.dumps({name: m.version(name) for name in sys.argv[1:]}))"


def describe_run(rounds: int, seconds: int, minutes: float, load: float) -> str:
    """Return one line; `load` is the load average before the run, which tells whether the machine was busy."""
    versions = {name: version for python, names in PACKAGES.items() for name, version in _ask(python, names).items()}
    versions |= {"nginx": _banner("nginx", "-v"), "wrk": _banner("wrk", "-v")}
    return (
        f"{describe_machine()}; "
        f"{rounds} rounds of {seconds} s a load, {minutes:.1f} minutes in all, load average before it {load:.1f}; "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
    )


def describe_machine() -> str:
    """Return the day, the processor, its cores and the interpreter."""
    return f"{time.strftime('%Y-%m-%d')}, {_cpu()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _ask(python: Path, names: tuple[str, ...]) -> dict[str, str]:
    return json.loads(subprocess.run([python, "-c", _ASK, *names], capture_output=True, check=True).stdout)


def _banner(program: str, option: str) -> str:
    said = subprocess.run([program, option], capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+[.\d]*", said.stdout + said.stderr)
    return found.group() if found else "unknown"


def _cpu() -> str:
    found = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found.group(1) if found else platform.machine()

"""Verifies a model file in a process of its own, with limits of time and memory.

onnxruntime computes what is constant in a graph while it loads the file: nothing interrupts that or bounds its memory.
`python -m serve.model.verify SHA256` takes the file from its standard input and prints why it is refused, if it is.
"""

import hashlib
import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import onnxruntime

from serve.errors import ModelFileError, StoreError
from serve.model.scorer import Scorer
from serve.model.shapley import Explainer
from serve.model.single_row import SingleRow

# A forest of 40 MB takes 2 s of processor time, and the process half a second to start. Whoever waits here gives the
# supervisor no sign of life, which kills after 30 s without one.
SECONDS = 20
# Python, numpy and onnxruntime have 70 MB, the longest batch of wide rows some tens; together with a server of one
# worker it stays below the 512 MB that the deployments give a container. A forest takes 14 bytes for each of its file.
MEMORY = 256 * 2**20  # bytes, and
MEMORY_A_BYTE = 24  # bytes for each byte of the file
REFUSED = 3  # exit code
# Of the environment, what Python and onnxruntime need, and no password.
INHERITED = ("PATH", "HOME", "LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "ORT_DISABLE_TELEMETRY")
LONGEST_REASON = 1000  # characters; it may quote names in the file
# What a file passed: this check, numbered, and the onnxruntime that loaded it. Another one verifies it again.
CHECK = f"check 1, onnxruntime {onnxruntime.__version__}\n".encode()

_passed: set[str] = set()  # sha256 of the files that this process had verified


def verify(data: bytes, sha256: str) -> None:
    """Have another process verify a file, once. Raises ModelFileError, or StoreError if there is no such process."""
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ModelFileError(f"the file has sha256 {found}, expected {sha256}")
    if sha256 in _passed:
        return
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    environment |= {"PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "serve.model.verify", sha256]
    try:
        process = subprocess.run(
            command, input=data, capture_output=True, env=environment, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as err:
        raise ModelFileError(f"the file is not verified within {SECONDS} s") from err
    except OSError as err:
        raise StoreError(f"the process that verifies a model file can't be started: {err.strerror}") from err
    if process.returncode == REFUSED:
        raise ModelFileError(process.stdout.decode("utf-8", "replace"))
    if process.returncode < 0:
        raise ModelFileError(f"the file ends the process that verifies it: {signal.strsignal(-process.returncode)}")
    if process.returncode:
        raise StoreError(f"the process that verifies a model file failed with exit code {process.returncode}")
    _passed.add(sha256)


def check(data: bytes, sha256: str) -> None:
    """Raise ModelFileError unless a file can do in this process all that is asked of it: score, decide and explain."""
    scorer = Scorer(data, sha256)
    try:
        Explainer(scorer).explain(scorer.contract.encode(scorer.contract.example()))
        single = SingleRow(scorer)
        is_same = [single.score(row.tobytes()) == scorer.score_one(row[None]) for row in scorer.background]
    except Exception as err:  # whatever onnxruntime raises for these rows, the file is at fault
        raise ModelFileError(f"the background rows can't be scored: {type(err).__name__}") from err
    if not all(is_same):
        raise ModelFileError("the background rows score otherwise in bound memory")


def _limit(size: int) -> None:
    """Bound what this process may take; where memory is short all the same, the system ends it before the server."""
    most, (_, allowed) = MEMORY + MEMORY_A_BYTE * size, resource.getrlimit(resource.RLIMIT_DATA)
    most = most if allowed == resource.RLIM_INFINITY else min(most, allowed)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(SECONDS)  # its parent may have been killed
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def main() -> None:
    """Verify the file at standard input."""
    data = sys.stdin.buffer.read()
    _limit(len(data))
    try:
        check(data, sys.argv[1])
    except ModelFileError as err:
        reason = str(err)
    except Exception as err:  # noqa: BLE001 (whatever the file makes fail, it is at fault)
        reason = f"its verification fails with a {type(err).__name__}"
    else:
        return
    sys.stdout.buffer.write(reason[:LONGEST_REASON].encode("utf-8", "replace"))
    sys.stdout.flush()
    sys.exit(REFUSED)


if __name__ == "__main__":
    main()

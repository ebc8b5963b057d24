"""The child process of `process`: papermill runs the notebook that a JSON request on standard input names.

Exits with 1 when a cell failed. Imports nothing of the project, so that it starts as fast as papermill does.
"""

import json
import os
import sys
import threading
import time

import papermill
import psutil
from traitlets.config import Config


def main() -> None:
    """Run one notebook in the folder that the request names."""
    request = json.load(sys.stdin)
    threading.Thread(target=_end_with_parent, args=(request.pop("parent"),), daemon=True).start()
    os.chdir(request.pop("folder"))  # papermill records relative names in the notebook
    # Other users of the machine can reach the kernel's ports; socket files have paths of 100 characters at most.
    config = Config(KernelManager={"transport_encryption": "auto"})
    try:
        papermill.execute_notebook(**request, config=config)
    except papermill.PapermillExecutionError:  # the executed notebook holds the error and its traceback
        sys.exit(1)


def _end_with_parent(parent: int) -> None:
    """Kill the kernel when the parent has gone: a parent that is killed can't end what it started."""
    while os.getppid() == parent:
        time.sleep(0.5)
    for member in psutil.Process().children(recursive=True):
        member.kill()
    os._exit(1)


if __name__ == "__main__":
    main()

"""A real PostgreSQL on loopback, from the system's packages; absent, who needs it is skipped with a word."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server_process import find_free_port


def find_programs() -> Path | None:
    """Return the folder of initdb and pg_ctl, None where there is no PostgreSQL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))  # where Debian has it
    initdb = str(found[-1]) if found else shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


@contextmanager
def postgres_server() -> Iterator[str]:
    """Run one with a database `mlflow` until the block ends; yields its address for SQLAlchemy.

    It has a folder of its own: the user it runs as may not enter pytest's.
    """
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not on this machine: install postgresql")
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as folder:
        if not os.geteuid():  # PostgreSQL refuses to run as root
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
        data, port = Path(folder) / "data", find_free_port()
        _run(programs / "initdb", "-D", data, "-U", "mlflow", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        _run(programs / "pg_ctl", "-D", data, "-l", data / "server.log", "-w", "-o", options, "start")
        try:
            _run(programs / "createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "mlflow", "mlflow")
            yield f"postgresql+psycopg2://mlflow@127.0.0.1:{port}/mlflow"
        finally:
            _run(programs / "pg_ctl", "-D", data, "-m", "immediate", "stop")


def _run(*command: str | Path) -> None:
    as_user = ["runuser", "-u", "postgres", "--"] if not os.geteuid() else []
    run = subprocess.run([*as_user, *command], cwd="/", capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr

"""A group of processes with a limit of memory, as a container has one, where this machine lets us make one."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
# By version: the controller's folder, the file of the limit, and that of the most memory that was ever used.
VERSIONS = [
    (ROOT / "memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes"),
    (ROOT, "memory.max", "memory.peak"),
]


@contextmanager
def limited(pids: Sequence[int], mebibytes: int) -> Iterator[Path | None]:
    """Hold processes to a limit until the block ends; yield the file of their peak in bytes, None where there is none.

    Beyond the limit the kernel kills one of them, as it would in a container.
    """
    for folder, limit, peak in VERSIONS:
        group = folder / f"loan-approval-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / limit).write_text(str(mebibytes * 2**20))
        except OSError:  # the second version without this controller
            group.rmdir()
            continue
        try:
            with suppress(OSError):  # of the first version, in older kernels: what they hold already counts
                (group / "memory.move_charge_at_immigrate").write_text("3")
            _move(pids, group)
            yield group / peak if (group / peak).exists() else None
        finally:
            _move(pids, folder)
            group.rmdir()
        return
    yield None


def _move(pids: Sequence[int], group: Path) -> None:
    for pid in pids:
        if Path(f"/proc/{pid}").exists():
            (group / "cgroup.procs").write_text(str(pid))

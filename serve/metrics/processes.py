"""What the processes of this server take of the machine, read from /proc at each scrape, one series a process.

Sums would mislead: the limit of open files is a process' own, memory that leaks does so in one worker, and the counter
of a worker that is started again begins anew, where a sum would fall. A page of memory that several processes share is
counted in each of them.
"""

from collections.abc import Iterable, Mapping

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import Metric as Family

# Not the virtual memory: allocators reserve gigabytes that are never used.
NAMES = ("cpu_seconds", "max_fds", "open_fds", "resident_memory_bytes", "start_time_seconds")


def collect_processes(pids: Mapping[str, int]) -> Iterable[Family]:
    """Return the metrics of processes, whose numbers are given by their names; of one that has ended there are none."""
    current = 0
    collector = ProcessCollector(pid=lambda: current, registry=None)
    families: dict[str, Family] = {}
    for process, pid in sorted(pids.items()):
        current = pid
        for one in collector.collect():
            if one.name.removeprefix("process_") in NAMES:
                empty = type(one)(one.name, one.documentation, labels=("process",))
                families.setdefault(one.name, empty).add_metric([process], one.samples[0].value)
    return families.values()

import os
import resource
import subprocess
import sys
import time

from serve.metrics.processes import collect_processes


def values(name: str, **pids: int) -> dict[str, float]:
    """Return the value of one metric by process."""
    (family,) = [family for family in collect_processes(pids) if family.name == name]
    assert all(sample.labels.keys() == {"process"} for sample in family.samples)
    return {sample.labels["process"]: sample.value for sample in family.samples}


def test_each_process_has_its_own_open_files_under_its_own_limit():
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = values("process_open_fds", worker=os.getpid())["worker"]
    with open(__file__, "rb"):  # noqa: PTH123
        assert values("process_open_fds", worker=os.getpid())["worker"] == before + 1
    assert values("process_max_fds", worker=os.getpid()) == {"worker": limit}


def test_memory_and_start_are_those_of_the_process():
    started = values("process_start_time_seconds", worker=os.getpid())["worker"]
    assert 0 <= time.time() - started < 24 * 3600
    resident = values("process_resident_memory_bytes", worker=os.getpid())["worker"]
    assert 2**20 < resident <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_the_processor_time_is_that_of_the_process_and_a_counter():
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    (family,) = [each for each in collect_processes({"worker": os.getpid()}) if each.name == "process_cpu_seconds"]
    assert family.type == "counter"
    assert used - 0.5 < family.samples[0].value  # the kernel counts in hundredths


def test_several_processes_are_told_apart_and_one_that_has_ended_is_left_out():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    found = values("process_open_fds", one=os.getpid(), two=os.getppid(), three=ended.pid)
    assert found.keys() == {"one", "two"}


def test_each_metric_is_described_once_for_all_processes():
    names = [family.name for family in collect_processes({"one": os.getpid(), "two": os.getppid()})]
    assert sorted(names) == [
        *("process_cpu_seconds", "process_max_fds", "process_open_fds"),
        *("process_resident_memory_bytes", "process_start_time_seconds"),
    ]

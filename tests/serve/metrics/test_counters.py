import errno
import threading
from pathlib import Path

import pytest

from serve.metrics.count_files import forget_gauges
from serve.metrics.counters import Tallies


def worker(folder: Path, name: str) -> Tallies:
    tallies = Tallies()
    tallies.share(folder / name)
    return tallies


def test_an_unshared_process_sees_its_own_counts():
    tallies = Tallies()
    tallies.add(("decisions", "yes"), 2)
    tallies.set({("open",): 3})
    assert tallies.together() == {("decisions", "yes"): [2], ("open",): [3]}


def test_counts_add_up_over_processes_and_gauges_stand_side_by_side(tmp_path):
    one, two = worker(tmp_path, "worker 1"), worker(tmp_path, "worker 2")
    row = one.row(("seconds",), 3)
    row[0], row[2] = 1, 0.5
    two.row(("seconds",), 3)[1] = 4
    two.add(("only", "in two"))
    one.set({("open",): 3})
    two.set({("open",): 4})
    one.publish()
    assert two.together() == {("seconds",): [1, 4, 0.5], ("only", "in two"): [1], ("open",): [3, 4]}
    assert one.together() == two.together()


def test_a_process_that_replaces_a_dead_one_continues_its_counts(tmp_path):
    for expected in range(1, 51):
        tallies = Tallies()
        tallies.add(("answers",))  # counted before the folder is known
        tallies.row(("seconds", "GET"), 2)
        tallies.share(tmp_path / "worker 1")
        assert tallies.together()[("answers",)] == [expected]
        forget_gauges(tmp_path / "worker 1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["worker 1.counts"]


def test_forgotten_gauges_are_gone_everywhere(tmp_path):
    one, two = worker(tmp_path, "worker 1"), worker(tmp_path, "worker 2")
    one.set({("model", "1"): 0, ("model", "2"): 1, ("open",): 3})
    one.forget("model")
    one.publish()
    assert two.together() == {("open",): [3]}


def test_a_row_from_before_the_sharing_still_counts(tmp_path):
    for expected in (1, 2):
        tallies = Tallies()
        row = tallies.row(("answers",))
        tallies.share(tmp_path / "worker 1")
        row[0] += 1
        assert tallies.together() == {("answers",): [expected]}


def test_nothing_is_written_while_nothing_changes(tmp_path):
    tallies = worker(tmp_path, "worker 1")
    before = (tmp_path / "worker 1.counts").stat().st_ino
    tallies.publish()
    assert (tmp_path / "worker 1.counts").stat().st_ino == before
    tallies.add(("answers",))
    tallies.publish()
    assert (tmp_path / "worker 1.counts").stat().st_ino != before


def test_on_a_full_disk_the_process_goes_on(tmp_path, monkeypatch, caplog):
    tallies = worker(tmp_path, "worker 1")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fail)
        for _ in range(3):
            tallies.add(("answers",))
            tallies.publish()
    assert caplog.messages == ["the metrics can't be shared: No space left on device"]
    assert tallies.together() == {("answers",): [3]}


@pytest.mark.parametrize("shared", [False, True])
def test_no_count_is_lost_between_threads(tmp_path, shared):
    tallies = worker(tmp_path, "worker 1") if shared else Tallies()

    def count(number: int) -> None:
        for step in range(2000):
            tallies.add(("answers", str(step % 7)))
            if number == 0 and step % 100 == 0:
                tallies.together()

    threads = [threading.Thread(target=count, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(row[0] for row in tallies.together().values()) == 8000

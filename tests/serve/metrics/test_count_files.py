from pathlib import Path

from serve.metrics.count_files import forget_gauges, make_counts, sweep_counts
from serve.metrics.counters import Tallies


def worker(folder: Path, name: str) -> Tallies:
    tallies = Tallies()
    tallies.share(folder / name)
    return tallies


def test_a_sweep_removes_what_a_killed_server_left_and_nothing_else(tmp_path):
    left = tmp_path / "serve-1-abc"  # process 1 always runs: it is another one now
    (left / "in it").mkdir(parents=True)
    others = [tmp_path / "serve-abc-def", tmp_path / "other"]
    for each in others:
        each.mkdir()
    used = make_counts(tmp_path)
    sweep_counts(tmp_path)
    assert set(tmp_path.iterdir()) == {*others, used}


def test_a_dead_process_leaves_its_counts_and_no_gauges(tmp_path):
    one, two = worker(tmp_path, "worker 1"), worker(tmp_path, "worker 2")
    for each in (one, two):
        each.add(("answers",))
        each.set({("open",): 1})
        each.publish()
    forget_gauges(tmp_path / "worker 1")
    forget_gauges(tmp_path / "worker 1")
    assert two.together() == {("open",): [1], ("answers",): [2]}

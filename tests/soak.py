"""`python -m tests.soak --minutes 10`: mixed traffic for a while; fails when memory, threads or descriptors grow.

Right and wrong predictions, documents, health checks, slow and vanishing clients, and a swap of models every few
seconds, against two workers. A sample every 5 seconds; after a warm-up of a quarter of the time, the median of the last
third may not lie above that of the first.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median

from serve.store.store import Store
from tests.load import PREDICT, SLOW_BODY, SLOW_HEAD, Load, Usage, load, slow_clients, usage, vanish_many, worker_pids
from tests.model_files import good_files
from tests.raw_http import get, post
from tests.server_process import Server, find_free_port, promote, running_server

SAMPLE_SECONDS = 5
GOOD = (PREDICT, post(PREDICT.partition(b"\r\n\r\n")[2], "Content-Type: application/json;charset=utf-8"))
BAD = (post(b'{"Age": 7}'), post(b"{"), post(b'{"Age": 45, "Age": 45}'), get("/nowhere"))
DOCUMENTS = (get("/openapi.json"), get("/docs/"), get("/api/v2/model"), get("/health/ready"), get("/"))
# What may be more at the end, of each: KiB (as a share, and in all), threads, descriptors.
GROWTH_SHARE, GROWTH_KIB, GROWTH_THREADS, GROWTH_DESCRIPTORS = 0.03, 4096, 1, 40


def main() -> None:
    """Run, print the table, and exit with 1 when something has grown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--minutes", type=float, default=10)
    seconds = 60 * parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store, files = Store(folder / "store"), good_files()
        promote(store, files["loans"], "0")
        told = {f"SERVE_{which}_SECONDS": "2" for which in ("RECEIVE", "SEND", "IDLE")}
        told |= {"SERVE_WORKERS": "2", "SERVE_METRICS_ADDRESS": f"127.0.0.1:{find_free_port()}"}
        with running_server(folder, store.path, **told) as server:
            samples, asked = run(server, store, files, seconds)
            log = server.log.read_text()
            code = server.stop()
    print("answers by status:", dict(sorted(Counter(answer for each in asked for answer in each).items())))
    faults = find_faults(samples)
    faults += [f"exit code {code}"] * (code != 0) + ["a traceback"] * ("Traceback" in log)
    faults += ['a line of level "error" in the log'] * ('"level": "error"' in log)
    faults += [f"an answer {status}" for each in asked for status in set(each) - {200, 400, 404, 422}]
    print("\n".join(["", *(f"FAILED: {fault}" for fault in faults)]) if faults else "nothing has grown")
    sys.exit(bool(faults))


def run(
    server: Server, store: Store, files: dict[str, bytes], seconds: float
) -> tuple[dict[int, list[Usage]], list[list[int]]]:
    """Return the samples of each process, and the statuses of each load."""
    deadline, stop = time.monotonic() + seconds, threading.Event()
    harm = threading.Thread(target=do_harm, args=(server.port, stop))
    swaps = threading.Thread(target=swap, args=(store, files, stop))
    parent = server.process.pid
    pids = [parent, *worker_pids(parent)]
    samples: dict[int, list[Usage]] = {pid: [] for pid in pids}
    statuses: list[list[int]] = [[], [], []]
    print("   s " + "".join(f"  {who:>8} KiB threads  fds" for who in ("parent", "worker 1", "worker 2")))
    with ExitStack() as stack:
        loads = [stack.enter_context(load(server.port, 2, *kind, pause=0.003)) for kind in (GOOD, BAD, DOCUMENTS)]
        for thread in (harm, swaps):
            thread.start()
            stack.callback(thread.join)
        stack.callback(stop.set)
        while time.monotonic() < deadline:
            time.sleep(SAMPLE_SECONDS)
            for pid in pids:
                samples[pid].append(usage(pid))
            latest = [samples[pid][-1] for pid in pids]
            row = "".join(f"  {each.rss:>12} {each.threads:>7} {each.descriptors:>4}" for each in latest)
            print(f"{seconds - deadline + time.monotonic():4.0f} {row}", flush=True)
            for collected, each in zip(statuses, loads, strict=True):
                collected += take(each)
    return samples, statuses


def take(collected: Load) -> list[int]:
    """Take the statuses out of a load, so that this process doesn't grow instead."""
    answers, collected.answers, collected.seconds = collected.answers, [], []
    return [answer.status for answer in answers]


def do_harm(port: int, stop: threading.Event) -> None:
    """Be slow, and be gone, until told to stop."""
    while not stop.is_set():
        with suppress(OSError):
            vanish_many(port, 70)
            for begun in (SLOW_HEAD, SLOW_BODY, b"", get("/docs/swagger-ui-bundle.js") * 9):
                with slow_clients(port, 20, begun):
                    stop.wait(1)


def swap(store: Store, files: dict[str, bytes], stop: threading.Event) -> None:
    """Promote the one and the other."""
    number = 0
    while not stop.wait(3):
        number += 1
        promote(store, files[("loans", "loans_strict")[number % 2]], str(number % 2))


def find_faults(samples: dict[int, list[Usage]]) -> list[str]:
    """Say what has grown from the first third to the last, after the warm-up."""
    faults = []
    for pid, all_samples in samples.items():
        steady = all_samples[len(all_samples) // 4 :]
        third = max(1, len(steady) // 3)
        first, last = steady[:third], steady[-third:]
        for name, most in (
            ("rss", GROWTH_KIB + GROWTH_SHARE * first[0].rss),
            ("threads", GROWTH_THREADS),
            ("descriptors", GROWTH_DESCRIPTORS),
        ):
            before, after = (median(getattr(each, name) for each in part) for part in (first, last))
            print(f"process {pid}: {name} {before:.0f} -> {after:.0f}")
            if after > before + most:
                faults.append(f"process {pid}: {name} grew from {before:.0f} to {after:.0f}")
    return faults


if __name__ == "__main__":
    main()

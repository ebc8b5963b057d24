"""`python -m tests.benchmarks.steady PORT PATH BODIES RATE SECONDS`: callers that come when they come; prints JSON.

Open loop: the moments of the requests are drawn beforehand (exponential gaps, always the same), and an answer is timed
from the moment its request was due, whether or not a connection was free then. It keeps a core busy all the time.
"""

import json
import random
import select
import socket
import sys
import time
from collections import deque
from contextlib import ExitStack
from pathlib import Path

CONNECTIONS = 64
SEED = 7
PATIENCE = 10  # seconds for the last answers


def main() -> None:
    """Ask, and print requests, failed, p50_ms and p99_ms."""
    port, path, bodies, rate, seconds = sys.argv[1:]
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: "
    requests = [f"{head}{len(body)}\r\n\r\n".encode() + body for body in Path(bodies).read_bytes().splitlines()]
    with ExitStack() as stack:
        callers = [stack.enter_context(socket.create_connection(("127.0.0.1", int(port)))) for _ in range(CONNECTIONS)]
        for caller in callers:
            caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        times, failed = ask(callers, requests, draw_moments(float(rate), float(seconds)))
    times.sort()
    said = {"requests": len(times), "failed": failed}
    said |= {name: times[int(len(times) * share)] * 1000 for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99))}
    print(json.dumps(said))


def draw_moments(rate: float, seconds: float) -> list[float]:
    """Return when the requests are due, in seconds from the beginning."""
    source, moments, at = random.Random(SEED), [], 0.0
    while (at := at + source.expovariate(rate)) < seconds:
        moments.append(at)
    return moments


def ask(callers: list[socket.socket], requests: list[bytes], moments: list[float]) -> tuple[list[float], int]:
    """Return the seconds of each answer with status 200, and how many others there were, or none came."""
    free, poll, times = deque(callers), select.epoll(), []
    known = {caller.fileno(): caller for caller in callers}
    for caller in callers:
        poll.register(caller, select.EPOLLIN)
    due: dict[int, float] = {}
    begun, turn = time.perf_counter(), 0
    while (turn < len(moments) or due) and time.perf_counter() - begun < moments[-1] + PATIENCE:
        while turn < len(moments) and free and time.perf_counter() - begun >= moments[turn]:
            caller = free.popleft()
            caller.sendall(requests[turn % len(requests)])
            due[caller.fileno()] = moments[turn]
            turn += 1
        for number, _ in poll.poll(0):
            answer = known[number].recv(65_536)  # whole: the server writes an answer at once, and it is short
            if answer.startswith(b"HTTP/1.1 200"):
                times.append(time.perf_counter() - begun - due.pop(number))
                free.append(known[number])
            else:  # this caller asks no more
                due.pop(number, None)
                poll.unregister(number)
    return times, len(moments) - len(times)


if __name__ == "__main__":
    main()

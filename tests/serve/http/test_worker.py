"""Workers as real processes, since each handles the signals of its own; the service is one that prints its calls."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.raw_http import connect, get, read_answer

ROOT = Path(__file__).parents[3]
WORKER = """
import os, sys, socket, uvloop
from serve.http.worker import work
from serve.settings import Settings

class Service:
    def __init__(self, name):
        self.name, self.rejected, self.last = name, print, ()
    def application(self, environ, start_response):
        start_response("200 OK", [])
        return [self.name]
    def short_cut(self, *_):
        return None
    def body_limit(self, _target):
        return 100
    def admits(self, *_):
        return True
    def is_urgent(self, _target):
        return False
    def gauge(self, connections, in_flight):
        self.last = connections, in_flight
    def stop(self):
        print("stop", flush=True)
    def close(self):
        print("close", *self.last, flush=True)

def make_service():
    service = Service(b"public")
    service.metrics = Service(b"metrics")
    return service

public, metrics = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
uvloop.run(work(make_service, Settings(drain_seconds=60.0), public, metrics, lambda: None, int(sys.argv[3])))
"""


@pytest.fixture
def listeners() -> Iterator[list[socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as public, socket.create_server(("127.0.0.1", 0)) as metrics:
        yield [public, metrics]


@contextmanager
def start(listeners: list[socket.socket], parent: int) -> Iterator[subprocess.Popen]:
    """Run a worker until the block ends."""
    numbers = [each.fileno() for each in listeners]
    command = [sys.executable, "-c", WORKER, *map(str, [*numbers, parent])]
    environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, pass_fds=numbers, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def ask(client: socket.socket) -> tuple[bytes, str | None]:
    client.sendall(get("/"))
    answer = read_answer(client.makefile("rb"))
    return answer.body, answer.header("connection")


def test_both_addresses_are_served_until_sigterm_then_the_service_is_stopped_and_closed(listeners):
    public, metrics = (each.getsockname()[1] for each in listeners)
    with start(listeners, os.getpid()) as process:
        with connect(public) as client, connect(metrics) as other:
            assert [ask(client), ask(other)] == [(b"public", None), (b"metrics", None)]
            client.sendall(get("/")[:-2])
            process.send_signal(signal.SIGTERM)
            assert process.stdout.readline() == "stop\n"
            client.sendall(b"\r\n")
            answer = read_answer(client.makefile("rb"))
            assert (answer.body, answer.header("connection")) == (b"public", "close")
        assert process.stdout.readline() == "close 0 0\n"
        assert process.wait(60) == 0


def test_a_worker_whose_parent_is_gone_ends(listeners):
    with start(listeners, parent=os.getppid()) as process:
        assert process.communicate(timeout=60)[0].split("\n")[0] == "stop"
        assert process.returncode == 0

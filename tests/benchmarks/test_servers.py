"""Peers that run in the project's own environment decide as the model does; `make bench` checks them all in theirs."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.load import check_answers
from tests.benchmarks.model import Made, make_questions
from tests.benchmarks.process import LOAD_CORE, SERVER_CORE, running
from tests.benchmarks.servers import PEERS, RAW_ASGI, SERVERS, UNCALIBRATED, Server, Start, ours

pytestmark = pytest.mark.skipif(
    not {int(LOAD_CORE), int(SERVER_CORE)} <= os.sched_getaffinity(0), reason="needs two cores"
)
(SHORT_CUT,) = [server for server in SERVERS if "granian" in server.name]
RUN_SHORT_CUT = """
import sys
from short_cut import app
from werkzeug.serving import run_simple
run_simple("127.0.0.1", int(sys.argv[1]), app)
"""


def under_uvicorn(server: Server) -> Server:
    """The same application under the uvicorn that MLflow brings."""

    def start(made: Made, port: int, folder: Path) -> Start:
        start = server.start(made, port, folder)
        return Start([sys.executable, "-m", "uvicorn", *start.command[1:]], start.environment)

    return replace(server, start=start)


def under_werkzeug(server: Server) -> Server:
    """The same application without granian."""

    def start(made: Made, port: int, folder: Path) -> Start:
        environment = {**server.start(made, port, folder).environment, "PYTHONPATH": str(PEERS)}
        return Start([sys.executable, "-c", RUN_SHORT_CUT, str(port)], environment)

    return replace(server, start=start)


@pytest.mark.parametrize(
    "server",
    [under_uvicorn(UNCALIBRATED), under_uvicorn(RAW_ASGI), under_werkzeug(SHORT_CUT)],
    ids=lambda server: server.name,
)
def test_a_peer_decides_as_the_model_does(logistic: Made, tmp_path: Path, server: Server) -> None:
    questions = make_questions(logistic, 100)
    with running(server, logistic, tmp_path / "run", server.wire.encode(questions.rows[:1])) as process:
        check_answers(process, server.wire, logistic, questions)


def test_this_server_takes_settings_and_a_relative_path_lies_in_its_folder(logistic: Made, tmp_path: Path) -> None:
    server = Server("with a log", ours(SERVE_PREDICTION_LOG="log", SERVE_PREDICTION_LOG_MODE="required"))
    questions = make_questions(logistic, 1)
    with running(server, logistic, tmp_path / "run", server.wire.encode(questions.rows)):
        assert list((tmp_path / "run" / "log").iterdir())

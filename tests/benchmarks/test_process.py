import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmarks.model import Made
from tests.benchmarks.process import LOAD_CORE, SERVER_CORE, NoAnswer, running
from tests.benchmarks.servers import PEERS, Server, Start

pytestmark = pytest.mark.skipif(
    not {int(LOAD_CORE), int(SERVER_CORE)} <= os.sched_getaffinity(0), reason="needs two cores"
)


def serving(*options: str) -> Server:
    """A server of a constant answer; MLflow brings uvicorn."""
    command = [sys.executable, "-m", "uvicorn", "constant:app", "--app-dir", str(PEERS), *options, "--port"]
    return Server("constant", lambda made, port, folder: Start([*command, str(port)]))


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path, 0.5, 0.5)


def test_the_whole_tree_is_counted_and_gone_at_the_end(made: Made) -> None:
    with running(serving("--workers", "2"), made, made.folder / "run", b"{}") as server:
        assert len(server.pids()) >= 3
        assert server.cpu_seconds() > 0
        rss, pss = server.memory()
        assert 0 < pss < rss
    assert not server.pids()


def test_a_server_lies_on_its_core(made: Made) -> None:
    with running(serving(), made, made.folder / "run", b"{}") as server:
        assert os.sched_getaffinity(server.pid) == {int(SERVER_CORE)}


def test_a_server_that_ends_is_told_with_its_log(made: Made) -> None:
    server = serving("--no-such-option")
    with pytest.raises(NoAnswer, match="No such option"), running(server, made, made.folder / "run", b"{}"):
        pass


@pytest.fixture
def refuse(tmp_path: Path) -> Callable[[int], Server]:
    def make(status: int) -> Server:
        text = (PEERS / "constant.py").read_text().replace('"status": 200', f'"status": {status}')
        (tmp_path / "refusal.py").write_text(text)
        command = [sys.executable, "-m", "uvicorn", "refusal:app", "--app-dir", str(tmp_path), "--port"]
        return Server("refusal", lambda made, port, folder: Start([*command, str(port)]))

    return make


def test_a_server_that_refuses_the_question_is_told_at_once(made: Made, refuse: Callable[[int], Server]) -> None:
    with pytest.raises(NoAnswer, match="it refuses: 422"), running(refuse(422), made, made.folder / "run", b"{}"):
        pass

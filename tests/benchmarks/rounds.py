"""One round of one server: start, compare answers, load, batches, memory, end."""

import json
import math
import subprocess
import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from tests.benchmarks import wire
from tests.benchmarks.load import Batch, check_answers, put_batches, put_load
from tests.benchmarks.model import Made, make_model, make_questions
from tests.benchmarks.process import SERVER_CORE, NoAnswer, Running, running
from tests.benchmarks.servers import LOGISTIC, Server
from tests.benchmarks.table import CONNECTIONS, MIDDLE, Sample
from tests.server_process import ROOT

SINGLE_ROWS, BATCH_ROWS = 1_000, 10_000
WARM_UP = 1  # second
LONGEST_TOP_UP = 40  # seconds
BATCH_SHARE = 0.5  # of the seconds of a point
FLOOR_BODIES = (wire.RECORDS, wire.COLUMNS, wire.CSV)


class Bench:
    """The models and questions, made once, and a folder for every start."""

    def __init__(self, folder: Path, models: Collection[str], seconds: int) -> None:
        self._folder, self._seconds, self._starts = folder, seconds, 0
        self._made = {name: make_model(name, folder / name) for name in sorted(models)}
        self._questions = {name: make_questions(made, BATCH_ROWS) for name, made in self._made.items()}

    def sample(self, server: Server, fewest_requests: int) -> Sample:
        """Measure one server once; memory is read after `fewest_requests`. A failure becomes the sample's problem."""
        made, questions = self._made[server.model], self._questions[server.model].first(SINGLE_ROWS)
        folder = self._new_folder()
        lines = [server.wire.encode([row]) for row in questions.rows]
        bodies = folder / "bodies"
        bodies.write_bytes(b"\n".join(lines) + b"\n")
        sample = Sample()
        try:
            with running(server, made, folder / "run", lines[0]) as process:
                sample = replace(sample, first_answer=process.first_answer)
                if server.checked:
                    check_answers(process, server.wire, made, questions)
                put_load(process, server.wire, bodies, MIDDLE, WARM_UP)
                for connections in CONNECTIONS:
                    point = put_load(process, server.wire, bodies, connections, self._seconds)
                    sample = replace(sample, points={**sample.points, connections: point})
                self._top_up(process, server, bodies, sample, fewest_requests)
                rss, pss = process.memory()
                return replace(sample, rss=rss, pss=pss, batches=self._batches(process, server, made))
        except NoAnswer as err:
            return replace(sample, problem=str(err))

    def _top_up(self, process: Running, server: Server, bodies: Path, sample: Sample, fewest: int) -> None:
        missing = fewest - sum(point.requests for point in sample.points.values())
        if missing > 0:
            seconds = math.ceil(missing / max(1, sample.points[MIDDLE].per_second))
            put_load(process, server.wire, bodies, MIDDLE, min(seconds, LONGEST_TOP_UP))

    def _batches(self, process: Running, server: Server, made: Made) -> dict[str, Batch | str]:
        measured: dict[str, Batch | str] = {}
        for kind in server.batches:
            try:
                questions = self._questions[server.model]
                measured[kind.name] = put_batches(process, kind, made, questions, self._seconds * BATCH_SHARE)
            except (NoAnswer, OSError) as err:
                measured[kind.name] = str(err)
        return measured

    def floor(self) -> dict[str, Batch]:
        """Return what each body costs without a server, on the servers' core."""
        folder, made = self._new_folder(), self._made[LOGISTIC]
        files = []
        for kind in FLOOR_BODIES:
            path = folder / kind.name
            path.write_bytes(kind.encode(self._questions[LOGISTIC].rows))
            files.append(f"{kind.name}={path}")
        command = ["taskset", "-c", SERVER_CORE, sys.executable, "-m", "tests.benchmarks.floor"]
        command += [str(made.folder / "model.onnx"), repr(made.threshold), str(self._seconds * BATCH_SHARE), *files]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return {name: Batch(*measured) for name, measured in json.loads(done.stdout).items()}

    def _new_folder(self) -> Path:
        self._starts += 1
        folder = self._folder / str(self._starts)
        folder.mkdir()
        return folder

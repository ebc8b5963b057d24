import os
import subprocess
import sys
from pathlib import Path

import pytest

from serve.metrics import names
from serve.metrics.exposition import METRICS

WORKER = """
import sys
from pathlib import Path
from serve.api.service import Service
from serve.settings import Settings
Service(Settings(store=Path("none")), {counts}).close()
print("prometheus_client" in sys.modules)
"""


def test_every_metric_that_is_shown_has_its_name_here():
    known = {value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}
    assert {metric.name for metric in METRICS} == known - {names.PARENT, names.PROCESS}


@pytest.mark.parametrize(("counts", "imported"), [("None", "False"), ("Path('counts')", "True")])
def test_a_worker_imports_what_writes_metrics_at_its_start_where_it_has_some_to_write_else_never(
    tmp_path, counts, imported
):
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", WORKER.format(counts=counts)]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == [imported]

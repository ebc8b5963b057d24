"""The program in docs/spark.md, on a real Spark where there is one."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pyarrow import dataset

from loan_approval.batch.scoring import Batch, score_batch
from serve.contract.contract import Contract
from tests.batches import make_columns, write_parquet
from tests.model_files import LOANS, good_files
from tests.server_process import ROOT

pytestmark = pytest.mark.hard
ROWS = 5_000


@pytest.mark.skipif(not shutil.which("java"), reason="no Java here, which Spark needs")
@pytest.mark.skipif(not importlib.util.find_spec("pyspark"), reason="no pyspark here: it is not in locks/dev.txt")
def test_spark_decides_as_a_batch_does(tmp_path: Path) -> None:
    program = re.findall(r"```python\n(.*?)```", (ROOT / "docs/spark.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "score_on_spark.py").write_text(program[0], encoding="utf-8")
    (tmp_path / "model.onnx").write_bytes(good_files()["loans_reviewed"])
    columns = make_columns(Contract.from_dict(LOANS), ROWS) | {"id": list(range(ROWS))}
    columns["Age"][::100] = [17] * (ROWS // 100)
    write_parquet(tmp_path / "in" / "applications.parquet", columns, row_group=1000)
    subprocess.run(
        [sys.executable, "score_on_spark.py", "model.onnx", str(tmp_path / "in"), str(tmp_path / "spark")],
        cwd=tmp_path,
        env=os.environ | {"PYSPARK_PYTHON": sys.executable, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=True,
        timeout=300,
    )
    batch = Batch(str(tmp_path / "in"), str(tmp_path / "out"), ("id",), workers=1)
    score_batch(batch, (tmp_path / "model.onnx").read_bytes())
    answers = {row["id"]: row for row in dataset.dataset(tmp_path / "spark").to_table().to_pylist()}
    decided = {row["id"]: row for row in dataset.dataset(tmp_path / "out/decisions").to_table().to_pylist()}
    assert set(answers) == set(range(ROWS))
    assert {key for key, row in answers.items() if row["faults"]} == set(range(0, ROWS, 100))
    for key, row in decided.items():
        assert (answers[key]["code"], answers[key]["faults"]) == (row["code"], None)
        assert answers[key]["probability"] == pytest.approx(row["probability"], abs=1e-6)

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.environments import make_environment
from tests.model_files import write_files

ROOT = Path(__file__).parents[2]
TRAINING = ("sklearn", "pandas", "mlflow", "skl2onnx", "onnx", "scipy", "joblib", "loan_approval")


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command, cwd=ROOT, env=environment or None, capture_output=True, text=True, timeout=1200, check=False
    )


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has serve's requirements and pytest, and nothing else."""
    return make_environment(tmp_path_factory.mktemp("bare") / "venv", "serve-test.txt")


@pytest.mark.parametrize("module", TRAINING)
def test_the_serving_environment_has_nothing_of_the_training_side(python, module):
    result = run(python, "-c", f"import {module}", PYTHONPATH=str(ROOT))
    assert f"No module named '{module}'" in result.stderr


def test_the_serving_side_passes_its_tests_with_its_own_requirements_alone(python, tmp_path):
    folder = write_files(tmp_path / "model_files")
    told = {"PYTHONPATH": str(ROOT), "TEST_MODEL_FILES": str(folder), "HOME": str(tmp_path), "PATH": os.defpath}
    result = run(python, "-m", "pytest", "tests/serve", "-p", "no:cacheprovider", **told)
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr
    summary = result.stdout.strip().splitlines()[-1]
    assert re.match(r"[1-9]\d* passed in ", summary), summary  # no skip, no warning

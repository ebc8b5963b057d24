import subprocess
from pathlib import Path

import pytest

from tests.environments import make_environment

ROOT = Path(__file__).parents[2]
TRAINING = ("sklearn", "pandas", "mlflow", "skl2onnx", "onnx", "scipy", "joblib", "loan_approval")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has serve's requirements and pytest, and nothing else."""
    return make_environment(tmp_path_factory.mktemp("bare") / "venv", "serve-test.txt")


@pytest.mark.parametrize("module", TRAINING)
def test_the_serving_environment_has_nothing_of_the_training_side(python, module):
    command = [python, "-c", f"import {module}"]
    result = subprocess.run(
        command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert f"No module named '{module}'" in result.stderr

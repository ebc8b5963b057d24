import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from serve import pyfunc


def test_what_is_packaged_is_all_that_it_imports(tmp_path):
    source = Path(pyfunc.__file__).parent
    (tmp_path / "serve").mkdir()
    for name in pyfunc.PACKAGED:
        copy = shutil.copytree if (source / name).is_dir() else shutil.copy
        copy(source / name, tmp_path / "serve" / name)
    run = subprocess.run(
        [sys.executable, "-c", "import serve.pyfunc as it; print(it.__file__)"],
        **{"cwd": tmp_path, "env": {"PYTHONPATH": str(tmp_path)}, "capture_output": True, "text": True, "check": False},
    )
    assert run.returncode == 0, run.stderr
    assert Path(run.stdout.strip()).is_relative_to(tmp_path)


def test_each_packaged_name_is_there():
    assert all((Path(pyfunc.__file__).parent / name).exists() for name in pyfunc.PACKAGED)


def test_a_column_that_no_answer_has_is_refused_when_the_model_is_loaded(tmp_path, model_file):
    (tmp_path / "model.onnx").write_bytes(model_file("loans"))
    with pytest.raises(ValueError, match=r"^column: unknown, expected code, label, probability, band, "):
        pyfunc._load_pyfunc(str(tmp_path), {"column": "score"})


@pytest.mark.parametrize("nothing", ["", None])
def test_without_a_column_the_model_is_loaded(tmp_path, model_file, nothing):
    (tmp_path / "model.onnx").write_bytes(model_file("loans"))
    assert pyfunc._load_pyfunc(str(tmp_path), {"column": nothing})

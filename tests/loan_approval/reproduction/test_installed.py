from importlib.metadata import version

from loan_approval.project import LOCK
from loan_approval.reproduction.installed import differs_from_lock


def test_this_environment_is_the_lock():
    assert differs_from_lock(LOCK) == []


def test_another_version_is_named_and_what_is_not_here_or_not_for_here_is_not(tmp_path):
    lock = tmp_path / "lock.txt"
    lines = ["numpy==1.0 \\", "onnx==1.0 ; python_version < '3' \\", "no-such-package==1.0 \\"]
    lines += ["scikit-learn==0.1 ; python_version >= '3' \\", "    --hash=sha256:0"]
    lock.write_text("\n".join(lines))
    assert differs_from_lock(lock) == [
        f"numpy {version('numpy')}, locked 1.0",
        f"scikit-learn {version('scikit-learn')}, locked 0.1",
    ]

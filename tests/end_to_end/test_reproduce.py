"""A version is trained in a repository of its own, the code moves on, and the version is made again to the byte."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from loan_approval.data.simulate import write_simulation

ROOT = Path(__file__).parents[2]
PICKLES = {".pkl", ".pickle", ".joblib", ".cloudpickle", ".dill"}

pytestmark = pytest.mark.hard  # several trainings


@dataclass(frozen=True)
class Project:
    """A repository with the code as it is now, a data set and an MLflow of its own."""

    root: Path

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the project's own command line."""
        path = os.pathsep.join([str(self.root / "src"), str(self.root)])
        own = {"PYTHONPATH": path, "MLFLOW_TRACKING_URI": f"sqlite:///{self.root / 'mlflow.db'}"}
        return subprocess.run(
            [sys.executable, "-m", "loan_approval", *arguments],
            cwd=self.root,
            env=os.environ | own | settings,
            capture_output=True,
            text=True,
            check=False,
        )

    def git(self, *arguments: str) -> str:
        """Run git as somebody without settings."""
        person = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        run = subprocess.run(["git", *person, *arguments], cwd=self.root, check=True, capture_output=True, text=True)
        return run.stdout

    def train(self, model_name: str, **settings: str) -> None:
        """Train a version, with parameters that are not the defaults."""
        given = ["-p", "seed=11", "-p", "cost_wrong_approval=2.5"]
        run = self.run("train", "--model-name", model_name, *given, **settings)
        assert run.returncode == 0, run.stderr[-3000:]


def make_project(root: Path) -> Project:
    for folder in ("src", "serve", "notebooks", "locks"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "data/loans").mkdir(parents=True)
    shutil.copy(ROOT / "data/loans/contract.toml", root / "data/loans")
    write_simulation(root / "data/loans/dataset.csv", rows=1500, seed=2)
    (root / ".gitignore").write_text("__pycache__/\ndata/*/dataset.csv\nmlflow.db\nmlartifacts/\nreports/\n")
    project = Project(root)
    project.git("init", "--quiet")
    project.git("add", ".")
    project.git("commit", "--quiet", "-m", "as it was")
    return project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A trained version 1; since then the code has changed in a commit, so that it would train otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        project = make_project(tmp_path_factory.mktemp("project"))
        project.train("logistic_regression", PYTHONHASHSEED="1")
        path = project.root / "src/loan_approval/training/export.py"
        path.write_text(path.read_text().replace("GOLDEN_ROWS = 32", "GOLDEN_ROWS = 31"))
        project.git("commit", "--quiet", "-am", "as it is now")
        yield project


def test_a_version_is_made_again_by_its_own_commits_code_to_the_byte(project: Project) -> None:
    run = project.run("reproduce", "challenger", PYTHONHASHSEED="2")
    assert (run.returncode, run.stderr) == (0, "")
    first, last = run.stdout.splitlines()
    recorded, made = first.partition("sha256 ")[2].split(", made again ")
    assert recorded == made
    assert first.startswith("loan_approval_model version 1: recorded")
    assert last == "the same bytes"
    assert project.git("worktree", "list").count("\n") == 1
    assert project.git("status", "--porcelain") == ""


def test_a_training_leaves_no_pickle_behind(project: Project) -> None:
    files = [path for path in (project.root / "mlartifacts").rglob("*") if path.is_file()]
    assert {"model.onnx", "pipeline.skops"} <= {path.name for path in files}
    assert [path for path in files if path.suffix in PICKLES] == []
    # Any pickle since protocol 2 begins with its number.
    assert [path for path in files if path.read_bytes()[:1] == b"\x80"] == []

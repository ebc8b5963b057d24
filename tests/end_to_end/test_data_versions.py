"""The guide's way of changing data and going back, command by command, in clones with a remote of their own."""

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from loan_approval.data.dvc_objects import md5_of_bytes
from loan_approval.data.simulate import write_simulation
from tests.server_process import find_free_port

pytestmark = pytest.mark.hard  # DVC takes seconds a command

ROOT = Path(__file__).parents[2]
VENV = Path(sys.executable).parents[1]
COPIED = (
    "src",
    "serve",
    "notebooks",
    "locks",
    "data",
    "dvc.yaml",
    "dvc.lock",
    ".dvc",
    ".dvcignore",
    ".gitignore",
    "Makefile",
)
# As docs/how-to/data-versions.md has it.
OWN_DATA = """\
dvc add data/mine/dataset.csv                          # this version: its md5, and its bytes in DVC's cache
git add data/mine && git commit -m "Data of January"
dvc push                                               # its bytes to the remote

dvc add data/mine/dataset.csv                          # after a change of the CSV: the next one
git commit -am "Data of February"
dvc push

git checkout HEAD~1 -- data/mine/dataset.csv.dvc       # back to January
make data DATASET=mine
"""
BUILT_IN = """\
dvc repro loans                                        # after a change of src/loan_approval/data/simulate.py
git commit -am "More applicants"
dvc push
"""
# What `make test-hard` leaves in the environment of the tests, and a shell has not.
OF_MAKE = ("DATASET", "VERSION", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
# The environment is the one that the tests run in; it is not made anew.
PRELUDE = """\
set -euo pipefail
make() { command make --silent -o "$VENV/.ready" VENV="$VENV" "$@"; }
git() { command git -c user.name=Ada -c user.email=ada@example.org "$@"; }
"""


@dataclass(frozen=True)
class Clone:
    """A checkout of the project, with the folder beside it as its remote."""

    root: Path

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run commands as in an active environment."""
        own = {"VENV": str(VENV), "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}"}
        own |= {"PYTHONPATH": os.pathsep.join([str(self.root / "src"), str(self.root)])}
        own |= {"MLFLOW_TRACKING_URI": f"sqlite:///{self.root / 'mlflow.db'}"}
        own |= {"GIT_CONFIG_GLOBAL": os.devnull, "DVC_GLOBAL_CONFIG_DIR": str(self.root.parent / "no-settings")}
        return subprocess.run(
            ["bash", "-c", PRELUDE + script],
            cwd=self.root,
            env={name: value for name, value in os.environ.items() if name not in OF_MAKE} | own,
            capture_output=True,
            text=True,
            check=False,
        )

    def must_run(self, script: str) -> str:
        """Run commands that must succeed; return what they printed."""
        run = self.run(script)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def change_generator(self, old: str, new: str) -> None:
        source = self.root / "src/loan_approval/data/simulate.py"
        assert old in source.read_text()
        source.write_text(source.read_text().replace(old, new))

    def csv(self, name: str) -> Path:
        return self.root / "data" / name / "dataset.csv"

    def clone(self, folder: str) -> "Clone":
        """Clone what is committed, beside (same remote) or elsewhere (no remote there)."""
        root = self.root.parent / folder
        root.parent.mkdir(exist_ok=True)
        self.must_run(f"git clone --quiet . {root}")
        return Clone(root)


@pytest.fixture
def first(tmp_path: Path) -> Clone:
    root = tmp_path / "first"
    root.mkdir()
    ignored = shutil.ignore_patterns("__pycache__", "dataset.csv", "cache", "tmp", "mine")
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, root / name, **({"ignore": ignored} if copy is shutil.copytree else {}))
    clone = Clone(root)
    clone.must_run("git init --quiet && git add . && git commit --quiet -m 'as it is'")
    return clone


def test_own_data_has_versions_and_goes_back_to_the_first_here_and_in_a_fresh_clone(first: Clone) -> None:
    write_simulation(first.root / "my.csv", rows=300, seed=1)
    drafted = first.must_run("python -m loan_approval init data/mine my.csv --target Loan_Approval")
    assert "dvc add" in drafted
    january, february, back = OWN_DATA.split("\n\n")
    first.must_run(january)
    one = first.csv("mine").read_bytes()
    two = one.replace(b"\n", b"\r\n")
    first.csv("mine").write_bytes(two)
    refused = first.run("make data DATASET=mine")
    assert (refused.returncode, first.csv("mine").read_bytes()) == (2, two)
    assert f"data/mine/dataset.csv: md5 {md5_of_bytes(two)}, expected {md5_of_bytes(one)}" in refused.stderr
    first.must_run(february)
    assert f"md5 {md5_of_bytes(two)} stood here, and is kept" in first.must_run(back)
    assert first.csv("mine").read_bytes() == one

    second = first.clone("second")
    assert "taken from DVC's remote, as data/mine/dataset.csv.dvc says" in second.must_run("make data DATASET=mine")
    assert second.csv("mine").read_bytes() == two
    assert second.must_run("git status --porcelain") == ""

    away = first.clone("elsewhere/third")
    lost = away.run("make data")
    assert lost.returncode == 2
    assert "data/mine/dataset.csv: not there, and neither DVC's cache nor its remote" in lost.stderr
    assert not away.csv("mine").exists()
    assert md5_of_bytes(away.csv("loans").read_bytes()) in (away.root / "dvc.lock").read_text()
    assert away.must_run("git status --porcelain") == ""


def test_a_changed_generator_is_caught_and_a_meant_change_is_a_version(first: Clone) -> None:
    assert first.must_run("make data").count("made, as dvc.lock says") == 2
    lock, one = (first.root / "dvc.lock").read_bytes(), first.csv("loans").read_bytes()
    assert first.must_run("dvc repro --quiet && git status --porcelain") == ""  # the stages make the same bytes
    first.change_generator("ROWS = 20_000", "ROWS = 300")
    caught = first.run("make data DATASET=loans")
    assert caught.returncode == 2
    assert "data/loans/dataset.csv: src/loan_approval/data/simulate.py makes md5" in caught.stderr
    assert (first.csv("loans").read_bytes(), (first.root / "dvc.lock").read_bytes()) == (one, lock)

    first.must_run(BUILT_IN)
    assert "is what dvc.lock says" in first.must_run("make data DATASET=loans")
    two = first.csv("loans").read_bytes()
    assert two != one
    assert "made, as dvc.lock says" in first.must_run("git checkout --quiet HEAD~1 && rm -r .dvc/cache && make data")
    assert first.csv("loans").read_bytes() == one


def test_a_model_versions_data_are_had_again_and_said_to_be_the_same(first: Clone) -> None:
    train = "python -m loan_approval train --model-name logistic_regression"
    first.change_generator("ROWS = 20_000", "ROWS = 1_500")
    first.must_run(f"{BUILT_IN.replace('dvc push', '')}\n{train}")
    one = first.csv("loans").read_bytes()
    first.change_generator("SEED = 20_260_101", "SEED = 7")
    refused = first.run(f"make run PORT={find_free_port()}")
    assert refused.stderr.startswith("DataError: data/loans/dataset.csv: src/loan_approval/data/simulate.py makes md5")
    first.must_run(f"{BUILT_IN.replace('dvc push', '')}\nrm -rf .dvc/cache")
    two = first.csv("loans").read_bytes()

    said = first.must_run("make data VERSION=1")
    assert f"sha256 {hashlib.sha256(one).hexdigest()}, md5 {md5_of_bytes(one)}\n" in said
    beside = first.csv("loans").with_name("dataset.version-1.csv")
    assert f"{beside}: the same, to the byte (written; source: made by the code of commit " in said
    assert (beside.read_bytes(), first.csv("loans").read_bytes()) == (one, two)
    assert "the same bytes" in first.must_run("make reproduce VERSION=1")
    first.must_run("git checkout --quiet HEAD~1 && make data")
    assert f"{first.csv('loans')}: the same, to the byte (there already" in first.must_run("make data VERSION=1")
    assert first.must_run("git status --porcelain") == ""


def test_the_guide_says_what_these_tests_run() -> None:
    guide = (ROOT / "docs/how-to/data-versions.md").read_text()
    assert OWN_DATA in guide
    assert BUILT_IN in guide

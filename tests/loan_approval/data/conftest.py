"""A project's folder with DVC's own cache and remote."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from loan_approval import project as checkout
from loan_approval.data import datasets, dvc_objects, folders, versions
from loan_approval.data.dvc_objects import md5_of_bytes

ROOT = Path(__file__).parents[3]
ONE, TWO = b"a,b\n1,2\n", b"a,b\n3,4\n"


@dataclass(frozen=True)
class Project:
    """A project's folder with DVC's settings; the remote is the folder beside it."""

    root: Path

    @property
    def csv(self) -> Path:
        return self.root / "data/loans/dataset.csv"

    def record(self, data: bytes) -> None:
        """Record these bytes of the CSV in dvc.lock."""
        out = f"{{path: data/loans/dataset.csv, hash: md5, md5: {md5_of_bytes(data)}}}"
        (self.root / "dvc.lock").write_text(f"schema: '2.0'\nstages: {{loans: {{cmd: make, outs: [{out}]}}}}\n")

    def push(self, data: bytes) -> Path:
        """Put these bytes into the remote."""
        md5 = md5_of_bytes(data)
        path = self.root.parent / "loan-approval-data/files/md5" / md5[:2] / md5[2:]
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        return path

    def git(self, *arguments: str) -> None:
        person = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        subprocess.run(["git", *person, *arguments], cwd=self.root, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    root = tmp_path / "project"
    (root / "data/loans").mkdir(parents=True)
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_bytes((ROOT / ".dvc/config").read_bytes())
    for module in (folders, versions, datasets, dvc_objects, checkout):
        monkeypatch.setattr(module, "ROOT", root)
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    made = Project(root)
    made.record(ONE)
    return made


def writer(data: bytes) -> Callable[[Path], None]:
    def generate(path: Path) -> None:
        path.write_bytes(data)

    return generate


@pytest.fixture
def two_data_sets(tmp_path, monkeypatch, loans_csv):
    """A project folder with the data sets `loans` (no CSV yet) and `mine`."""
    contract = (ROOT / "data/loans/contract.toml").read_bytes()
    for name in ("loans", "mine"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "contract.toml").write_bytes(contract)
    (tmp_path / "data/mine/dataset.csv").write_bytes(loans_csv.read_bytes())
    for module in (datasets, folders):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    return tmp_path

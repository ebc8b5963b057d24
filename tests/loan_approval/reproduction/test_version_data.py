"""Where a version's data is found, and where it is written: a repository of two commits stands for the project's."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from loan_approval.data import dvc_objects, versions
from loan_approval.data.dvc_objects import keep, md5_of_bytes
from loan_approval.errors import RebuildError
from loan_approval.registry import tracking
from loan_approval.registry.tracking import Version
from loan_approval.reproduction import version_data
from loan_approval.reproduction.version_data import (
    TrainingData,
    checked_out,
    find_data,
    place_for,
    recorded_data,
    write_data,
)

ROOT = Path(__file__).parents[3]
ONE, TWO = b"a,b\n1,2\n", b"a,b\n3,4\n"
# What a commit's code is asked for: a data set by its name.
CODE = 'from pathlib import Path\ndef load_dataset(name):\n    Path(f"data/{name}/dataset.csv").write_bytes(%r)\n'


def git(root: Path, *arguments: str) -> str:
    person = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    return subprocess.run(["git", *person, *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


def record(data: bytes) -> str:
    out = f"{{path: data/loans/dataset.csv, md5: {md5_of_bytes(data)}}}"
    return f"stages: {{loans: {{outs: [{out}]}}}}\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose first commit makes ONE and says so, and whose second makes TWO."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "no-settings"))
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    root = tmp_path / "project"
    for folder in (".dvc", "data/loans", "src/loan_approval/data"):
        (root / folder).mkdir(parents=True)
    (root / ".dvc/config").write_bytes((ROOT / ".dvc/config").read_bytes())
    (root / "data/loans/contract.toml").write_text("")
    (root / "src/loan_approval/__init__.py").write_text("")
    git(root, "init", "--quiet")
    for data in (ONE, TWO):
        (root / "src/loan_approval/data/datasets.py").write_text(CODE % data)
        (root / "dvc.lock").write_text(record(data))
        git(root, "add", ".")
        git(root, "commit", "--quiet", "-m", "data")
    for module in (versions, dvc_objects, version_data):
        monkeypatch.setattr(module, "ROOT", root)
    return root


@pytest.fixture
def one(root: Path) -> TrainingData:
    """What a version that was trained on ONE recorded, before DVC's md5 was."""
    return TrainingData("loans", hashlib.sha256(ONE).hexdigest(), "", git(root, "rev-parse", "HEAD~").strip())


def with_md5(one: TrainingData) -> TrainingData:
    return TrainingData(one.dataset, one.sha256, md5_of_bytes(ONE), one.commit)


def test_data_that_stand_in_their_place_are_taken_from_there(root: Path, one: TrainingData) -> None:
    csv = root / "data/loans/dataset.csv"
    csv.write_bytes(ONE)
    assert find_data(one, csv.parent) == (ONE, str(csv))


def test_data_that_dvc_keeps_are_taken_by_their_md5_and_no_commit_checked_out(
    root: Path, one: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(ONE)
    monkeypatch.setattr(version_data, "checked_out", None)
    assert find_data(with_md5(one), root / "data/loans") == (ONE, "DVC's cache")


def test_data_that_the_commit_says_dvc_keeps_are_taken_by_that_md5(root: Path, one: TrainingData) -> None:
    keep(ONE)
    assert find_data(one, root / "data/loans") == (ONE, "DVC's cache")


def test_data_that_nobody_keeps_are_made_by_the_code_of_the_commit(root: Path, one: TrainingData) -> None:
    (root / "data/loans/dataset.csv").write_bytes(TWO)
    assert find_data(with_md5(one), root / "data/loans") == (ONE, f"made by the code of commit {one.commit[:12]}")
    assert (root / "data/loans/dataset.csv").read_bytes() == TWO
    assert git(root, "worktree", "list").count("\n") == 1


def test_other_bytes_under_the_same_md5_are_not_the_data(root: Path, one: TrainingData) -> None:
    keep(TWO)
    other = TrainingData("loans", one.sha256, md5_of_bytes(TWO), one.commit)
    assert find_data(other, root / "data/loans")[0] == ONE


def test_data_that_are_not_to_be_had_are_named_by_their_hashes(root: Path, one: TrainingData) -> None:
    gone = TrainingData("loans", "e" * 64, "f" * 32, one.commit)
    with pytest.raises(RebuildError, match=f"data: not found, .* sha256 {'e' * 64} in .*, or md5 {'f' * 32} in DVC's"):
        find_data(gone, root / "data/loans")


def test_a_commit_whose_code_fails_says_what_it_said(root: Path, one: TrainingData) -> None:
    (root / "src/loan_approval/data/datasets.py").write_text("raise SystemExit('no numpy')")
    git(root, "commit", "--quiet", "-am", "broken")
    broken = TrainingData("loans", one.sha256, "", git(root, "rev-parse", "HEAD").strip())
    with pytest.raises(RebuildError, match="data: that commit's code failed:\nno numpy"):
        find_data(broken, root / "data/loans")


def test_data_go_to_their_own_place_only_where_nothing_else_belongs_there(root: Path, one: TrainingData) -> None:
    folder = root / "data/loans"
    beside = folder / "dataset.version-3.csv"
    assert place_for(with_md5(one), folder, "3") == beside  # dvc.lock says TWO
    (root / "dvc.lock").write_text(record(ONE))
    assert place_for(with_md5(one), folder, "3") == folder / "dataset.csv"
    (folder / "dataset.csv").write_bytes(TWO)
    assert place_for(with_md5(one), folder, "3") == beside
    (folder / "dataset.csv").write_bytes(ONE)
    assert place_for(one, folder, "3") == folder / "dataset.csv"


def test_data_are_written_once_and_over_nothing(tmp_path: Path) -> None:
    path = tmp_path / "dataset.csv"
    assert write_data(ONE, path)
    assert not write_data(ONE, path)
    with pytest.raises(RebuildError, match="is there already and holds something else"):
        write_data(TWO, path)
    assert path.read_bytes() == ONE


def test_a_run_without_the_hash_of_its_data_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "load_tags", lambda run: {"commit": "c" * 40})
    with pytest.raises(RebuildError, match="loans_model version 3 records no data_sha256"):
        recorded_data(Version("loans_model", "3", "run", "", "passed"))


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """A repository of two commits, in place of the project's."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "no-settings"))
    root = tmp_path / "checkout"
    root.mkdir()
    monkeypatch.setattr(version_data, "ROOT", root)
    git(root, "init", "--quiet")
    for text in ("one", "two"):
        (root / "file").write_text(text)
        git(root, "add", "file")
        git(root, "commit", "--quiet", "-m", text)
    return root


def test_an_older_commit_stands_beside_the_work_at_hand_and_goes(checkout):
    (checkout / "file").write_text("three")
    with checked_out(git(checkout, "rev-parse", "HEAD~").strip()) as tree:
        assert (tree / "file").read_text() == "one"
    assert not tree.exists()
    assert (checkout / "file").read_text() == "three"
    assert git(checkout, "worktree", "list").count("\n") == 1


def test_it_goes_after_an_error_too_with_what_was_made_in_it(checkout):
    trees = []

    def fail() -> None:
        with checked_out(git(checkout, "rev-parse", "HEAD").strip()) as tree:
            (tree / "made").write_text("made")
            trees.append(tree)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    (tree,) = trees
    assert not tree.exists()
    assert git(checkout, "worktree", "list").count("\n") == 1


def test_what_a_killed_process_left_is_forgotten(checkout):
    commit = git(checkout, "rev-parse", "HEAD").strip()
    git(checkout, "worktree", "add", "--detach", str(checkout.parent / "left"), commit)
    subprocess.run(["rm", "-r", str(checkout.parent / "left")], check=True)
    with checked_out(commit):
        assert git(checkout, "worktree", "list").count("\n") == 2


def test_a_project_in_a_folder_of_its_repository_is_found_there(checkout, monkeypatch):
    (checkout / "inner").mkdir()
    (checkout / "inner/file").write_text("inner")
    git(checkout, "add", ".")
    git(checkout, "commit", "--quiet", "-m", "three")
    monkeypatch.setattr(version_data, "ROOT", checkout / "inner")
    with checked_out(git(checkout, "rev-parse", "HEAD").strip()) as tree:
        assert (tree / "file").read_text() == "inner"


def test_the_users_hooks_do_not_run(checkout):
    hook = checkout / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {checkout}/ran\n")
    hook.chmod(0o755)
    with checked_out(git(checkout, "rev-parse", "HEAD").strip()):
        pass
    assert not (checkout / "ran").exists()


@pytest.mark.parametrize("commit", ["unknown", "", "HEAD", "--force", "0" * 39, "A" * 40])
def test_what_is_no_hash_never_reaches_git(checkout, commit, monkeypatch):
    monkeypatch.setenv("PATH", str(checkout))
    with pytest.raises(RebuildError, match="expected a commit's hash"), checked_out(commit):
        pass


def test_a_commit_that_is_not_here_is_named(checkout):
    with pytest.raises(RebuildError, match=f"{'0' * 40} is not in this repository"), checked_out("0" * 40):
        pass


def test_outside_a_checkout_and_without_git_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setattr(version_data, "ROOT", tmp_path)
    with pytest.raises(RebuildError, match="is no git checkout"), checked_out("0" * 40):
        pass
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RebuildError, match="there is no git"), checked_out("0" * 40):
        pass

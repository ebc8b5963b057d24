import subprocess
from pathlib import Path

import pytest

from loan_approval.errors import RebuildError
from loan_approval.reproduction import work_tree
from loan_approval.reproduction.work_tree import checked_out


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """A repository of two commits, in place of the project's."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "no-settings"))
    root = tmp_path / "checkout"
    root.mkdir()
    monkeypatch.setattr(work_tree, "ROOT", root)
    git(root, "init", "--quiet")
    for text in ("one", "two"):
        (root / "file").write_text(text)
        git(root, "add", "file")
        git(root, "commit", "--quiet", "-m", text)
    return root


def git(folder, *arguments) -> str:
    person = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    return subprocess.run(["git", *person, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


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
    monkeypatch.setattr(work_tree, "ROOT", checkout / "inner")
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
    monkeypatch.setattr(work_tree, "ROOT", tmp_path)
    with pytest.raises(RebuildError, match="is no git checkout"), checked_out("0" * 40):
        pass
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RebuildError, match="there is no git"), checked_out("0" * 40):
        pass

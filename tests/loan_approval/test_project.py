import hashlib
import subprocess

import pytest

from loan_approval import project
from loan_approval.project import git_state, sha256_of


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A git checkout with one committed file in each of src and docs, in place of the project's."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "no-settings"))
    monkeypatch.setattr(project, "ROOT", tmp_path / "checkout")
    for name in ("src/model.py", "docs/note.md"):
        path = tmp_path / "checkout" / name
        path.parent.mkdir(parents=True)
        path.write_text("one\n")
    git(tmp_path / "checkout", "init", "--quiet")
    git(tmp_path / "checkout", "add", ".")
    git(tmp_path / "checkout", "commit", "--quiet", "-m", "one")
    return tmp_path / "checkout"


def git(folder, *arguments):
    person = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    return subprocess.run(["git", *person, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def test_a_clean_checkout_has_its_commit_and_no_changes(checkout):
    assert git_state() == {"commit": git(checkout, "rev-parse", "HEAD").strip(), "changes": ""}


@pytest.mark.parametrize("name", ["src/model.py", "src/new.py", "serve/new.py", "notebooks/new.ipynb", "locks/new.txt"])
def test_a_changed_or_untracked_file_of_the_code_changes_the_hash(checkout, name):
    (checkout / name).parent.mkdir(exist_ok=True)
    (checkout / name).write_text("two\n")
    first = git_state()["changes"]
    (checkout / name).write_text("three\n")
    assert len(first) == 64
    assert git_state()["changes"] not in (first, "")


@pytest.mark.parametrize("change", ["stage", "remove", "rename"])
def test_staged_removed_and_renamed_files_are_changes(checkout, change):
    (checkout / "src/other.py").write_text("two\n")
    git(checkout, "add", "src/other.py")
    if change == "remove":
        git(checkout, "rm", "--quiet", "-f", "src/other.py", "src/model.py")
    if change == "rename":
        git(checkout, "mv", "-f", "src/model.py", "src/other.py")
    assert git_state()["changes"]


@pytest.mark.parametrize("name", ["docs/note.md", "docs/new.md", "new.txt"])
def test_files_beside_the_code_change_nothing(checkout, name):
    (checkout / name).write_text("two\n")
    assert git_state()["changes"] == ""


def test_ignored_files_change_nothing(checkout):
    (checkout / ".gitignore").write_text("*.pyc\n")
    (checkout / "src/model.pyc").write_text("two\n")
    assert git_state()["changes"] == ""


def test_a_users_git_settings_do_not_change_the_hash(checkout):
    (checkout / "src/model.py").write_text("two\n")
    before = git_state()
    for setting in ("diff.noprefix", "diff.mnemonicPrefix"):
        git(checkout, "config", setting, "true")
    git(checkout, "config", "color.ui", "always")
    assert git_state() == before


def test_outside_a_checkout_the_commit_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setattr(project, "ROOT", tmp_path)
    assert git_state() == {"commit": "unknown", "changes": ""}


def test_without_git_the_commit_is_unknown(checkout, monkeypatch):
    monkeypatch.setenv("PATH", str(checkout))
    assert git_state() == {"commit": "unknown", "changes": ""}


def test_the_sha256_of_a_file_is_of_its_bytes(tmp_path):
    (tmp_path / "file").write_bytes(b"\r\n\xff")
    assert sha256_of(tmp_path / "file") == hashlib.sha256(b"\r\n\xff").hexdigest()

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loan_approval import project
from loan_approval.project import git_state, sha256_of

PROJECT = Path(__file__).parents[2]


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


def write_notebook(checkout, source="x = 1", tags=(), outputs=(), display_name="Python 3", name="01_explore.ipynb"):
    cell = {"cell_type": "code", "metadata": {"tags": list(tags)}, "source": [source], "outputs": list(outputs)}
    metadata = {"kernelspec": {"display_name": display_name, "name": "python3"}}
    path = checkout / "notebooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}))
    return path


@pytest.fixture
def notebook(checkout):
    path = write_notebook(checkout)
    git(checkout, "add", ".")
    git(checkout, "commit", "--quiet", "-m", "a notebook")
    return path


def test_saved_outputs_and_the_kernels_name_are_no_change_of_the_code(checkout, notebook):
    write_notebook(checkout, outputs=[{"output_type": "stream", "text": "1"}], display_name="Python 3 (ipykernel)")
    assert git(checkout, "status", "--porcelain")
    assert git_state()["changes"] == ""


@pytest.mark.parametrize("change", [{"source": "x = 2"}, {"tags": ["parameters"]}, {"name": "06_new.ipynb"}])
def test_the_text_of_a_cell_its_tags_and_a_new_notebook_are_changes(checkout, notebook, change):
    write_notebook(checkout, **change)
    first = git_state()["changes"]
    write_notebook(checkout, **change, outputs=["later"])
    assert first == git_state()["changes"] != ""


def test_a_removed_notebook_and_one_that_cannot_be_read_are_changes(checkout, notebook):
    notebook.write_text("{")
    broken = git_state()["changes"]
    notebook.unlink()
    assert len({broken, git_state()["changes"], ""}) == 3


def test_git_keeps_notebooks_as_they_are_committed_though_they_were_run_and_opened(checkout):
    """The project's own notebooks, through the filter that `make setup` configures."""
    shutil.copytree(PROJECT / "notebooks", checkout / "notebooks")
    shutil.copy(PROJECT / ".gitattributes", checkout)
    recipe = subprocess.run(
        ["make", "-n", "-B", "setup"], cwd=PROJECT, check=True, capture_output=True, text=True
    ).stdout
    (line,) = [line for line in recipe.splitlines() if "filter.nbstripout.clean" in line]
    subprocess.run(["sh", "-c", line], cwd=checkout, check=True)
    git(checkout, "add", ".")  # a worktree without an environment: it is no obstacle
    (checkout / ".venv").symlink_to(Path(sys.executable).parents[1])
    (checkout / ".git/info/exclude").write_text(".venv\n")
    git(checkout, "add", ".")
    git(checkout, "commit", "--quiet", "-m", "notebooks")
    path = checkout / "notebooks/02_train.ipynb"
    document = json.loads(path.read_text())
    for cell in document["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [{"output_type": "stream", "name": "stdout", "text": ["1"]}], "execution_count": 7}
    document["metadata"]["language_info"] |= {"version": "3.12.1", "mimetype": "text/x-python"}
    path.write_text(json.dumps(document, indent=1) + "\n")
    assert git(checkout, "diff", "HEAD") == ""
    assert git(checkout, "show", "HEAD:notebooks/02_train.ipynb") == (PROJECT / "notebooks/02_train.ipynb").read_text()

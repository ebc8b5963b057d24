"""The data's workflow: it is a valid one, asks for little, and calls what there is; its script checks what changed."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOW = ROOT / ".github/workflows/data.yml"
SCRIPT = ROOT / ".ci/check-data"
# Stands in for make: notes what it is asked for, and fails where it is told to. The data say whose tree they are from.
MAKE = """#!/usr/bin/env bash
tree=$PWD target= dataset= reference=
while [ $# -gt 0 ]; do
    case $1 in
        -C) tree=$2; shift ;;
        -o) shift ;;
        DATASET=*) dataset=${1#*=} ;;
        REFERENCE=*) reference=${1#*=} ;;
        *=*) ;;
        *) target=$1 ;;
    esac
    shift
done
if [ "$target" = data ]; then cp "$tree/data/$dataset/contract.toml" "$tree/data/$dataset/dataset.csv"; exit; fi
echo "$target $dataset now=$(cat "$tree/data/$dataset/dataset.csv") before=$([ -z "$reference" ] || cat "$reference")"
[ "$dataset" != "${BREAKS:-}" ]
"""


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_workflow_is_valid() -> None:
    run = subprocess.run([ROOT / ".venv/bin/actionlint", WORKFLOW], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout + run.stderr) == (0, "")


def test_the_workflow_may_read_only_and_takes_each_action_by_its_commit() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) for action in used)
    assert not [job for job in workflow["jobs"].values() if "permissions" in job]
    # What a pull request's author chooses reaches a shell through the environment only.
    assert not [step for step in steps if "${{" in step.get("run", "")]


@pytest.mark.parametrize("path", [WORKFLOW, SCRIPT], ids=["workflow", "script"])
def test_what_is_called_exists(path: Path) -> None:
    text = re.sub(r"^\s*#.*|-o \S+|-C \S+|\S+=\S+", "", path.read_text(), flags=re.MULTILINE)
    called = set(re.findall(r"\bmake +([a-z-]+)", text))
    assert called
    assert called <= make_targets()
    assert all((ROOT / script).stat().st_mode & 0o111 for script in re.findall(r"run: (\.ci/\S+)", text))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with the script, data sets `cars` and `homes`, and a commit `before`."""
    root = tmp_path / "project"
    (root / ".ci").mkdir(parents=True)
    (root / ".ci/check-data").write_bytes(SCRIPT.read_bytes())
    (root / ".ci/check-data").chmod(0o755)
    (root / ".gitignore").write_text("dataset.csv\n")
    (root / "Makefile").write_text("data:\n")
    write(root, cars="old", homes="old")
    git(root, "init", "--quiet", "--initial-branch=main")
    commit(root)
    git(root, "tag", "before")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/make").write_text(MAKE)
    (tmp_path / "bin/make").chmod(0o755)
    return root


def write(root: Path, **contracts: str) -> None:
    for name, text in contracts.items():
        (root / "data" / name).mkdir(parents=True, exist_ok=True)
        (root / "data" / name / "contract.toml").write_text(text)


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True)


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "A change")


def check(root: Path, base: str = "before", **environment: str) -> tuple[int, list[str]]:
    """Return the script's exit status, and the checks that it asked for."""
    path = f"{root.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    command = [root / ".ci/check-data", base]
    run = subprocess.run(command, env=os.environ | environment | {"PATH": path}, capture_output=True, text=True)
    assert len(list((root / ".git").glob("worktrees/*"))) == 0
    return run.returncode, [line for line in run.stdout.splitlines() if line.startswith("check-data ")]


def test_a_changed_data_set_is_checked_against_what_it_was_before(project: Path) -> None:
    write(project, homes="new")
    commit(project)
    assert check(project) == (0, ["check-data homes now=new before=old"])


def test_a_new_data_set_has_no_data_before(project: Path) -> None:
    write(project, boats="new")
    commit(project)
    assert check(project) == (0, ["check-data boats now=new before="])


def test_all_data_sets_are_checked_when_the_record_of_made_data_changes(project: Path) -> None:
    (project / "dvc.lock").write_text("stages: {}\n")
    commit(project)
    assert check(project) == (0, ["check-data cars now=old before=old", "check-data homes now=old before=old"])


def test_one_that_breaks_fails_the_whole_and_the_others_are_checked_still(project: Path) -> None:
    write(project, cars="new", homes="new")
    commit(project)
    status, checks = check(project, BREAKS="cars")
    assert status == 1
    assert checks == ["check-data cars now=new before=old", "check-data homes now=new before=old"]


def test_a_first_push_checks_every_data_set_by_itself(project: Path) -> None:
    assert check(project, "0" * 40) == (0, ["check-data cars now=old before=", "check-data homes now=old before="])


def test_a_data_set_that_was_taken_away_and_other_changes_are_no_affair_of_it(project: Path) -> None:
    (project / "data/cars/contract.toml").unlink()
    (project / "README.md").write_text("words")
    commit(project)
    assert check(project) == (0, [])

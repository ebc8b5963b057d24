"""The workflows: right by the linter, actions pinned by commit, no more rights than needed, commands that exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def steps(workflow: Path) -> list[dict[str, object]]:
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


def test_the_linter_finds_nothing() -> None:
    actionlint = Path(sys.executable).with_name("actionlint")
    run = subprocess.run([actionlint, "-no-color", *WORKFLOWS], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, "")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit_and_say_which_version_that_is(workflow: Path) -> None:
    lines = [line for line in workflow.read_text().splitlines() if "uses:" in line]
    assert lines
    assert [line for line in lines if not re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d", line)] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_only_read_unless_a_job_says_more(workflow: Path) -> None:
    assert yaml.safe_load(workflow.read_text())["permissions"] == {"contents": "read"}
    for step in steps(workflow):
        if "actions/checkout" in str(step.get("uses")):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_its_make_targets_and_files_are_there(workflow: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = "\n".join(str(step.get("run", "")) for step in steps(workflow))
    assert set(re.findall(r"\bmake ([a-z-]+)", commands)) <= targets
    files = re.findall(r"[\w./-]+\.(?:py|yml|yaml|txt)\b", commands)
    assert [name for name in files if not (ROOT / name).exists()] == []

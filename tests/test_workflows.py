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


def test_a_job_has_more_rights_only_where_it_signs() -> None:
    asked = {
        (workflow.stem, name): job["permissions"]
        for workflow in WORKFLOWS
        for name, job in yaml.safe_load(workflow.read_text())["jobs"].items()
        if "permissions" in job
    }
    assert asked == {("release", "image"): {"contents": "read", "id-token": "write"}}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_no_stranger_runs_code_with_secrets_and_no_text_of_theirs_is_a_command(workflow: Path) -> None:
    document = yaml.safe_load(workflow.read_text())
    events = document[True].keys()  # YAML 1.1 reads `on` as a truth value
    assert events <= {"push", "pull_request"}
    assert "pull_request" not in events or "secrets." not in workflow.read_text()
    assert [step["run"] for step in steps(workflow) if "${{" in str(step.get("run", ""))] == []


def test_every_change_is_checked_and_only_main_is_released() -> None:
    ci, release = (yaml.safe_load((WORKFLOWS[0].parent / f"{name}.yml").read_text()) for name in ("ci", "release"))
    commands = [str(step.get("run", "")) for step in steps(WORKFLOWS[0].parent / "ci.yml")]
    for wanted in ("make lint", "make test", "make run", "make image", "make test-image"):
        assert wanted in commands
    assert any("env create" in command and "environment.yml" in command for command in commands)
    assert ci[True] == {"pull_request": None, "push": {"branches": ["develop"]}}
    assert release[True] == {"push": {"branches": ["main"]}}


def test_a_change_is_tested_on_every_supported_python() -> None:
    job = yaml.safe_load((WORKFLOWS[0].parent / "ci.yml").read_text())["jobs"]["test"]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert [step["with"]["python-version"] for step in job["steps"] if "python-version" in step.get("with", {})] == [
        "${{ matrix.python }}"
    ]


def test_an_image_is_tried_before_it_is_pushed_signed_after_and_deployed_by_a_person() -> None:
    jobs = yaml.safe_load((WORKFLOWS[0].parent / "release.yml").read_text())["jobs"]
    script = "\n".join(str(step.get("run", "")) for step in jobs["image"]["steps"])
    order = [
        script.index(part) for part in ("make image", "make test-image", "docker push", "cosign sign", "cosign attest")
    ]
    assert order == sorted(order)
    assert jobs["deploy"]["needs"] == "image"
    assert jobs["deploy"]["environment"] == "production"  # whose reviewers approve


def deploy(tmp_path: Path, **environment: str) -> tuple[int, str, str]:
    """Run the step that deploys with a kubectl that applies nothing; return its status, the manifests, the calls."""
    (step,) = [step for step in steps(WORKFLOWS[0].parent / "release.yml") if "kubectl" in str(step.get("run"))]
    (tmp_path / "kubectl").write_text(KUBECTL.format(real=Path(sys.executable).with_name("kubectl"), folder=tmp_path))
    (tmp_path / "kubectl").chmod(0o755)
    told = {"PATH": f"{tmp_path}:/usr/bin:/bin", "RUNNER_TEMP": str(tmp_path), "KUBECONFIG_TEXT": "x", **environment}
    run = subprocess.run(["bash", "-eo", "pipefail", "-c", str(step["run"])], cwd=ROOT, env=told, capture_output=True)
    applied, calls = tmp_path / "applied", tmp_path / "calls"
    return run.returncode, applied.read_text() if applied.exists() else "", calls.read_text() if calls.exists() else ""


KUBECTL = """#!/bin/sh
echo "$@" >> {folder}/calls
case $1 in
    kustomize) exec {real} "$@" ;;
    apply) cat > {folder}/applied ;;
esac
"""


def test_what_is_deployed_is_the_image_that_was_pushed_with_the_model_that_was_named(tmp_path: Path) -> None:
    images = {"DIGEST": "ghcr.io/a/api@sha256:1", "MODEL_IMAGE": "ghcr.io/a/model@sha256:2"}
    status, applied, calls = deploy(tmp_path, **images)
    assert status == 0
    documents = {document["kind"]: document for document in yaml.safe_load_all(applied)}
    pod = documents["Deployment"]["spec"]["template"]["spec"]
    assert [each["image"] for each in pod["containers"]] == [images["DIGEST"]]
    assert [each["image"] for each in pod["initContainers"]] == [images["MODEL_IMAGE"]]
    asked = documents["Deployment"]["metadata"]
    assert f"--namespace {asked['namespace']} rollout status deployment/{asked['name']} " in calls


def test_nothing_is_deployed_without_a_model(tmp_path: Path) -> None:
    assert deploy(tmp_path, DIGEST="ghcr.io/a/api@sha256:1", MODEL_IMAGE="")[:2] != (0, "")
    assert not (tmp_path / "applied").exists()


@pytest.mark.parametrize("wrong", [{"DIGEST": "ghcr.io/a/api:v1"}, {"MODEL_IMAGE": "ghcr.io/a/model:latest"}])
def test_an_image_by_tag_is_not_deployed(tmp_path: Path, wrong: dict[str, str]) -> None:
    images = {"DIGEST": "ghcr.io/a/api@sha256:1", "MODEL_IMAGE": "ghcr.io/a/model@sha256:2"}
    assert deploy(tmp_path, **images | wrong)[0] == 1
    assert not (tmp_path / "applied").exists()

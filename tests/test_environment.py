"""The lock files, environment.yml and the Dockerfile say the same."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from serve import __version__
from tests.manifests import image_environment

ROOT = Path(__file__).parents[1]
LOCKS = sorted((ROOT / "locks").glob("*.txt"))
# What the benchmarks compare with. Theirs must be what decides how fast a model answers; the rest is their own affair.
PEERS = [lock for lock in LOCKS if lock.stem.startswith("bench")]
APART = [*PEERS, ROOT / "locks/clients.txt", ROOT / "locks/docs.txt"]  # in environments of their own
SHARED = ("numpy", "onnxruntime", "pandas", "scikit-learn")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = PROJECT["project"]["optional-dependencies"] | PROJECT["dependency-groups"]


def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", lock.read_text(), re.MULTILINE))


def asked_for(group: str) -> list[str]:
    return [item for item in GROUPS[group] if isinstance(item, str) and not item.startswith("loan-approval[")]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_pin_of_a_lock_has_a_hash_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert blocks
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text
    assert "index" not in text


@pytest.mark.parametrize("lock", [lock for lock in LOCKS if lock not in APART], ids=lambda lock: lock.stem)
def test_locks_agree_on_every_version(lock: Path) -> None:
    every = pins(ROOT / "locks/dev.txt")
    assert {name: every.get(name) for name in pins(lock)} == pins(lock)


def test_the_site_is_made_with_the_versions_of_the_project_where_it_needs_the_same_package() -> None:
    ours, theirs = pins(ROOT / "locks/dev.txt"), pins(ROOT / "locks/docs.txt")
    shared = theirs.keys() & ours.keys()
    assert "jinja2" in shared
    assert {name: theirs[name] for name in shared} == {name: ours[name] for name in shared}


@pytest.mark.parametrize("lock", PEERS, ids=lambda lock: lock.stem)
def test_peers_compute_with_the_same_libraries(lock: Path) -> None:
    ours, theirs = pins(ROOT / "locks/dev.txt"), pins(lock)
    shared = [name for name in SHARED if name in theirs]
    assert shared
    assert {name: theirs[name] for name in shared} == {name: ours[name] for name in shared}


@pytest.mark.parametrize(
    ("group", "lock"),
    [
        ("serve", "serve"),
        ("otel", "otel"),
        ("train", "dev"),
        ("xgboost", "dev"),
        ("dev", "dev"),
        ("docs", "docs"),
        *((p.stem, p.stem) for p in PEERS),
    ],
)
def test_what_pyproject_asks_for_is_in_the_lock(group: str, lock: str) -> None:
    locked = pins(ROOT / f"locks/{lock}.txt")
    for requirement in asked_for(group):
        name, _, version = requirement.partition("==")
        name = re.match(r"[a-z0-9-]+", name).group()
        assert name in locked
        assert not version or version.endswith("*") or locked[name] == version


def test_the_conda_environment_installs_the_same_lock_and_a_supported_python() -> None:
    text = (ROOT / "environment.yml").read_text()
    assert re.findall(r"^\s+- (-r .*)$", text, re.MULTILINE) == ["-r locks/dev.txt"]
    minor = int(re.search(r"- python=3\.(\d+)", text).group(1))
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert wanted == f">=3.{minor}"


def test_the_image_installs_the_lock_of_the_server_with_its_hashes() -> None:
    assert "--require-hashes -r /tmp/serve.txt" in (ROOT / "Dockerfile").read_text()


def test_the_image_runs_as_nobody_in_exec_form_on_a_base_that_is_named() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert "ARG BASE_IMAGE=python:3.11-slim-bookworm\n" in text
    last = text.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.*)$", last, re.MULTILINE) == ["10001:10001"]
    assert re.findall(r"^ENTRYPOINT (.*)$", last, re.MULTILINE) == ['["python", "-m", "serve"]']
    assert re.findall(r"^ +CMD (.*)$", last, re.MULTILINE) == ['["python", "-m", "serve.healthcheck"]']


def test_an_image_is_built_from_code_pages_locks_and_a_store_alone() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    packages = {f"serve/{path.parent.name}/*.py" for path in ROOT.glob("serve/*/__init__.py")}
    code = {"serve/*.py", *packages, "serve/api/static/*", "serve/openapi/*.json"}
    assert allowed == {".dockerignore", "store/**", *code, "locks/serve.txt", "locks/mlflow.txt"}
    assert {"serve/**/.*", "store/**/.*"} <= set(rules[len(allowed) :])  # the last rule that fits counts


def test_the_version_of_project_server_and_image_is_one_and_the_image_tells_the_server_its_commit() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"^ARG VERSION=(\S+) REVISION=unknown$", dockerfile, re.MULTILINE) == [project] == [__version__]
    assert image_environment()["SERVE_REVISION"] == "${REVISION}"


def test_the_serving_lock_holds_no_training_library() -> None:
    heavy = {"scikit-learn", "pandas", "mlflow", "mlflow-skinny", "skl2onnx", "onnx", "scipy", "joblib"}
    assert not heavy & set(pins(ROOT / "locks/serve.txt"))


def test_reading_a_notebook_builds_no_grammar_of_addresses() -> None:
    listed = "import sys, nbformat; print('jsonschema' in sys.modules, 'lark' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True, check=True)
    assert run.stdout == "True False\n"


def test_make_alone_prints_the_ten_commands_of_the_first_day_and_where_the_others_are() -> None:
    printed = subprocess.run(["make", "-s", "-C", ROOT], capture_output=True, text=True, check=True).stdout
    targets = re.findall(r"^make ([a-z-]+) ", printed, re.MULTILINE)
    assert targets == [
        "setup",
        "run",
        "explore",
        "train",
        "validate",
        "promote",
        "rollback",
        "history",
        "serve",
        "test",
        "help-all",
    ]


def test_make_help_all_prints_every_target_once_in_its_group() -> None:
    printed = subprocess.run(["make", "-s", "-C", ROOT, "help-all"], capture_output=True, text=True, check=True).stdout
    groups = re.findall(r"^([a-z]+):$", printed, re.MULTILINE)
    assert groups == ["start", "data", "model", "operate", "develop"]
    printed_targets = sorted(re.findall(r"^make ([a-z-]+) ", printed, re.MULTILINE))
    assert printed_targets == sorted(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_make_prints_its_targets_in_the_order_of_the_work() -> None:
    printed = subprocess.run(["make", "-C", ROOT, "help-all"], capture_output=True, text=True, check=True).stdout
    targets = re.findall(r"^make ([a-z-]+) ", printed, re.MULTILINE)
    order = ["run", "lab", "explore", "train", "validate", "promote", "rollback", "serve", "mlflow", "lint", "format"]
    assert [target for target in targets if target in order] == order
    assert "clean" in targets


def test_what_make_runs_keeps_the_bytecode_of_what_it_imports() -> None:
    told = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "ANOTHER": "1"}
    command = ["make", "-s", "-C", ROOT, "--eval", "probe: ; @env", "probe"]
    printed = subprocess.run(command, env=told, capture_output=True, text=True, check=True).stdout.splitlines()
    assert "ANOTHER=1" in printed
    assert "PYTHONDONTWRITEBYTECODE=1" not in printed


def test_the_dockerfile_is_clean_by_hadolint() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    run = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, "")

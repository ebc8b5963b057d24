"""The service definitions of the clouds: they parse, name the server's port and probes, and hold settings it takes."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from serve.settings import Settings

ROOT = Path(__file__).parents[1]
CLOUD = ROOT / "deploy/cloud"


def containers() -> dict[str, tuple[dict[str, Any], float]]:
    """Return the one container of each definition, and the seconds it has from SIGTERM to SIGKILL."""
    run = yaml.safe_load((CLOUD / "cloud-run.yaml").read_text())["spec"]["template"]["spec"]
    ecs = json.loads((CLOUD / "ecs-task.json").read_text())
    app = yaml.safe_load((CLOUD / "container-app.yaml").read_text())["properties"]["template"]
    return {
        "cloud-run": (run["containers"][0], 10),  # fixed by Cloud Run
        "ecs": (ecs["containerDefinitions"][0], ecs["containerDefinitions"][0]["stopTimeout"]),
        "container-app": (app["containers"][0], app["terminationGracePeriodSeconds"]),
    }


@pytest.mark.parametrize("name", containers())
def test_the_server_takes_the_settings_and_drains_before_it_is_killed(name: str, tmp_path: Path) -> None:
    container, grace = containers()[name]
    listed = container.get("env") or container["environment"]
    environment = {each["name"]: each["value"] for each in listed}
    if "SERVE_API_KEYS_FILE" in environment:
        environment["SERVE_API_KEYS_FILE"] = str(tmp_path / "keys.txt")
        (tmp_path / "keys.txt").touch()
    assert Settings.from_environment(environment).drain_seconds < grace


@pytest.mark.parametrize("name", containers())
def test_the_port_is_the_images(name: str) -> None:
    container, _ = containers()[name]
    assert "EXPOSE 8000" in (ROOT / "Dockerfile").read_text()
    assert "8000" in json.dumps(container)


def test_an_app_on_azure_sends_its_traffic_to_the_servers_port() -> None:
    properties = yaml.safe_load((CLOUD / "container-app.yaml").read_text())["properties"]
    assert properties["configuration"]["ingress"]["targetPort"] == 8000
    mounted = {mount["volumeName"] for mount in properties["template"]["containers"][0]["volumeMounts"]}
    assert mounted == {volume["name"] for volume in properties["template"]["volumes"]}


def test_a_task_on_ecs_runs_hardened_and_mounts_what_it_declares() -> None:
    task = json.loads((CLOUD / "ecs-task.json").read_text())
    container = task["containerDefinitions"][0]
    assert container["readonlyRootFilesystem"] is True
    assert container["user"] == "10001:10001"
    assert container["linuxParameters"]["capabilities"] == {"drop": ["ALL"]}
    assert {m["sourceVolume"] for m in container["mountPoints"]} == {v["name"] for v in task["volumes"]}


def test_each_definition_is_named_by_its_page() -> None:
    pages = "".join(path.read_text() for path in (ROOT / "docs/deploy").glob("*.md"))
    assert [path.name for path in CLOUD.iterdir() if f"deploy/cloud/{path.name}" not in pages] == []

"""The service definitions of the clouds: they parse, name the server's port and probes, and hold settings it takes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from serve.settings import Settings
from tests.manifests import image_environment, plain_secrets

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


@pytest.mark.parametrize("name", ["cloud-run", "container-app"])
def test_probes_ask_for_the_model_before_there_is_traffic_and_only_for_life_after(name: str) -> None:
    container, _ = containers()[name]
    listed = container.get("probes") or [
        {"type": kind, **container[f"{kind.lower()}Probe"]} for kind in ("Startup", "Liveness")
    ]
    asked = {probe["type"]: probe["httpGet"]["path"] for probe in listed}
    assert asked.pop("Readiness", "/health/ready") == "/health/ready"
    assert asked == {"Startup": "/health/ready", "Liveness": "/health/live"}
    assert {probe["httpGet"].get("port", 8000) for probe in listed} == {8000}


def test_a_task_on_ecs_checks_its_health_as_the_image_does() -> None:
    container, _ = containers()["ecs"]
    image = re.search(r"HEALTHCHECK .*\\\n +CMD (\[.*\])", (ROOT / "Dockerfile").read_text()).group(1)
    assert container["healthCheck"]["command"] == ["CMD", *json.loads(image)]


@pytest.mark.parametrize("name", containers())
def test_folders_and_files_are_where_the_server_looks_for_them(name: str) -> None:
    container, _ = containers()[name]
    environment = {each["name"]: each["value"] for each in container.get("env") or container["environment"]}
    assert plain_secrets(environment) == []
    mounts = container.get("volumeMounts") or container["mountPoints"]
    paths = {mount.get("mountPath") or mount["containerPath"] for mount in mounts}
    asked = {environment[key] for key in ("SERVE_PREDICTION_LOG",) if key in environment}
    asked |= {str(Path(environment[key]).parent) for key in ("SERVE_API_KEYS_FILE",) if key in environment}
    store = {image_environment()["SERVE_STORE"]} if "MLFLOW_TRACKING_URI" in environment else set()
    assert paths == asked | store


def test_the_file_of_keys_is_the_secret_by_the_name_it_is_mounted_as() -> None:
    run = yaml.safe_load((CLOUD / "cloud-run.yaml").read_text())["spec"]["template"]["spec"]
    app = yaml.safe_load((CLOUD / "container-app.yaml").read_text())["properties"]
    names = {
        "cloud-run": run["volumes"][0]["secret"]["items"][0]["path"],
        "container-app": app["template"]["volumes"][0]["secrets"][0]["path"],
    }
    for name, file in names.items():
        environment = {each["name"]: each["value"] for each in containers()[name][0]["env"]}
        assert Path(environment["SERVE_API_KEYS_FILE"]).name == file
    (secret,) = app["configuration"]["secrets"]
    assert secret["name"] == app["template"]["volumes"][0]["secrets"][0]["secretRef"]


@pytest.mark.parametrize("name", containers())
def test_the_port_is_the_images(name: str) -> None:
    container, _ = containers()[name]
    assert "EXPOSE 8000" in (ROOT / "Dockerfile").read_text()
    ports = container.get("ports") or container.get("portMappings") or []
    assert [each["containerPort"] for each in ports] == [8000] * len(ports)
    assert name == "container-app" or ports


def test_an_app_on_azure_sends_its_traffic_to_the_servers_port() -> None:
    properties = yaml.safe_load((CLOUD / "container-app.yaml").read_text())["properties"]
    ingress = properties["configuration"]["ingress"]
    assert ingress == {"external": False, "targetPort": 8000, "transport": "http", "allowInsecure": False}
    mounted = {mount["volumeName"] for mount in properties["template"]["containers"][0]["volumeMounts"]}
    assert mounted == {volume["name"] for volume in properties["template"]["volumes"]}


def test_a_task_on_ecs_runs_hardened_and_mounts_what_it_declares() -> None:
    task = json.loads((CLOUD / "ecs-task.json").read_text())
    container = task["containerDefinitions"][0]
    assert (task["cpu"], task["memory"]) == ("1024", "2048")  # a core for the one worker, and Fargate's least for it
    assert container["readonlyRootFilesystem"] is True
    assert container["user"] == "10001:10001"
    assert container["linuxParameters"]["capabilities"] == {"drop": ["ALL"]}
    assert {m["sourceVolume"] for m in container["mountPoints"]} == {v["name"] for v in task["volumes"]}


def test_each_definition_is_named_by_its_page() -> None:
    pages = "".join(path.read_text() for path in (ROOT / "docs/deploy").glob("*.md"))
    assert [path.name for path in CLOUD.iterdir() if f"deploy/cloud/{path.name}" not in pages] == []

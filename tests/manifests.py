"""Kubernetes manifests as kustomize makes them, and what the image that they run says of itself."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
KUBERNETES = ROOT / "deploy/kubernetes"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())
# Who may own the number of replicas beside the Deployment: kind, and the fields of its least and its greatest number.
SCALERS = [
    ("HorizontalPodAutoscaler", "minReplicas", "maxReplicas"),
    ("ScaledObject", "minReplicaCount", "maxReplicaCount"),
]
JOB = "loan-approval"  # by which alerts, dashboard and KEDA find the metrics in Prometheus
KUBECTL = Path(sys.executable).with_name("kubectl")
# What an environment may hold in plain text: never what opens a door, but the name of a file or secret that does.
SECRET = re.compile(r"PASSWORD|TOKEN|SECRET|CREDENTIAL|ACCESS_KEY")


@cache
def render(folder: Path) -> str:
    """Return what `kubectl kustomize` prints for a folder."""
    run = subprocess.run([KUBECTL, "kustomize", folder], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def documents(folder: Path) -> dict[str, Any]:
    """Return a folder's documents by their kind, of which there is one each."""
    listed = [document for document in yaml.safe_load_all(render(folder)) if document]
    by_kind = {document["kind"]: document for document in listed}
    assert len(by_kind) == len(listed)
    return by_kind


def scaling_faults(made: dict[str, Any]) -> list[str]:
    """Return what is wrong with who owns the number of replicas, and with the pods that a drained node may take."""
    deployment, faults = made["Deployment"], []
    owners = {"Deployment": deployment["spec"].get("replicas")} if "replicas" in deployment["spec"] else {}
    for kind, least, most in SCALERS:
        if kind not in made:
            continue
        spec = made[kind]["spec"]
        owners[kind] = spec[least]
        if spec["scaleTargetRef"]["name"] != deployment["metadata"]["name"]:
            faults.append(f"{kind} scales something else")
        if spec[least] >= spec[most]:
            faults.append(f"{kind} can't scale")
    if len(owners) != 1:
        faults.append(f"the number of replicas has {len(owners)} owners")
    budget = made["PodDisruptionBudget"]["spec"]
    for kind, least in owners.items():
        if least < 2:
            faults.append(f"{kind} is content with one replica")
        if least <= budget.get("minAvailable", 0):
            faults.append("no node can be drained")
    if budget.get("maxUnavailable", 1) != 1:
        faults.append("several pods may go at once")
    return faults


def image_faults(made: dict[str, Any]) -> list[str]:
    """Return the images of the pods that are not named by their digest."""
    pod = made["Deployment"]["spec"]["template"]["spec"]
    images = [each["image"] for each in [*pod["containers"], *pod.get("initContainers", [])]]
    return [image for image in images if not re.fullmatch(r"[\w./:-]+@sha256:[0-9a-f]{64}", image)]


def monitor_faults(made: dict[str, Any]) -> list[str]:
    """Return why the Prometheus operator would not scrape each pod once, at the port of the metrics."""
    monitor, template = made["PodMonitor"]["spec"], made["Deployment"]["spec"]["template"]
    faults = []
    if not monitor["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items():
        faults.append("the selector finds no pod")
    (endpoint,) = monitor["podMetricsEndpoints"]
    ports = {port["name"]: port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
    if str(ports.get(endpoint["port"])) != made["ConfigMap"]["data"]["SERVE_METRICS_ADDRESS"].rpartition(":")[2]:
        faults.append("the port is not that of the metrics")
    if endpoint.get("path", "/metrics") != "/metrics":
        faults.append("the path is not that of the metrics")
    if {"targetLabel": "job", "replacement": JOB} not in endpoint.get("relabelings", []):
        faults.append(f"the job is not called {JOB}")
    if template["metadata"].get("annotations"):
        faults.append("pods are scraped by their annotations as well")
    return faults


def image_environment() -> dict[str, str]:
    """Return what the Dockerfile's ENV sets."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(re.findall(r"^ENV (.*)$", text, re.MULTILINE))))


def plain_secrets(environment: dict[str, str]) -> list[str]:
    """Return the names of variables that hold a secret rather than the name of a file that does."""
    return [name for name in environment if SECRET.search(name) and not name.endswith("_FILE")]

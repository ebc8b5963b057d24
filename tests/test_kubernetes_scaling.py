"""Who owns the number of replicas, images by digest, and scraping: each rule is seen to find the mistake it is for."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serve.metrics.exposition import METRICS
from tests.manifests import JOB, KUBERNETES, OVERLAYS, documents, image_faults, monitor_faults, scaling_faults

OWNERS = ["autoscaler", "fixed", "keda"]
OVERLAY = "resources: [../../base]\ncomponents: [{}]\n"
Faults = Callable[[dict[str, Any]], list[str]]


def build(folder: Path, *components: str) -> dict[str, Any]:
    """Return what a copy of the manifests in `folder` makes of the base with these components."""
    overlay = folder / "overlays/new"
    overlay.mkdir()
    listed = ", ".join(f"../../components/{name}" for name in components)
    (overlay / "kustomization.yaml").write_text(OVERLAY.format(listed))
    return documents(overlay)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the manifests, to make mistakes in."""
    return Path(shutil.copytree(KUBERNETES, tmp_path / "kubernetes"))


def test_each_component_is_tried_here() -> None:
    assert sorted(path.name for path in (KUBERNETES / "components").iterdir()) == [*OWNERS, "pod-monitor"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_in_an_overlay_one_owner_has_the_number_of_replicas_and_images_go_by_digest(name: str) -> None:
    made = documents(KUBERNETES / "overlays" / name)
    assert scaling_faults(made) == image_faults(made) == []


@pytest.mark.parametrize("owner", OWNERS)
def test_each_owner_alone_leaves_the_number_to_nobody_else_and_nodes_can_be_drained(owner: str, copy: Path) -> None:
    made = build(copy, owner)
    assert scaling_faults(made) == image_faults(made) == []


@pytest.mark.parametrize(
    ("components", "file", "right", "wrong", "fault"),
    [
        ([], None, "", "", "the number of replicas has 0 owners"),
        (["autoscaler", "keda"], None, "", "", "the number of replicas has 2 owners"),
        (["keda"], "base/deployment.yaml", "spec:\n", "spec:\n  replicas: 3\n", "the number of replicas has 2 owners"),
        (["autoscaler", "fixed"], None, "", "", "the number of replicas has 2 owners"),
        (
            ["fixed"],
            "components/fixed/kustomization.yaml",
            "count: 2",
            "count: 1",
            "Deployment is content with one replica",
        ),
        (
            ["keda"],
            "components/keda/scaled-object.yaml",
            "minReplicaCount: 3",
            "minReplicaCount: 0",
            "ScaledObject is content with one replica",
        ),
        (
            ["keda"],
            "components/keda/scaled-object.yaml",
            "maxReplicaCount: 40",
            "maxReplicaCount: 3",
            "ScaledObject can't scale",
        ),
        (
            ["keda"],
            "components/keda/scaled-object.yaml",
            "    name: loan-approval-api",
            "    name: loan-api",
            "ScaledObject scales something else",
        ),
        (["keda"], "base/disruption-budget.yaml", "maxUnavailable: 1", "minAvailable: 3", "no node can be drained"),
        (
            ["fixed"],
            "base/disruption-budget.yaml",
            "maxUnavailable: 1",
            "maxUnavailable: 50%",
            "several pods may go at once",
        ),
    ],
)
def test_a_mistake_in_scaling_is_found(
    components: list[str], file: str | None, right: str, wrong: str, fault: str, copy: Path
) -> None:
    if file:
        plant(copy / file, right, wrong)
    assert fault in scaling_faults(build(copy, *components))


def plant(file: Path, right: str, wrong: str) -> None:
    """Put a mistake into a file."""
    text = file.read_text()
    assert right in text
    file.write_text(text.replace(right, wrong, 1))


@pytest.mark.parametrize(
    ("digest", "wrong"),
    [
        ("digest: sha256:0", "newTag: v0"),
        ("digest: sha256:0", "newTag: latest #"),
        ("digest: sha256:0", "digest: sha256:"),
    ],
)
def test_an_image_by_tag_or_by_half_a_digest_is_found(digest: str, wrong: str, copy: Path) -> None:
    plant(copy / "base/kustomization.yaml", digest, wrong)
    assert len(image_faults(build(copy, "fixed"))) == 1


def test_the_digest_of_a_release_takes_the_place_of_the_one_that_nothing_has(copy: Path) -> None:
    released = f"ghcr.io/owner/loan-approval-api@sha256:{'a' * 64}"
    name, _, digest = released.partition("@")
    images = f"images: [{{name: loan-approval-api, newName: {name}, digest: '{digest}'}}]\n"
    plant(copy / "overlays/staging/kustomization.yaml", "resources:\n", f"{images}resources:\n")  # as `edit set image`
    made = documents(copy / "overlays/staging")
    assert [each["image"] for each in made["Deployment"]["spec"]["template"]["spec"]["containers"]] == [released]


def test_cpu_asks_for_more_replicas_before_a_core_is_full(copy: Path) -> None:
    scaler = build(copy, "autoscaler")["HorizontalPodAutoscaler"]["spec"]
    assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "loan-approval-api"}
    (metric,) = scaler["metrics"]
    assert metric["resource"]["name"] == "cpu"
    assert re.fullmatch(r"[1-9]\d{2}m", metric["resource"]["target"]["averageValue"])  # a worker has one core


def test_keda_asks_for_what_is_exposed_and_scraped(copy: Path) -> None:
    scaled = build(copy, "keda")["ScaledObject"]["spec"]
    # KEDA's schema is not at hand: these are the names of its reference.
    assert scaled.keys() == {"scaleTargetRef", "minReplicaCount", "maxReplicaCount", "cooldownPeriod", "triggers"}
    (trigger,) = scaled["triggers"]
    assert trigger["metadata"].keys() == {"serverAddress", "query", "threshold"}
    metric, job = re.search(r'(loan_\w+)_count\{job="([^"]+)"\}', trigger["metadata"]["query"]).groups()
    assert metric in {each.name for each in METRICS}
    assert job == JOB
    assert f"job_name: {JOB}\n" in (KUBERNETES.parent / "prometheus.yml").read_text()


@pytest.mark.parametrize("owner", OWNERS)
def test_the_operator_scrapes_each_pod_once_at_the_port_of_the_metrics(owner: str, copy: Path) -> None:
    made = build(copy, owner, "pod-monitor")
    assert made["PodMonitor"].keys() == {"apiVersion", "kind", "metadata", "spec"}
    # The operator's schema is not at hand: these are the names of its reference.
    assert made["PodMonitor"]["spec"].keys() == {"selector", "podMetricsEndpoints"}
    assert made["PodMonitor"]["spec"]["podMetricsEndpoints"][0].keys() == {"port", "path", "interval", "relabelings"}
    assert monitor_faults(made) == []


def test_the_monitor_of_an_overlay_is_in_its_namespace(copy: Path) -> None:
    monitored = "components:\n  - ../../components/pod-monitor\n"
    plant(copy / "overlays/production/kustomization.yaml", "components:\n", monitored)
    made = documents(copy / "overlays/production")
    assert monitor_faults(made) == []
    assert made["PodMonitor"]["metadata"]["namespace"] == made["Deployment"]["metadata"]["namespace"]


@pytest.mark.parametrize(
    ("file", "right", "wrong", "fault"),
    [
        (
            "pod-monitor.yaml",
            "      app.kubernetes.io/name: loan-approval-api",
            "      app: api",
            "the selector finds no pod",
        ),
        ("pod-monitor.yaml", "port: metrics", "port: http", "the port is not that of the metrics"),
        ("pod-monitor.yaml", "port: metrics", "port: metric", "the port is not that of the metrics"),
        ("pod-monitor.yaml", "path: /metrics", "path: /metric", "the path is not that of the metrics"),
        ("pod-monitor.yaml", "replacement: loan-approval", "replacement: loans", f"the job is not called {JOB}"),
        (
            "kustomization.yaml",
            "/metadata/annotations",
            "/metadata/annotations/prometheus.io~1port",
            "pods are scraped by their annotations as well",
        ),
    ],
)
def test_a_mistake_in_scraping_is_found(file: str, right: str, wrong: str, fault: str, copy: Path) -> None:
    plant(copy / "components/pod-monitor" / file, right, wrong)
    assert fault in monitor_faults(build(copy, "fixed", "pod-monitor"))

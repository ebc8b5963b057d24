"""What the manifests name is there, and is what they take it for: probes, folders, secrets, ports, peers, images."""

import re
from pathlib import Path
from typing import Any

import pytest

from serve.api.app import create_app
from serve.settings import Settings
from serve.store.store import Store
from tests.manifests import KUBERNETES, OVERLAYS, documents, image_environment, plain_secrets

NAME = {"app.kubernetes.io/name": "loan-approval-api"}
STORE = image_environment()["SERVE_STORE"]


@pytest.fixture(scope="module", params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> dict[str, Any]:
    return documents(KUBERNETES / "overlays" / request.param)


@pytest.fixture
def pod(overlay: dict[str, Any]) -> dict[str, Any]:
    return overlay["Deployment"]["spec"]["template"]["spec"]


@pytest.fixture
def api(pod: dict[str, Any]) -> dict[str, Any]:
    return pod["containers"][0]


def test_an_ill_process_is_restarted_and_one_without_a_model_only_gets_no_requests(api: dict[str, Any]) -> None:
    asked = {kind: api[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
    assert asked == {
        "startup": {"path": "/health/live", "port": "http"},
        "liveness": {"path": "/health/live", "port": "http"},
        "readiness": {"path": "/health/ready", "port": "http"},
    }


def test_the_server_knows_each_path_that_a_probe_asks_for(api: dict[str, Any], tmp_path: Path) -> None:
    client = create_app(Settings(store=Store(tmp_path).path, poll_seconds=3600)).test_client()
    for kind in ("startup", "liveness", "readiness"):
        assert client.get(api[f"{kind}Probe"]["httpGet"]["path"]).status_code in (200, 503)


def test_folders_are_where_the_server_looks_for_them(overlay: dict[str, Any], api: dict[str, Any]) -> None:
    mounts = {mount["name"]: mount["mountPath"] for mount in api["volumeMounts"]}
    keys = Path(overlay["ConfigMap"]["data"]["SERVE_API_KEYS_FILE"])
    assert mounts == {"store": STORE, "keys": str(keys.parent)}
    assert overlay["ConfigMap"]["data"].get("SERVE_STORE", STORE) == STORE


def test_a_pod_takes_nothing_of_its_node_and_may_read_what_is_mounted(pod: dict[str, Any]) -> None:
    assert [name for name in pod if name.startswith("host")] == []
    assert [volume for volume in pod["volumes"] if not volume.keys() <= {"name", "emptyDir", "secret"}] == []
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"] == 10001
    declared = {volume["name"] for volume in pod["volumes"]}
    containers = [*pod["containers"], *pod.get("initContainers", [])]
    assert {mount["name"] for each in containers for mount in each["volumeMounts"]} == declared


def test_what_the_pod_refers_to_is_made_with_it_or_is_a_secret_that_the_page_names(
    overlay: dict[str, Any], pod: dict[str, Any], api: dict[str, Any]
) -> None:
    assert pod["serviceAccountName"] == overlay["ServiceAccount"]["metadata"]["name"]
    settings, registry = api["envFrom"]
    assert settings["configMapRef"]["name"] == overlay["ConfigMap"]["metadata"]["name"]
    assert registry["secretRef"]["optional"] is True  # a registry may ask for no name
    secrets = [registry["secretRef"]["name"], *(v["secret"]["secretName"] for v in pod["volumes"] if "secret" in v)]
    page = (KUBERNETES.parents[1] / "docs/deploy/kubernetes.md").read_text()
    assert [name for name in secrets if f"`{name}`" not in page] == []


def test_no_secret_stands_in_a_manifest(overlay: dict[str, Any], pod: dict[str, Any]) -> None:
    assert "Secret" not in overlay
    assert plain_secrets(overlay["ConfigMap"]["data"]) == []
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        given = {each["name"]: each["value"] for each in container.get("env", []) if "value" in each}
        assert plain_secrets(given) == []


def test_no_pod_is_throttled_and_one_is_replaced_at_a_time(overlay: dict[str, Any]) -> None:
    deployment = overlay["Deployment"]["spec"]
    assert "cpu" not in deployment["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_replicas_are_spread_over_zones_and_nodes(pod: dict[str, Any]) -> None:
    spread = pod["topologySpreadConstraints"]
    assert {each["topologyKey"] for each in spread} == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
    assert [each["labelSelector"]["matchLabels"] for each in spread] == [NAME, NAME]


def test_a_pod_goes_on_answering_until_nobody_sends_and_drains_before_it_is_killed(
    overlay: dict[str, Any], pod: dict[str, Any], api: dict[str, Any]
) -> None:
    *python, code = api["lifecycle"]["preStop"]["exec"]["command"]
    assert python == ["python", "-c"]  # what the image has
    waits = float(re.fullmatch(r"import time; time\.sleep\((\d+)\)", code).group(1))
    drain = float(overlay["ConfigMap"]["data"]["SERVE_DRAIN_SECONDS"])
    assert waits >= 3
    assert waits + drain < pod["terminationGracePeriodSeconds"]


def test_the_network_lets_in_the_ingress_and_the_monitoring_and_out_names_and_the_registry(
    overlay: dict[str, Any],
) -> None:
    policy = overlay["NetworkPolicy"]["spec"]
    base = documents(KUBERNETES / "base")["ConfigMap"]["data"]["MLFLOW_TRACKING_URI"]
    host, port = re.fullmatch(r"http://([a-z]+):(\d+)", base).groups()
    assert sorted(policy["policyTypes"]) == ["Egress", "Ingress"]
    assert policy["ingress"] == [come_from("ingress-nginx", "http"), come_from("monitoring", "metrics")]
    dns, registry = policy["egress"]
    assert dns["to"] == [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}]
    assert dns["ports"] == [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
    assert registry["to"] == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": host}}}]
    assert registry["ports"] == [{"port": int(port)}]


def come_from(namespace: str, port: str) -> dict[str, Any]:
    selector = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    return {"from": [selector], "ports": [{"port": port}]}


def test_only_the_port_for_requests_is_a_service_and_only_within_the_cluster(overlay: dict[str, Any]) -> None:
    service = overlay["Service"]["spec"]
    assert service.get("type", "ClusterIP") == "ClusterIP"
    assert service["ports"] == [{"name": "http", "port": 80, "targetPort": "http"}]


def test_what_is_scraped_is_the_port_of_the_metrics(overlay: dict[str, Any]) -> None:
    annotations = overlay["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    port = overlay["ConfigMap"]["data"]["SERVE_METRICS_ADDRESS"].rpartition(":")[2]
    assert annotations == {"prometheus.io/scrape": "true", "prometheus.io/port": port}


def test_each_overlay_follows_the_alias_and_the_name_that_promotions_set() -> None:
    contract = Path(__file__).parents[1] / "data/loans/contract.toml"
    assert 'model_name = "loan_approval_model"' in contract.read_text()
    aliases = {}
    for name in OVERLAYS:
        made = documents(KUBERNETES / "overlays" / name)
        assert made["ConfigMap"]["data"]["SERVE_MODEL_NAME"] == "loan_approval_model"
        assert made["Deployment"]["metadata"]["namespace"] != "default"
        aliases[name] = made["ConfigMap"]["data"]["SERVE_MODEL_ALIAS"]
    assert aliases == {"production": "production", "staging": "challenger"}


def test_in_production_the_model_is_copied_into_the_folder_that_is_served_and_no_registry_is_asked() -> None:
    made = documents(KUBERNETES / "overlays/production")
    (init,) = made["Deployment"]["spec"]["template"]["spec"]["initContainers"]
    assert init["command"] == ["python", "-m", "serve.bake", STORE, "/target"]
    assert init["volumeMounts"] == [{"name": "store", "mountPath": "/target"}]
    assert made["ConfigMap"]["data"]["MLFLOW_TRACKING_URI"] == ""

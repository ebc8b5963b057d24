"""The manifests: what kustomize makes of them is valid to the letter, hardened, and each selector finds its pods."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.manifests import KUBERNETES, OVERLAYS, documents, render

VERSION = "1.37"
NAME = {"app.kubernetes.io/name": "loan-approval-api"}


def validate(manifests: str) -> None:
    """Raise ValidationError for the first document that is not valid to the letter."""
    for document in yaml.safe_load_all(manifests):
        kubernetes_validate.validate(document, VERSION, strict=True)


@pytest.fixture(scope="module", params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the overlay's documents by their kind."""
    return documents(KUBERNETES / "overlays" / request.param)


@pytest.fixture(scope="module")
def staging() -> str:
    return render(KUBERNETES / "overlays/staging")


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_is_valid_to_the_letter(name: str) -> None:
    manifests = render(KUBERNETES / "overlays" / name)
    assert "kind: Deployment" in manifests
    validate(manifests)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("readOnlyRootFilesystem: true", "readOnlyRootFileSystem: true"),
        ("maxUnavailable: 0", "maxUnavailabel: 0"),
        ("maxUnavailable: 1", "maxUnavailable: [1]"),
        ("path: /health/ready", "paht: /health/ready"),
    ],
)
def test_a_misspelt_field_is_found(right: str, wrong: str, staging: str) -> None:
    assert right in staging
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(staging.replace(right, wrong, 1))


def test_every_container_runs_hardened(overlay: dict[str, Any]) -> None:
    pod = overlay["Deployment"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]


def test_each_selector_finds_the_pods_it_is_for(overlay: dict[str, Any]) -> None:
    labels = overlay["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert labels.items() >= NAME.items()
    assert overlay["Deployment"]["spec"]["selector"]["matchLabels"] == NAME
    assert overlay["Service"]["spec"]["selector"] == NAME
    assert overlay["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == NAME
    assert overlay["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == NAME


def test_ports_and_settings_meet(overlay: dict[str, Any]) -> None:
    pod = overlay["Deployment"]["spec"]["template"]["spec"]
    ports = {port["name"]: port["containerPort"] for port in pod["containers"][0]["ports"]}
    settings = overlay["ConfigMap"]["data"]
    assert ports == {"http": 8000, "metrics": int(settings["SERVE_METRICS_ADDRESS"].rpartition(":")[2])}
    assert overlay["Service"]["spec"]["ports"][0]["targetPort"] == "http"
    # preStop's sleep, the drain, and something for closing.
    assert pod["terminationGracePeriodSeconds"] > 5 + float(settings["SERVE_DRAIN_SECONDS"])


def test_the_server_takes_these_settings(overlay: dict[str, Any], tmp_path: Path) -> None:
    from serve.settings import Settings

    keys = tmp_path / "keys.txt"
    keys.write_text("")
    Settings.from_environment(overlay["ConfigMap"]["data"] | {"SERVE_API_KEYS_FILE": str(keys)})

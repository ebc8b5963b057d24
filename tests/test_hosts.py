"""The files for KServe, SageMaker, Vertex AI and Azure ML: the server is started with their settings, and asked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import botocore.session
import kubernetes_validate
import pytest
import yaml
from botocore.validate import ParamValidator

from serve.api.app import create_app
from serve.command_line import for_sagemaker
from serve.contract.contract import Contract
from serve.errors import SettingsError
from serve.settings import VARIABLES, Settings
from serve.store.start import name_model
from serve.store.store import Store
from tests.manifests import image_environment, plain_secrets
from tests.model_files import LOANS, good_files
from tests.server_process import promote

DEPLOY = Path(__file__).parents[1] / "deploy"
EXAMPLE = Contract.from_dict(LOANS).example()
FILES = {
    "kserve": ["kserve/serving-runtime.yaml", "kserve/inference-service.yaml"],
    "sagemaker": [f"cloud/sagemaker-{name}.json" for name in ("model", "endpoint-config", "transform-job")],
    "vertex": ["cloud/vertex-model.json"],
    "azure-ml": ["cloud/azure-ml-deployment.yaml", "cloud/azure-ml-endpoint.yaml"],
}


@dataclass(frozen=True)
class Asked:
    """What a host gives the server, and where it asks what."""

    environment: Mapping[str, str]
    port: int
    health: tuple[str, ...]
    questions: Mapping[str, tuple[str, str]]  # path: content type and body


def read(host: str, texts: Mapping[str, str] | None = None) -> list[Any]:
    """Return the documents of a host; `texts` replaces files."""
    texts = {name: (DEPLOY / name).read_text() for name in FILES[host]} | dict(texts or {})
    return [yaml.safe_load(text) for text in texts.values()]


def as_dict(listed: list[dict[str, str]]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in listed}


def ask_kserve(runtime: Any, service: Any) -> Asked:
    """KServe replaces {{.Name}}, and merges the environment of the service into the runtime's."""
    (container,) = runtime["spec"]["containers"]
    (port,) = container["ports"]
    name, model = service["metadata"]["name"], service["spec"]["predictor"]["model"]
    given = as_dict(container["env"]) | as_dict(model["env"])
    probes = [container[f"{kind}Probe"]["httpGet"] for kind in ("liveness", "readiness")]
    assert {probe["port"] for probe in probes} == {port["containerPort"]}
    rows = json.dumps({"inputs": [{"name": "X", "datatype": "FP64", "shape": [1, len(EXAMPLE)],
                                   "data": list(EXAMPLE.values())}]})  # fmt: skip
    questions = {
        f"/v1/models/{name}:predict": ("application/json", json.dumps({"instances": [EXAMPLE]})),
        f"/v1/models/{name}:explain": ("application/json", json.dumps({"instances": [EXAMPLE]})),
        f"/v2/models/{name}/infer": ("application/json", rows),
    }
    versions = runtime["spec"]["protocolVersions"]
    questions = {path: question for path, question in questions.items() if path[1:3] in versions}
    health = (*(probe["path"] for probe in probes), f"/v1/models/{name}", f"/v2/models/{name}/ready")
    environment = {key: value.replace("{{.Name}}", name) for key, value in given.items()}
    return Asked(environment, port["containerPort"], health, questions)


def ask_sagemaker(model: Any, _config: Any, job: Any) -> Asked:
    """SageMaker starts the image with `serve`, and asks at two fixed paths and one fixed port."""
    row = ",".join(map(str, EXAMPLE.values())) + "\n"
    sent = job["TransformInput"]["ContentType"]
    environment = for_sagemaker(model["PrimaryContainer"]["Environment"])
    return Asked(environment, 8080, ("/ping",), {"/invocations": (sent, row * 2)})


def ask_vertex(upload: Any) -> Asked:
    """Vertex AI tells the container of its first port and of the two routes."""
    spec = upload["model"]["containerSpec"]
    port = spec["ports"][0]["containerPort"]
    routes = {"AIP_HEALTH_ROUTE": spec["healthRoute"], "AIP_PREDICT_ROUTE": spec["predictRoute"]}
    environment = as_dict(spec["env"]) | routes | {"AIP_HTTP_PORT": str(port)}
    body = json.dumps({"instances": [EXAMPLE], "parameters": {"details": True, "reasons": True}})
    return Asked(environment, port, (spec["healthRoute"],), {spec["predictRoute"]: ("application/json", body)})


def ask_azure(deployment: Any, _endpoint: Any) -> Asked:
    """Azure ML asks at three routes of one container."""
    routes = deployment["environment"]["inference_config"]
    (port,) = {route["port"] for route in routes.values()}
    health = tuple(routes[f"{kind}_route"]["path"] for kind in ("liveness", "readiness"))
    body = json.dumps({"dataframe_records": [EXAMPLE], "params": {"details": True, "reasons": True}})
    questions = {routes["scoring_route"]["path"]: ("application/json", body)}
    return Asked(deployment["environment_variables"], port, health, questions)


HOSTS = {"kserve": ask_kserve, "sagemaker": ask_sagemaker, "vertex": ask_vertex, "azure-ml": ask_azure}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store as `serve.bake` writes it."""
    store = Store(tmp_path_factory.mktemp("hosts") / "store")
    promote(store, good_files()["loans"])
    return store.path


def faults(asked: Asked, store: Path) -> list[str]:
    """Start the application as the host does, on a store with the model, ask it, and return what does not fit."""
    known = {variable for variables in VARIABLES.values() for variable in variables} | {"MLFLOW_TRACKING_URI"}
    found = [f"{name} is no setting" for name in asked.environment if name not in known]
    found += [f"{name} is a secret" for name in plain_secrets(dict(asked.environment))]
    try:
        settings = Settings.from_environment(image_environment() | dict(asked.environment))
        settings = name_model(replace(settings, store=store, poll_seconds=3600))
    except SettingsError as err:
        return [*found, str(err)]
    if settings.port != asked.port:
        found.append(f"the server listens on {settings.port}, the host asks at {asked.port}")
    client = create_app(settings).test_client()
    found += [f"GET {path} is not 200" for path in asked.health if client.get(path).status_code != 200]
    for path, (kind, body) in asked.questions.items():
        answer = client.post(path, data=body, content_type=kind)
        if answer.status_code != 200:
            found.append(f"POST {path} is {answer.status_code}")
    return found


@pytest.mark.parametrize("host", HOSTS)
def test_the_server_takes_the_settings_listens_where_the_host_asks_and_answers(host: str, store: Path) -> None:
    asked = HOSTS[host](*read(host))
    assert asked.questions
    assert faults(asked, store) == []


@pytest.mark.parametrize(
    ("host", "right", "wrong", "fault"),
    [
        ("kserve", "containerPort: 8000", "containerPort: 8080", AssertionError),
        ("kserve", "8000", "8080", "the server listens on 8000, the host asks at 8080"),
        ("kserve", "SERVE_PUBLIC_NAME", "SERVE_PUBLIC_NAMES", "SERVE_PUBLIC_NAMES is no setting"),
        ("kserve", "{{.Name}}", "{{.name}}", "SERVE_PUBLIC_NAME='{{.name}}': expected"),
        ("kserve", "/health/ready", "/health/readiness", "GET /health/readiness is not 200"),
        ("kserve", "value: loan_approval_model", "value: loans", "SERVE_MODEL_NAME='loans': the store"),
        ("sagemaker", "text/csv", "text/tsv", "POST /invocations is 415"),
        ("sagemaker", "SERVE_MAX_BATCH_ROWS", "SERVE_BATCH_ROWS", "SERVE_BATCH_ROWS is no setting"),
        ("sagemaker", '"300000"', '"0"', "SERVE_MAX_BATCH_ROWS='0'"),
        ("sagemaker", '"loan_approval_model"', '"loans"', "SERVE_MODEL_NAME='loans': the store"),
        ("vertex", "/vertex/health", "vertex/health", "AIP_HEALTH_ROUTE='vertex/health'"),
        ("vertex", "SERVE_DRAIN_SECONDS", "SERVE_DRAIN", "SERVE_DRAIN is no setting"),
        ("azure-ml", "8000", "5001", "the server listens on 8000, the host asks at 5001"),
        ("azure-ml", "/health/live", "/healthz", "GET /healthz is not 200"),
        ("azure-ml", "/invocations", "/score", "POST /score is 404"),
    ],
)
def test_a_mistake_in_the_wiring_is_found(host: str, right: str, wrong: str, fault: Any, store: Path) -> None:
    texts = {name: (DEPLOY / name).read_text() for name in FILES[host]}
    assert any(right in text for text in texts.values())
    documents = read(host, {name: text.replace(right, wrong) for name, text in texts.items()})
    if isinstance(fault, str):
        assert [each for each in faults(HOSTS[host](*documents), store) if each.startswith(fault)]
    else:
        with pytest.raises(fault):
            HOSTS[host](*documents)


def test_each_file_is_listed_here_and_named_by_its_page() -> None:
    pages = {host: (DEPLOY.parent / f"docs/deploy/{host}.md").read_text() for host in FILES}
    for host, names in FILES.items():
        for name in names:
            wildcard = f"deploy/cloud/{host}-*.json"
            assert f"deploy/{name}" in pages[host] or Path(name).name in pages[host] or wildcard in pages[host]
    assert {f"kserve/{path.name}" for path in (DEPLOY / "kserve").iterdir()} == set(FILES["kserve"])


# KServe


def test_the_service_asks_for_what_the_runtime_offers() -> None:
    runtime, service = read("kserve")
    model = service["spec"]["predictor"]["model"]
    assert model["runtime"] == runtime["metadata"]["name"]
    assert model["modelFormat"]["name"] in [each["name"] for each in runtime["spec"]["supportedModelFormats"]]
    assert model["protocolVersion"] in runtime["spec"]["protocolVersions"] == ["v1", "v2"]
    assert service["spec"]["predictor"]["minReplicas"] >= 2


def test_the_runtimes_container_is_valid_hardened_and_as_large_as_without_kserve() -> None:
    runtime, _ = read("kserve")
    (container,) = runtime["spec"]["containers"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [container]}}
    kubernetes_validate.validate(pod, "1.37", strict=True)  # a runtime's containers are those of Kubernetes
    (alone,) = yaml.safe_load((DEPLOY / "kubernetes/base/deployment.yaml").read_text())["spec"]["template"]["spec"][
        "containers"
    ]
    assert container["resources"] == alone["resources"]
    assert alone["securityContext"].items() <= container["securityContext"].items()
    for kind in ("liveness", "readiness"):
        ours, theirs = container[f"{kind}Probe"], alone[f"{kind}Probe"]
        assert ours["httpGet"]["path"] == theirs["httpGet"]["path"]
        assert {key: ours[key] for key in ours if key != "httpGet"} == {
            key: theirs[key] for key in theirs if key != "httpGet"
        }


def test_the_store_of_kserve_is_where_its_initializer_puts_the_model_and_nobody_sets_port() -> None:
    runtime, service = read("kserve")
    given = as_dict(runtime["spec"]["containers"][0]["env"])
    assert given["SERVE_STORE"] == "/mnt/models"
    assert "PORT" not in given | as_dict(service["spec"]["predictor"]["model"]["env"])  # Knative refuses it
    port = given["SERVE_METRICS_ADDRESS"].rpartition(":")[2]
    assert runtime["spec"]["annotations"] == {
        "prometheus.kserve.io/port": port,
        "prometheus.kserve.io/path": "/metrics",
    }


# SageMaker


def validate_call(operation: str, parameters: Mapping[str, Any]) -> str:
    """Return what the AWS SDK finds wrong with the parameters of a call, "" if nothing is."""
    shape = botocore.session.get_session().get_service_model("sagemaker").operation_model(operation).input_shape
    return ParamValidator().validate(dict(parameters), shape).generate_report()


CALLS = ["CreateModel", "CreateEndpointConfig", "CreateTransformJob"]


def test_the_sdk_takes_the_parameters_of_each_call() -> None:
    assert [validate_call(name, document) for name, document in zip(CALLS, read("sagemaker"), strict=True)] == [""] * 3


@pytest.mark.parametrize(
    ("call", "change", "report"),
    [
        ("CreateModel", {"PrimaryContainers": {}}, 'Unknown parameter in input: "PrimaryContainers"'),
        ("CreateModel", {"PrimaryContainer": {"Image": 1}}, "Invalid type for parameter PrimaryContainer.Image"),
        ("CreateEndpointConfig", {"ProductionVariants": []}, "Invalid length for parameter ProductionVariants"),
        ("CreateTransformJob", {"TransformResources": {"InstanceCount": 1}}, "Missing required parameter"),
    ],
)
def test_the_sdk_finds_a_wrong_parameter(call: str, change: Mapping[str, Any], report: str) -> None:
    document = read("sagemaker")[CALLS.index(call)]
    assert report in validate_call(call, document | change)


def test_the_calls_name_the_same_model() -> None:
    model, config, job = read("sagemaker")
    (variant,) = config["ProductionVariants"]
    assert model["ModelName"] == variant["ModelName"] == job["ModelName"]
    assert variant["InitialInstanceCount"] >= 2


def test_the_largest_payload_of_a_transform_job_is_within_the_limits_of_a_batch() -> None:
    model, _, job = read("sagemaker")
    settings = Settings.from_environment(model["PrimaryContainer"]["Environment"])
    most, shortest = job["MaxPayloadInMB"] * 2**20, len(EXAMPLE)  # a row of empty cells: their commas, a line feed
    assert most <= settings.max_batch_bytes
    assert most / shortest <= settings.max_batch_rows
    assert settings.drain_seconds < 30  # then SageMaker kills


# Vertex AI and Azure ML: their schemas are not at hand, these are the names of their references.


def test_the_upload_has_the_fields_of_the_reference() -> None:
    (upload,) = read("vertex")
    assert upload.keys() == {"model"}
    assert upload["model"].keys() == {"displayName", "containerSpec"}
    assert upload["model"]["containerSpec"].keys() == {"imageUri", "ports", "healthRoute", "predictRoute", "env"}


def test_the_deployment_has_the_fields_of_the_reference_and_is_of_the_endpoint() -> None:
    deployment, endpoint = read("azure-ml")
    assert deployment.keys() == {
        *("$schema", "name", "endpoint_name", "environment", "environment_variables", "instance_type"),
        *("instance_count", "request_settings", "liveness_probe", "readiness_probe"),
    }
    assert endpoint.keys() == {"$schema", "name", "auth_mode"}
    assert deployment["endpoint_name"] == endpoint["name"]
    assert all(isinstance(value, str) for value in deployment["environment_variables"].values())

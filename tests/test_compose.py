"""The stack of deploy/compose.yaml, as far as its files alone can say."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from serve.settings import Settings
from tests.manifests import SECRET, image_environment

ROOT = Path(__file__).parents[1]
STACK = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
SERVICES: dict[str, Any] = STACK["services"]
NGINX = (ROOT / "deploy/nginx/nginx.conf").read_text()
MLFLOW_IMAGE = (ROOT / "deploy/mlflow/Dockerfile").read_text()


def test_two_replicas_follow_the_registry_with_settings_the_server_takes() -> None:
    api = SERVICES["api"]
    assert api["deploy"]["replicas"] == 2
    environment = {name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", value) for name, value in api["environment"].items()}
    settings = Settings.from_environment(environment)
    assert settings.tracking_uri == "http://mlflow:5000"
    assert settings.prediction_log == Path("/predictions")
    assert "predictions:/predictions" in api["volumes"]


def test_names_and_ports_are_those_of_services_of_the_stack() -> None:
    asked = re.findall(r"(?://|@)([a-z][a-z0-9]*):(\d+)", str(SERVICES))
    assert set(asked) == {("mlflow", "5000"), ("postgres", "5432"), ("s3", "8333")}
    assert re.findall(r"server ([a-z]+:\d+) resolve", NGINX) == [f"api:{image_environment()['PORT']}"]
    assert '"--host", "0.0.0.0", "--port", "5000"' in MLFLOW_IMAGE
    listening = re.findall(r"listen (\d+);", NGINX)
    assert [port.rpartition(":")[2] for port in SERVICES["nginx"]["ports"]] == listening
    (scrape,) = yaml.safe_load((ROOT / "deploy/prometheus-compose.yml").read_text())["scrape_configs"]
    (found,) = scrape["dns_sd_configs"]
    assert found["names"] == ["api"]
    assert SERVICES["api"]["environment"]["SERVE_METRICS_ADDRESS"] == f"0.0.0.0:{found['port']}"
    assert f'up{{job="{scrape["job_name"]}"}}' in (ROOT / "deploy/prometheus-alerts.yml").read_text()


def test_database_and_bucket_are_those_that_are_made() -> None:
    options, made = " ".join(SERVICES["mlflow"]["command"]), SERVICES["postgres"]["environment"]
    address = SERVICES["mlflow"]["environment"]["MLFLOW_BACKEND_STORE_URI"]
    assert address.endswith(f"//{made['POSTGRES_USER']}:${{POSTGRES_PASSWORD}}@postgres:5432/{made['POSTGRES_DB']}")
    (bucket,) = re.findall(r"=s3://(\w+)/", options)
    assert f'create_bucket(Bucket="{bucket}")' in SERVICES["bucket"]["command"][0]
    waits = {name: service["depends_on"] for name, service in SERVICES.items() if name in ("api", "mlflow", "bucket")}
    assert waits == {
        "bucket": {"s3": {"condition": "service_healthy"}},
        "mlflow": {
            "postgres": {"condition": "service_healthy"},
            "bucket": {"condition": "service_completed_successfully"},
        },
        "api": {"mlflow": {"condition": "service_healthy"}},
    }


def test_folders_of_the_server_are_volumes_that_its_user_may_write() -> None:
    api = SERVICES["api"]
    assert api["volumes"] == ["store:/store", "predictions:/predictions"]
    assert image_environment()["SERVE_STORE"] == "/store"
    # A new volume takes its owner from the image's folder, and is root's where the image has none.
    owned = re.findall(r"^COPY --from=build --chown=10001:10001 (\S+) (\S+)$", (ROOT / "Dockerfile").read_text(), re.M)
    assert {(path, path) for path in ("/store", "/predictions")} <= set(owned)


def test_what_nginx_lets_through_is_what_the_server_takes_and_a_stop_waits_for_the_drain() -> None:
    assert re.findall(r"client_max_body_size (\d+)m;", NGINX) == [str(Settings().max_batch_bytes // 2**20)]
    assert int(SERVICES["api"]["stop_grace_period"].removesuffix("s")) > Settings().drain_seconds
    assert SERVICES["api"]["mem_limit"] in ("512m", "1g", "2g")


def test_mlflow_knows_every_name_it_is_asked_by_and_names_its_driver() -> None:
    options = dict(option.removeprefix("--").split("=", 1) for option in SERVICES["mlflow"]["command"])
    assert SERVICES["mlflow"]["environment"]["MLFLOW_BACKEND_STORE_URI"].startswith("postgresql+psycopg2://")
    hosts = options["allowed-hosts"].split(",")
    for name in ("localhost", "127.0.0.1", "mlflow", "host.docker.internal"):
        assert f"{name}:*" in hosts


def test_secrets_stand_nowhere_in_plain_text_and_have_no_default() -> None:
    given = {name: value for each in SERVICES.values() for name, value in each.get("environment", {}).items()}
    for name in given:
        assert not SECRET.search(name) or name == "AWS_ACCESS_KEY_ID" or given[name].startswith("${"), name
    for service in SERVICES.values():  # every user of the machine can read a command line
        words = str(service.get("command", "")) + str(service.get("entrypoint", ""))
        assert not SECRET.search(words), words
    assert '"secretKey": "${S3_SECRET}"' in STACK["configs"]["s3"]["content"]
    text = (ROOT / "deploy/compose.yaml").read_text()
    assert re.findall(r"\$\{(?:POSTGRES_PASSWORD|S3_SECRET):-", text) == []
    assert ".env" in (ROOT / ".gitignore").read_text()


def test_secrets_are_written_once_and_for_their_owner_alone(tmp_path: Path) -> None:
    shutil.copy(ROOT / "deploy/write_env.py", tmp_path)
    command = [sys.executable, tmp_path / "write_env.py"]
    subprocess.run(command, check=True)
    first = (tmp_path / ".env").read_text()
    subprocess.run(command, check=True)
    assert (tmp_path / ".env").read_text() == first
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert dict(line.split("=") for line in first.split()).keys() == {"POSTGRES_PASSWORD", "S3_SECRET"}


@pytest.mark.parametrize("name", ["api", "mlflow", "nginx", "prometheus"])
def test_what_is_reached_from_outside_runs_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_has_the_machine_in_its_hands_or_an_image_that_moves(name: str) -> None:
    service = SERVICES[name]
    assert not service.keys() & {"privileged", "cap_add", "devices", "network_mode", "pid", "ipc"}
    for volume in service.get("volumes", []):
        source, _, rest = volume.partition(":")
        assert source in STACK["volumes"] or (source.startswith("./") and rest.endswith(":ro")), volume
    assert "build" in service or re.search(r":v?\d", service["image"])


def test_only_nginx_listens_beyond_this_machine() -> None:
    ports = {name: service.get("ports", []) for name, service in SERVICES.items()}
    public = [name for name, listed in ports.items() if any(not port.startswith("127.0.0.1:") for port in listed)]
    assert public == ["nginx"]


def test_files_it_mounts_and_builds_from_are_there() -> None:
    mounted = [v.split(":")[0] for s in SERVICES.values() for v in s.get("volumes", []) if v.startswith("./")]
    assert mounted
    assert [name for name in mounted if not (ROOT / "deploy" / name).is_file()] == []
    assert (ROOT / SERVICES["mlflow"]["build"]["dockerfile"]).is_file()


def test_mlflow_runs_as_nobody() -> None:
    assert re.findall(r"^USER (.*)$", MLFLOW_IMAGE, re.MULTILINE) == ["10001:10001"]


def test_the_dockerfile_of_mlflow_is_clean_by_hadolint() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    run = subprocess.run([hadolint, ROOT / "deploy/mlflow/Dockerfile"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, "")


def test_nginx_takes_its_configuration(tmp_path: Path) -> None:
    nginx = shutil.which("nginx")
    if nginx is None:
        pytest.skip("nginx is not on this machine")
    # Names of the stack mean nothing here, and `resolve` came with nginx 1.27.3.
    text = (ROOT / "deploy/nginx/nginx.conf").read_text().replace("api:8000 resolve", "127.0.0.1:8000")
    path = tmp_path / "nginx.conf"
    path.write_text(text.replace("/tmp/", f"{tmp_path}/"))  # noqa: S108 (what stands in the file)
    run = subprocess.run([*shlex.split(f"{nginx} -t -c"), path], capture_output=True, text=True, check=False)
    assert "syntax is ok" in run.stderr, run.stderr

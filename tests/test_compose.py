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

ROOT = Path(__file__).parents[1]
STACK = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
SERVICES: dict[str, Any] = STACK["services"]


def test_two_replicas_follow_the_registry_with_settings_the_server_takes() -> None:
    api = SERVICES["api"]
    assert api["deploy"]["replicas"] == 2
    environment = {name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", value) for name, value in api["environment"].items()}
    settings = Settings.from_environment(environment)
    assert settings.tracking_uri == "http://mlflow:5000"
    assert settings.prediction_log == Path("/predictions")
    assert "predictions:/predictions" in api["volumes"]


def test_mlflow_knows_every_name_it_is_asked_by_and_names_its_driver() -> None:
    options = dict(option.removeprefix("--").split("=", 1) for option in SERVICES["mlflow"]["command"])
    assert options["backend-store-uri"].startswith("postgresql+psycopg2://")
    hosts = options["allowed-hosts"].split(",")
    for name in ("localhost", "127.0.0.1", "mlflow", "host.docker.internal"):
        assert f"{name}:*" in hosts


def test_secrets_have_no_default() -> None:
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


def test_only_nginx_listens_beyond_this_machine() -> None:
    ports = {name: service.get("ports", []) for name, service in SERVICES.items()}
    public = [name for name, listed in ports.items() if any(not port.startswith("127.0.0.1:") for port in listed)]
    assert public == ["nginx"]


def test_files_it_mounts_and_builds_from_are_there() -> None:
    mounted = [v.split(":")[0] for s in SERVICES.values() for v in s.get("volumes", []) if v.startswith("./")]
    assert mounted
    assert [name for name in mounted if not (ROOT / "deploy" / name).is_file()] == []
    assert (ROOT / SERVICES["mlflow"]["build"]["dockerfile"]).is_file()


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

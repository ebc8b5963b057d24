import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from serve import __version__
from serve.command_line import find_unknown, for_sagemaker, read_arguments
from serve.settings import VARIABLES, Settings

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "serve", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def help_text() -> str:
    result = run("--help")
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def told(help_text: str) -> dict[str, tuple[str, str]]:
    """Return default and meaning of each variable in the help."""
    lines = re.findall(r"^  ([A-Z_]+) +(\S+) +(.+)$", help_text, re.MULTILINE)
    return {variable: (default, meaning) for variable, default, meaning in lines}


def test_the_help_names_each_variable_once_with_its_meaning(help_text):
    variables = {variable for names in VARIABLES.values() for variable in names}
    tracking = {variable for variable in told(help_text) if variable.startswith("MLFLOW_")}
    assert set(told(help_text)) - tracking == variables
    assert len(re.findall(r"^  [A-Z_]+ ", help_text, re.MULTILINE)) == len(told(help_text))
    assert {variable for variable, (_, meaning) in told(help_text).items() if len(meaning.split()) < 2} == set()


def test_the_help_names_each_variable_that_the_settings_read(help_text):
    source = (ROOT / "serve/settings.py").read_text()
    read = set(re.findall(r'environment\.get\("(\w+)"', source)) | {"PORT", "AIP_PREDICT_ROUTE", "SERVE_STORE"}
    assert len(read) > 6
    assert read <= set(told(help_text))


def test_every_field_of_the_settings_has_a_meaning_but_what_follows_from_others():
    assert [each.name for each in fields(Settings) if not each.metadata.get("meaning")] == ["is_named"]


@pytest.mark.parametrize(
    ("variable", "default"),
    [
        ("PORT", "8000"),
        ("SERVE_POLL_SECONDS", "1"),
        ("SERVE_REQUEST_LOG", "0"),
        ("SERVE_API_KEYS_FILE", "none"),
        ("MLFLOW_TRACKING_INSECURE_TLS", "none"),
        ("SERVE_STORE", "store/loan_approval_model"),
    ],
)
def test_the_help_shows_the_default(help_text, variable, default):
    assert told(help_text)[variable][0] == default


def test_the_version_is_printed():
    result = run("--version")
    assert (result.returncode, result.stdout) == (0, f"loan-approval {__version__}\n")


@pytest.mark.parametrize("arguments", [("train",), ("--port", "80"), ("serve", "serve"), ("",)])
def test_an_unknown_argument_is_refused_with_the_usage(arguments):
    result = run(*arguments)
    assert result.returncode == 2
    assert result.stderr.startswith("usage: python -m serve ")


def test_without_arguments_the_environment_is_as_it_is(tmp_path):
    assert read_arguments([], {"PORT": "9000"}) == {"PORT": "9000"}


@pytest.mark.parametrize(
    ("environment", "port"),
    [
        ({"PORT": "8000"}, 8080),
        ({"PORT": "8000", "SAGEMAKER_BIND_TO_PORT": ""}, 8080),
        ({"PORT": "8000", "SAGEMAKER_BIND_TO_PORT": "9001"}, 9001),
    ],
)
def test_sagemaker_finds_the_server_at_its_port_whatever_the_image_says(environment, port):
    assert Settings.from_environment(read_arguments(["serve"], environment)).port == port


@pytest.mark.parametrize(
    ("pointer", "environment", "is_taken"),
    [
        ("production.json", {}, True),
        ("production.json", {"SERVE_MODEL_ALIAS": "challenger"}, False),
        ("challenger.json", {"SERVE_MODEL_ALIAS": "challenger"}, True),
        ("other.json", {}, False),
    ],
)
def test_the_model_of_sagemaker_is_served_where_there_is_one(tmp_path, pointer, environment, is_taken):
    (tmp_path / pointer).touch()
    environment |= {"SERVE_STORE": "/store"}
    store = tmp_path if is_taken else Path("/store")
    assert Settings.from_environment(for_sagemaker(environment, tmp_path)).store == store


def test_without_a_folder_of_sagemaker_the_store_is_the_usual_one(tmp_path):
    assert "SERVE_STORE" not in for_sagemaker({}, tmp_path / "absent")


def test_a_misspelt_setting_is_told_with_the_one_that_is_meant():
    environment = {"SERVE_WORKER": "2", "SERVE_COLOUR": "red", "SERVE_STORE": "store", "PATH": "/bin"}
    assert find_unknown(environment) == [
        "SERVE_COLOUR is no setting and has no effect",
        "SERVE_WORKER is no setting and has no effect; SERVE_WORKERS is one",
    ]


def test_what_kubernetes_adds_for_a_service_of_that_name_is_no_misspelt_setting():
    environment = {
        "SERVE_SERVICE_HOST": "10.0.0.1",
        "SERVE_SERVICE_PORT": "80",
        "SERVE_PORT_80_TCP": "tcp://10.0.0.1:80",
    }
    assert find_unknown(environment | {"SERVE_PORT": "tcp://10.0.0.1:80"}) == []


def test_the_server_says_a_misspelt_setting_in_its_log_without_the_value(tmp_path):
    environment = os.environ | {"SERVE_HOTS": "a-secret", "SERVE_HOST": "256.0.0.1"}  # the second stops the start
    result = subprocess.run(
        [sys.executable, "-m", "serve"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1
    assert "SERVE_HOTS is no setting and has no effect; SERVE_HOST is one" in result.stderr
    assert "a-secret" not in result.stderr

from pathlib import Path

import pytest

from serve.errors import SettingsError
from serve.settings import Settings


def test_an_empty_environment_gives_the_defaults():
    assert Settings.from_environment({}) == Settings()


def test_the_published_port_is_8000_on_loopback():
    assert (Settings().host, Settings().port) == ("127.0.0.1", 8000)


def test_an_empty_variable_counts_as_unset():
    assert Settings.from_environment({"PORT": "", "SERVE_STORE": "", "SERVE_MODEL_ALIAS": ""}) == Settings()


def test_the_store_follows_the_model_name():
    settings = Settings.from_environment({"SERVE_MODEL_NAME": "boston"})
    assert (settings.model_name, settings.store) == ("boston", Path("store/boston"))


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("PORT", "9000", "port", 9000),
        ("SERVE_HOST", "0.0.0.0", "host", "0.0.0.0"),  # noqa: S104 -- only read here
        ("SERVE_SOCKET", "/run/loan/serve.sock", "socket", Path("/run/loan/serve.sock")),
        ("SERVE_CORS_ORIGINS", "https://a.example", "cors_origins", ("https://a.example",)),
        ("SERVE_CORS_ORIGINS", "http://b:8080, http://[::1]", "cors_origins", ("http://b:8080", "http://[::1]")),
        ("SERVE_STORE", "/models", "store", Path("/models")),
        ("SERVE_MODEL_ALIAS", "challenger", "model_alias", "challenger"),
        ("SERVE_WORKERS", "256", "workers", 256),
        ("SERVE_THREADS", "1", "threads", 1),
        ("SERVE_POLL_SECONDS", "0.05", "poll_seconds", 0.05),
        ("SERVE_DRAIN_SECONDS", "1", "drain_seconds", 1),
        ("SERVE_MAX_BODY_BYTES", "1073741824", "max_body_bytes", 2**30),
        ("SERVE_MAX_BUFFERED_BYTES", "65536", "max_buffered_bytes", 65_536),
        ("SERVE_MAX_BATCH_BYTES", "1", "max_batch_bytes", 1),
        ("SERVE_MAX_BATCH_ROWS", "10000000", "max_batch_rows", 10_000_000),
        ("SERVE_MAX_MODEL_BYTES", "1000000", "max_model_bytes", 1_000_000),
        ("SERVE_PREDICTION_LOG", "log", "prediction_log", Path("log")),
        ("SERVE_PREDICTION_LOG_MODE", "required", "prediction_log_mode", "required"),
        ("SERVE_PREDICTION_LOG_BYTES", "4096", "prediction_log_bytes", 4096),
        ("SERVE_SHADOW_ALIAS", "challenger", "shadow_alias", "challenger"),
        ("SERVE_PUBLIC_NAME", "loans.bank-1.example", "public_name", "loans.bank-1.example"),
        ("SERVE_REGISTRY_POLL_SECONDS", "0.05", "registry_poll_seconds", 0.05),
        ("SERVE_REGISTRY_TIMEOUT_SECONDS", "25", "registry_timeout_seconds", 25),
        ("MLFLOW_TRACKING_URI", "http://mlflow:5000/", "tracking_uri", "http://mlflow:5000"),
        ("MLFLOW_TRACKING_URI", "HTTPS://mlflow/team/", "tracking_uri", "https://mlflow/team"),
        ("MLFLOW_TRACKING_URI", "http://[::1]:5000", "tracking_uri", "http://[::1]:5000"),
        ("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db", "tracking_uri", ""),
        ("MLFLOW_TRACKING_URI", "databricks", "tracking_uri", ""),
    ],
)
def test_a_variable_sets_its_field(variable, text, field, value):
    assert getattr(Settings.from_environment({variable: text}), field) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        *[("PORT", text) for text in ("http", "-1", "65536", "80.5", "0x50")],
        *[("SERVE_WORKERS", "0"), ("SERVE_THREADS", "257"), ("SERVE_DRAIN_SECONDS", "0.05")],
        *[("SERVE_POLL_SECONDS", text) for text in ("0", "nan", "inf", "1s")],
        *[("SERVE_MAX_BODY_BYTES", text) for text in ("0", "64K")],
        ("SERVE_PREDICTION_LOG_BYTES", "4095"),
        *[("SERVE_MAX_BATCH_BYTES", text) for text in ("0", "1073741825", "16M")],
        *[("SERVE_MAX_BATCH_ROWS", text) for text in ("0", "10000001", "1e5")],
        *[("SERVE_MAX_MODEL_BYTES", text) for text in ("0", "40000001", "40M")],
        *[("SERVE_REGISTRY_POLL_SECONDS", "0"), ("SERVE_REGISTRY_TIMEOUT_SECONDS", "26")],
    ],
)
def test_a_bad_value_is_refused_with_its_variable_and_what_was_expected(variable, text):
    with pytest.raises(SettingsError, match=rf"{variable}='{text}': expected (int|float) from "):
        Settings.from_environment({variable: text})


@pytest.mark.parametrize("name", ["loans/v2", "loans:predict", "loans v2", "crédito", ".", "a" * 254])
def test_a_public_name_that_no_path_could_hold_is_refused(name):
    with pytest.raises(SettingsError, match=r"^SERVE_PUBLIC_NAME='.*': expected a name as in a URL"):
        Settings.from_environment({"SERVE_PUBLIC_NAME": name})


def test_an_unknown_mode_is_refused_with_the_known_ones():
    with pytest.raises(SettingsError, match="SERVE_PREDICTION_LOG_MODE='always': expected drop or required"):
        Settings.from_environment({"SERVE_PREDICTION_LOG_MODE": "always"})


def test_the_challenger_has_another_alias_than_production():
    for names in ({"SERVE_SHADOW_ALIAS": "production"}, {"SERVE_SHADOW_ALIAS": "live", "SERVE_MODEL_ALIAS": "live"}):
        with pytest.raises(SettingsError, match="SERVE_SHADOW_ALIAS: expected another alias"):
            Settings.from_environment(names)


USER = {"MLFLOW_TRACKING_USERNAME": "somebody", "MLFLOW_TRACKING_PASSWORD": "sésame"}
TOKEN = {"MLFLOW_TRACKING_TOKEN": "abc.def"}


@pytest.mark.parametrize(
    ("uri", "variables", "header"),
    [
        ("http://mlflow:5000", {}, ""),
        ("http://mlflow:5000", USER, "Basic c29tZWJvZHk6c8Opc2FtZQ=="),
        ("http://mlflow:5000", {"MLFLOW_TRACKING_USERNAME": "somebody"}, ""),
        ("http://mlflow:5000", TOKEN, "Bearer abc.def"),
        ("http://mlflow:5000", USER | TOKEN, "Basic c29tZWJvZHk6c8Opc2FtZQ=="),
        ("http://somebody:s%C3%A9same@mlflow:5000", {}, "Basic c29tZWJvZHk6c8Opc2FtZQ=="),
        ("http://else:other@mlflow:5000", USER, "Basic c29tZWJvZHk6c8Opc2FtZQ=="),
        ("sqlite:///mlflow.db", USER, ""),
    ],
)
def test_credentials_come_from_mlflows_variables_and_are_not_shown(uri, variables, header):
    settings = Settings.from_environment({"MLFLOW_TRACKING_URI": uri} | variables)
    assert settings.tracking_authorization == header
    assert settings.tracking_uri in ("http://mlflow:5000", "")
    assert not header or header.split()[1] not in repr(settings)


@pytest.mark.parametrize("uri", ["http://", "http://somebody:secret@", "http://secret:x@host:port", "http://[::1"])
def test_an_address_that_can_not_be_used_is_refused_without_being_quoted(uri):
    with pytest.raises(SettingsError, match=r"^MLFLOW_TRACKING_URI: expected http\(s\)://host\[:port\]\[/path\]$"):
        Settings.from_environment({"MLFLOW_TRACKING_URI": uri})


@pytest.mark.parametrize("token", ["abc\ndef", "sésame"])
def test_a_token_that_fits_no_header_is_refused_without_being_quoted(token):
    with pytest.raises(SettingsError, match=r"^MLFLOW_TRACKING_TOKEN: expected printable ASCII$"):
        Settings.from_environment({"MLFLOW_TRACKING_URI": "http://mlflow", "MLFLOW_TRACKING_TOKEN": token})


@pytest.mark.parametrize(("text", "insecure"), [("true", True), ("1", True), ("false", False), ("", False)])
def test_tls_is_verified_unless_a_variable_turns_it_off(text, insecure):
    variables = {"MLFLOW_TRACKING_URI": "https://mlflow", "MLFLOW_TRACKING_INSECURE_TLS": text}
    assert Settings.from_environment(variables).tracking_insecure_tls is insecure


@pytest.mark.parametrize(
    ("variable", "field"),
    [
        ("SERVE_API_KEYS_FILE", "api_keys_file"),
        ("SERVE_PUBLIC_KEY_FILE", "public_key_file"),
        ("SERVE_TLS_CERTIFICATE", "tls_certificate"),
    ],
)
def test_a_file_must_exist(tmp_path, variable, field):
    path = tmp_path / "file"
    with pytest.raises(SettingsError, match=f"{variable}='.*file': expected a file"):
        Settings.from_environment({variable: str(path)})
    path.touch()
    assert getattr(Settings.from_environment({variable: str(path)}), field) == path


def test_by_default_there_is_no_file_of_keys():
    assert Settings().api_keys_file is None


def test_a_unix_socket_has_no_tls(tmp_path):
    (tmp_path / "certificate.pem").touch()
    variables = {"SERVE_SOCKET": "serve.sock", "SERVE_TLS_CERTIFICATE": str(tmp_path / "certificate.pem")}
    with pytest.raises(SettingsError, match=r"^SERVE_SOCKET: expected no SERVE_TLS_CERTIFICATE beside it"):
        Settings.from_environment(variables)


@pytest.mark.parametrize(
    "text",
    [
        *("*", "https://a.example, *", "a.example", "https://a.example/", "https://A.example", "https://a.example:443"),
        *("http://a:80", "null", "https://*.example", "https://u@a.example", "https://a.example,", "https://a:0"),
    ],
)
def test_an_origin_that_no_browser_writes_is_refused(text):
    with pytest.raises(SettingsError, match=r"^SERVE_CORS_ORIGINS='.*': expected origins as browsers write them"):
        Settings.from_environment({"SERVE_CORS_ORIGINS": text})

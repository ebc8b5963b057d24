from pathlib import Path

import pytest

from serve.errors import SettingsError
from serve.settings import Settings


def test_an_empty_environment_gives_the_defaults():
    assert Settings.from_environment({}) == Settings()


def test_the_published_port_is_8000_on_loopback():
    assert (Settings().host, Settings().port) == ("127.0.0.1", 8000)


def test_an_empty_variable_is_as_good_as_none():
    assert Settings.from_environment({"PORT": "", "SERVE_STORE": "", "SERVE_MODEL_ALIAS": ""}) == Settings()


def test_the_store_follows_the_model_name():
    settings = Settings.from_environment({"SERVE_MODEL_NAME": "boston"})
    assert (settings.model_name, settings.store) == ("boston", Path("store/boston"))


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("PORT", "9000", "port", 9000),
        ("SERVE_HOST", "0.0.0.0", "host", "0.0.0.0"),  # noqa: S104 -- only read here
        ("SERVE_STORE", "/models", "store", Path("/models")),
        ("SERVE_MODEL_ALIAS", "challenger", "model_alias", "challenger"),
        ("SERVE_WORKERS", "256", "workers", 256),
        ("SERVE_THREADS", "1", "threads", 1),
        ("SERVE_POLL_SECONDS", "0.05", "poll_seconds", 0.05),
        ("SERVE_DRAIN_SECONDS", "1", "drain_seconds", 1),
        ("SERVE_MAX_BODY_BYTES", "1073741824", "max_body_bytes", 2**30),
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
    ],
)
def test_a_bad_value_is_refused_with_its_variable_and_what_may_stand_there(variable, text):
    with pytest.raises(SettingsError, match=rf"{variable}='{text}': expected (int|float) from "):
        Settings.from_environment({variable: text})


@pytest.mark.parametrize(
    ("variable", "field"),
    [
        ("SERVE_API_KEYS_FILE", "api_keys_file"),
        ("SERVE_TLS_CERTIFICATE", "tls_certificate"),
    ],
)
def test_a_file_must_be_there(tmp_path, variable, field):
    path = tmp_path / "file"
    with pytest.raises(SettingsError, match=f"{variable}='.*file': expected a file"):
        Settings.from_environment({variable: str(path)})
    path.touch()
    assert getattr(Settings.from_environment({variable: str(path)}), field) == path


def test_without_a_file_of_keys_none_are_asked_for():
    assert Settings().api_keys_file is None

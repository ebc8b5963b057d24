import json
import logging
from dataclasses import asdict, replace

import pytest

from serve.errors import SettingsError
from serve.settings import Settings
from serve.store.pointer import Pointer
from serve.store.start import name_model, report_empty_store

POINTER = Pointer("a" * 64, "loan_approval_model", "production", "1", "run-1", "passed")


def settings_of(folder, **variables) -> Settings:
    return Settings.from_environment({"SERVE_STORE": str(folder), **variables})


def test_without_a_given_name_the_model_has_that_of_the_store(tmp_path):
    (tmp_path / "production.json").write_text(json.dumps(asdict(replace(POINTER, name="boston"))))
    assert name_model(settings_of(tmp_path)).model_name == "boston"
    assert name_model(settings_of(tmp_path, SERVE_MODEL_NAME="boston")).model_name == "boston"


@pytest.mark.parametrize("given", [{"SERVE_MODEL_NAME": "loan_approval_model"}, {"SERVE_PUBLIC_KEY_FILE": __file__}])
def test_a_given_name_and_the_name_that_signatures_are_of_must_be_that_of_the_store(tmp_path, given):
    (tmp_path / "production.json").write_text(json.dumps(asdict(replace(POINTER, name="boston"))))
    with pytest.raises(SettingsError, match=f"'loan_approval_model': the store {tmp_path} holds the model 'boston'"):
        name_model(settings_of(tmp_path, **given))


@pytest.mark.parametrize("text", ["garbage", "[]", "null", "{}", '{"name": 1}', "[" * 60_000, "é" * 40_000, "NaN"])
def test_a_pointer_that_can_not_be_used_leaves_the_name_as_it_is(tmp_path, text):
    (tmp_path / "production.json").write_text(text)
    settings = settings_of(tmp_path, SERVE_MODEL_NAME="boston")
    assert name_model(settings) == settings


@pytest.mark.parametrize("variables", [{}, {"MLFLOW_TRACKING_URI": "http://somebody:secret@mlflow:5000"}])
def test_an_empty_store_is_told_of_without_credentials(tmp_path, caplog, variables):
    report_empty_store(settings_of(tmp_path / "store", **variables))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert str(tmp_path / "store") in record.message
    assert "MLflow" in record.message
    assert "secret" not in record.message


@pytest.mark.parametrize("name", ["production.json", ".production.last-good.json"])
def test_a_store_with_a_pointer_or_the_last_good_one_is_not_empty(tmp_path, caplog, name):
    (tmp_path / name).touch()
    report_empty_store(settings_of(tmp_path))
    assert caplog.records == []


def test_a_store_that_can_not_be_looked_into_is_not_told_to_be_empty(tmp_path, caplog):
    (tmp_path / "store").write_text("a file, and no folder")
    report_empty_store(settings_of(tmp_path / "store"))
    assert caplog.records == []

"""The log's folder at the start of a server."""

from pathlib import Path

import pytest

from serve.errors import SettingsError
from serve.records.log_folder import check_log_folder
from serve.settings import Settings


def test_folder_is_made_and_keeps_nothing_but_the_secret(tmp_path: Path) -> None:
    check_log_folder(Settings(prediction_log=tmp_path / "a/log"))
    assert [path.name for path in (tmp_path / "a/log").iterdir()] == ["applicant.secret"]


def test_without_a_log_nothing_is_made(tmp_path: Path) -> None:
    check_log_folder(Settings(prediction_log=None))


def test_folder_that_cannot_be_written_stops_the_start_where_records_are_required(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    with pytest.raises(SettingsError, match=r"SERVE_PREDICTION_LOG=.*log.*: can't be written"):
        check_log_folder(Settings(prediction_log=tmp_path / "log", prediction_log_mode="required"))


def test_folder_that_cannot_be_written_is_an_error_in_the_log_otherwise(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "log").touch()
    check_log_folder(Settings(prediction_log=tmp_path / "log"))
    assert "can't be written" in caplog.text


@pytest.mark.parametrize("log", [None, "log"])
def test_bad_secret_stops_the_start_in_any_mode(tmp_path: Path, log: str | None) -> None:
    (tmp_path / "secret").write_text("short")
    with pytest.raises(SettingsError, match="at least 16 bytes"):
        check_log_folder(Settings(prediction_log=log and tmp_path / log, applicant_secret_file=tmp_path / "secret"))


def test_bad_secret_in_the_folder_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "applicant.secret").write_text("short")
    with pytest.raises(SettingsError, match="at least 16 bytes"):
        check_log_folder(Settings(prediction_log=tmp_path))

"""Applicants' keys, the secret that hashes them, and the log's folder that keeps it."""

import hashlib
import hmac
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from serve.errors import SettingsError
from serve.records.applicant import SECRET, check_log_folder, hash_applicant, is_key, load_or_make_secret, read_secret
from serve.settings import Settings


@pytest.mark.parametrize("key", [b"a", b"123.456.789-09", b"a b", b"~" * 256])
def test_printable_ascii_is_a_key(key: bytes) -> None:
    assert is_key(key)


@pytest.mark.parametrize("key", [b"", b"~" * 257, b"a\x00", b"\x7f", b"\xe3", b"a,b"])
def test_any_other_value_is_not_a_key(key: bytes) -> None:
    assert not is_key(key)


def test_hash_is_hmac_sha256() -> None:
    assert hash_applicant(b"secret", b"key") == hmac.new(b"secret", b"key", hashlib.sha256).hexdigest()


def test_end_of_the_line_is_not_part_of_a_secret(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"0123456789abcdef\r\n")
    assert read_secret(tmp_path / "secret") == b"0123456789abcdef"


def test_short_secret_is_refused_without_repeating_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"0123456789abcde\n")
    with pytest.raises(SettingsError, match="at least 16 bytes, it has 15") as refused:
        read_secret(tmp_path / "secret")
    assert "abcde" not in str(refused.value)


def test_secret_is_made_once_and_private(tmp_path: Path) -> None:
    first = load_or_make_secret(tmp_path / "log")
    assert load_or_make_secret(tmp_path / "log") == first
    assert len(first) == 64
    assert (tmp_path / "log" / SECRET).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "log").iterdir()] == [SECRET]


def test_threads_that_make_the_secret_at_once_agree(tmp_path: Path) -> None:
    for number in range(20):
        with ThreadPoolExecutor(8) as pool:
            made = set(pool.map(load_or_make_secret, [tmp_path / str(number)] * 8))
        assert len(made) == 1


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

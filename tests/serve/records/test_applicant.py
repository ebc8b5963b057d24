"""Applicants' keys and the secret that hashes them."""

import hashlib
import hmac
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from serve.errors import SettingsError
from serve.records.applicant import SECRET, hash_applicant, is_key, make_secret, read_secret


@pytest.mark.parametrize("key", [b"a", b"123.456.789-09", b"a b", b"~" * 256])
def test_printable_ascii_is_a_key(key: bytes) -> None:
    assert is_key(key)


@pytest.mark.parametrize("key", [b"", b"~" * 257, b"a\x00", b"\x7f", b"\xe3", b"a,b"])
def test_everything_else_is_none(key: bytes) -> None:
    assert not is_key(key)


def test_hash_is_hmac_sha256() -> None:
    assert hash_applicant(b"secret", b"key") == hmac.new(b"secret", b"key", hashlib.sha256).hexdigest()


def test_end_of_the_line_is_no_part_of_a_secret(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"0123456789abcdef\r\n")
    assert read_secret(tmp_path / "secret") == b"0123456789abcdef"


def test_short_secret_is_refused_without_repeating_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"0123456789abcde\n")
    with pytest.raises(SettingsError, match="at least 16 bytes, it has 15") as refused:
        read_secret(tmp_path / "secret")
    assert "abcde" not in str(refused.value)


def test_secret_is_made_once_and_private(tmp_path: Path) -> None:
    first = make_secret(tmp_path / "log")
    assert make_secret(tmp_path / "log") == first
    assert len(first) == 64
    assert (tmp_path / "log" / SECRET).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "log").iterdir()] == [SECRET]


def test_those_who_make_it_at_once_agree(tmp_path: Path) -> None:
    for number in range(20):
        with ThreadPoolExecutor(8) as pool:
            made = set(pool.map(make_secret, [tmp_path / str(number)] * 8))
        assert len(made) == 1

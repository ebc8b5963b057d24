import hashlib
import logging
import os
import re
import subprocess
import sys
from base64 import b64encode
from hmac import compare_digest
from pathlib import Path

import pytest

from serve import keys as keys_module
from serve.errors import SettingsError
from serve.keys import Keys, parse_keys

ROOT = Path(__file__).parents[2]
LAB, SHOP = b"lab-key-4711", b"shop-key-4712"


def line(name: str, key: bytes) -> str:
    return f"{name}:{hashlib.sha256(key).hexdigest()}\n"


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "keys.txt"
    path.write_text(f"# who may ask\n\n{line('lab', LAB)}  {line('shop', SHOP)}")
    return path


def basic(user: bytes, password: bytes) -> dict[bytes, bytes]:
    return {b"authorization": b"Basic " + b64encode(user + b":" + password)}


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({b"authorization": b"Bearer " + LAB}, "lab"),
        ({b"authorization": b"bearer  " + SHOP}, "shop"),
        ({b"x-api-key": SHOP}, "shop"),
        (basic(b"anyone", LAB), "lab"),
        (basic(b"", SHOP), "shop"),
        ({b"authorization": b"Bearer of news", b"x-api-key": LAB}, "lab"),
        (basic(b"proxy", b"its own") | {b"x-api-key": LAB}, "lab"),
    ],
)
def test_a_valid_key_is_known_by_its_name(path, headers, name):
    assert Keys(path).holder(headers) == name


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {b"authorization": b""},
        {b"authorization": b"Bearer"},
        {b"authorization": b"Bearer "},
        {b"authorization": LAB},
        {b"authorization": b"Token " + LAB},
        {b"authorization": b"Bearer " + LAB[:-1]},
        {b"authorization": b"Bearer " + LAB + b"x"},
        {b"authorization": b"Bearer " + LAB.upper()},
        {b"authorization": b"Bearer " + LAB + b", Bearer " + LAB},
        {b"authorization": b"Bearer " + hashlib.sha256(LAB).hexdigest().encode()},
        {b"authorization": b"Basic " + LAB},
        {b"authorization": b"Basic \xff\xfe"},
        basic(b"lab", b""),
        basic(LAB, b""),
        {b"x-api-key": b""},
        {b"x-api-key": b"\xff" * 5000},
        {b"x-api-key": LAB + b", " + LAB},
        {b"cookie": LAB},
    ],
)
def test_any_other_header_has_no_holder(path, headers):
    assert Keys(path).holder(headers) is None


def test_the_hash_of_an_empty_key_lets_nobody_in_without_one(tmp_path):
    (tmp_path / "keys.txt").write_text(line("blank", b""))
    keys = Keys(tmp_path / "keys.txt")
    assert [keys.holder(headers) for headers in ({b"x-api-key": b""}, basic(b"x", b""), {})] == [None] * 3


def test_every_entry_is_compared_in_constant_time_wherever_the_match_is(path, monkeypatch):
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(other)
        return compare_digest(one, other)

    monkeypatch.setattr(keys_module.hmac, "compare_digest", compare)
    keys = Keys(path)
    for key in (LAB, SHOP, b"neither"):
        compared.clear()
        keys.holder({b"x-api-key": key})
        assert len(compared) == 2


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "keys.txt: expected 1 to 1000 keys"),
        ("# nothing\n\n", "keys.txt: expected 1 to 1000 keys"),
        ("secret-in-the-clear\n", "keys.txt line 1: expected name:sha256"),
        ("# x\nlab:secret-in-the-clear\n", "keys.txt line 2: expected name:sha256"),
        (line("lab", LAB).upper(), "keys.txt line 1: expected name:sha256"),
        (line("lab", LAB).replace("\n", "0\n"), "keys.txt line 1: expected name:sha256"),
        (line("the lab", LAB), "keys.txt line 1: expected name:sha256"),
        (line("", LAB), "keys.txt line 1: expected name:sha256"),
        (line("lab", LAB) + line("lab", SHOP), "keys.txt line 2: this name or key stands there twice"),
        (line("lab", LAB) + line("shop", LAB), "keys.txt line 2: this name or key stands there twice"),
    ],
)
def test_a_malformed_file_is_refused_by_line_and_quoted_nowhere(text, complaint):
    with pytest.raises(SettingsError, match=re.escape(complaint)) as caught:
        parse_keys("keys.txt", text.encode())
    assert "secret" not in str(caught.value)
    assert hashlib.sha256(LAB).hexdigest() not in str(caught.value).lower()


def test_a_missing_file_or_a_folder_is_refused_at_the_start(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(SettingsError, match="can't be read"):
            Keys(path)


def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "keys")
    with pytest.raises(SettingsError, match="can't be read"):
        Keys(tmp_path / "keys")


def test_a_changed_file_is_followed_even_with_its_time_and_size_kept(path, caplog):
    caplog.set_level(logging.INFO, logger="serve")
    keys, before = Keys(path), path.stat()
    path.write_text(path.read_text().replace(line("shop", SHOP), line("shop", b"another")))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    keys.refresh()
    assert keys.holder({b"x-api-key": SHOP}) is None
    assert keys.holder({b"x-api-key": b"another"}) == "shop"
    assert caplog.messages == ["2 API keys are valid now"]


@pytest.mark.parametrize("fault", ["", "garbage 4711\n", "gone"])
def test_while_the_file_is_unusable_no_key_is_valid(path, caplog, fault):
    keys, good = Keys(path), path.read_text()
    if fault == "gone":
        path.unlink()
    else:
        path.write_text(fault)
    for _ in range(3):
        keys.refresh()
        assert keys.holder({b"x-api-key": LAB}) is None
    assert len(caplog.messages) == 1
    assert "nobody is let in: keys.txt" in caplog.messages[0]
    assert "4711" not in caplog.text
    path.write_text(good)
    keys.refresh()
    assert keys.holder({b"x-api-key": LAB}) == "lab"


def test_the_file_is_read_at_most_once_a_second(path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(keys_module.time, "monotonic", lambda: now[0])
    keys = Keys(path)
    path.write_text(line("lab", b"new"))
    now[0] = 100.99
    assert keys.holder({b"x-api-key": LAB}) == "lab"
    now[0] = 101.0
    assert keys.holder({b"x-api-key": LAB}) is None
    path.write_text(line("lab", LAB))
    assert keys.holder({b"x-api-key": LAB}) is None


def run(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "serve.keys", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_a_new_key_is_shown_once_and_its_line_lets_it_in(tmp_path):
    made = [run("new", name) for name in ("lab", "shop")]
    (tmp_path / "keys.txt").write_text("".join(each.stdout for each in made))
    keys = Keys(tmp_path / "keys.txt")
    secrets = [each.stderr.split()[-1].encode() for each in made]
    assert [keys.holder({b"x-api-key": key}) for key in secrets] == ["lab", "shop"]
    assert [len(key) for key in secrets] == [43, 43]


@pytest.mark.parametrize("arguments", [(), ("new",), ("old", "lab"), ("new", "a:b"), ("new", "a", "b")])
def test_other_arguments_than_new_and_a_name_get_the_usage(arguments):
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("usage: python -m serve.keys new NAME")

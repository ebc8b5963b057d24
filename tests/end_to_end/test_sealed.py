"""A server that asks for signatures, and what it loads: a key that is none stops it, no object is ever unpickled."""

import hashlib
from pathlib import Path

import pytest

from serve.store.pointer import Pointer
from serve.store.store import Store
from tests.model_files import LOANS, good_files
from tests.server_process import running_server
from tests.signing_keys import make_keys
from tests.waiting import wait_until

NAME = "loan_approval_model"
FILES = good_files()
# Python tells its audit hooks of each class that an unpickler looks up, whoever calls it.
WATCH = """
import os, sys
def tell(event, arguments):
    if event == "pickle.find_class":
        os.write(2, b"UNPICKLED " + repr(arguments).encode())
sys.addaudithook(tell)
"""


def promote(store: Store, name: str, version: str, signature: str) -> str:
    scorer = store.install(FILES[name], {"verdict": {"verdict": "passed"}}, signature)
    store.point(Pointer(scorer.sha256, NAME, "production", version, "run-1", "passed"))
    return scorer.sha256


def test_a_server_with_a_public_key_follows_what_is_signed_and_unpickles_nothing(tmp_path: Path) -> None:
    keys, store = make_keys(tmp_path), Store(tmp_path / "store")
    watching = tmp_path / "watching"
    watching.mkdir()
    (watching / "sitecustomize.py").write_text(WATCH)
    path = f"{watching}:{Path(__file__).parents[2]}"
    strict = hashlib.sha256(FILES["loans_strict"]).hexdigest()
    promote(store, "loans", "1", keys.sign(NAME, hashlib.sha256(FILES["loans"]).hexdigest()))
    example = {feature["name"]: feature["example"] for feature in LOANS["feature"]}
    settings = {"SERVE_PUBLIC_KEY_FILE": str(keys.public), "PYTHONPATH": path}
    with running_server(tmp_path, store.path, **settings) as server:
        assert server.request("POST", "/api/v2/predict", example).json["prediction_code"] == 1
        promote(store, "loans_strict", "2", keys.sign("other_model", strict))
        wait_until(lambda: "wrong signature" in server.log.read_text(), log=server.log)
        answer = server.request("POST", "/api/v2/predict", example)
        assert (answer.json["prediction_code"], answer.headers["X-Model-Version"]) == (1, "1")
        promote(store, "loans_strict", "2", keys.sign(NAME, strict))
        wait_until(lambda: "version 2" in server.log.read_text(), log=server.log)
        assert server.request("POST", "/api/v2/predict", example).json["prediction_code"] == 0
        assert "UNPICKLED" not in server.log.read_text()


def test_a_public_key_that_is_none_stops_the_start(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("no key")
    with (
        pytest.raises(AssertionError, match=r"SERVE_PUBLIC_KEY_FILE='.*': expected an Ed25519 public key in PEM"),
        running_server(tmp_path, tmp_path / "store", SERVE_PUBLIC_KEY_FILE=str(key)),
    ):
        pass

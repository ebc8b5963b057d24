"""The README's pictures are taken by a command from what a run leaves."""

import re

import pytest

from serve.store.store import Store
from tests.browser import running_browser
from tests.model_files import good_files
from tests.pages import read, script
from tests.server_process import promote


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    module = script("pictures")
    monkeypatch.setattr(module, "PICTURES", tmp_path / "pictures")
    return module


def test_the_command_takes_every_picture_of_the_readme(pictures, tmp_path):
    with running_browser():  # skips where there is none
        pass
    reports = tmp_path / "reports"
    reports.mkdir()
    for name in ("03_validate", "card"):
        (reports / f"{name}.html").write_text("<title>page</title><h1>A page</h1>")
    promote(Store(tmp_path / "store"), good_files()["loans"])
    pictures.main(reports, tmp_path / "store")
    taken = {path.name for path in pictures.PICTURES.iterdir() if path.read_bytes().startswith(b"\x89PNG")}
    assert taken == set(re.findall(r"docs/pictures/([\w.]+)", read("README.md")))


def test_without_a_run_the_command_says_what_is_missing(pictures, tmp_path):
    with pytest.raises(SystemExit, match="not there, expected what `make run` leaves"):
        pictures.main(tmp_path, tmp_path)

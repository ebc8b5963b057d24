import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, sync_playwright

from serve.store import Store
from tests.model_files import good_files
from tests.server_process import DEADLINE, Server, promote, running_server

INSTALL = Path(__file__).parents[1] / "install_browser.sh"
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="module")
def chromium() -> str:
    """The path of the browser; without one the tests are skipped with the installer's message."""
    installed = subprocess.run([INSTALL], capture_output=True, text=True, timeout=600, check=False)
    if installed.returncode:
        pytest.skip(installed.stderr.strip())
    return shutil.which("chromium")


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=OPTIONS)
        page = browser.new_page(viewport={"width": 1280, "height": 1600})
        page.set_default_timeout(DEADLINE * 1000)
        yield page
        browser.close()


@pytest.fixture
def server(tmp_path) -> Iterator[Server]:
    store = Store(tmp_path / "store")
    promote(store, good_files()["loans"])
    with running_server(tmp_path, store.path) as server:
        yield server


def test_the_documentation_page_decides_an_application_and_asks_nobody_else(page, server):
    hosts, problems = set(), []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"http://127.0.0.1:{server.port}/docs")
    operation = page.locator(".opblock-post", has_text="/api/v2/predict")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Execute").click()  # the page opens with "Try it out" pressed
    answer = operation.locator(".live-responses-table")
    answer.locator(".response-col_status", has_text="200").wait_for()
    assert '"prediction": "Approved"' in answer.locator(".response-col_description").last.inner_text()
    assert hosts - {None} == {"127.0.0.1"}  # data: addresses have no host
    assert problems == []

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from serve.store.store import Store
from tests.browser import running_browser, watched_page
from tests.model_files import good_files
from tests.server_process import Server, promote, running_server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture
def server(tmp_path) -> Iterator[Server]:
    store = Store(tmp_path / "store")
    promote(store, good_files()["loans"])
    with running_server(tmp_path, store.path) as server:
        yield server


def test_the_documentation_page_decides_an_application_asks_nobody_else_and_keeps_its_policy(browser, server):
    with watched_page(browser, viewport={"width": 1280, "height": 1600}) as page:
        page.goto(f"http://127.0.0.1:{server.port}/docs")
        summary = page.locator(".opblock-summary-path[data-path='/api/v2/predict']")
        operation = page.locator(".opblock-post", has=summary)
        operation.locator(".opblock-summary-control").click()
        operation.get_by_role("button", name="Execute").click()  # the page opens with "Try it out" pressed
        answer = operation.locator(".live-responses-table")
        answer.locator(".response-col_status", has_text="200").wait_for()
        assert '"prediction": "Approved"' in answer.locator(".response-col_description").last.inner_text()
        page.locator("section.models").get_by_text("Application").first.wait_for()

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from serve.store.store import Store
from tests.browser import running_browser, watched_page
from tests.model_files import good_files
from tests.server_process import Server, promote, running_server
from tests.stripping_proxy import stripping_proxy


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


@pytest.fixture(params=["", "/loans"], ids=["at the root", "below a path that a proxy removes"])
def address(request, server) -> Iterator[str]:
    """Where a browser finds the server."""
    with stripping_proxy(server.port, request.param) as port:
        yield f"http://127.0.0.1:{port}{request.param}"


def test_the_documentation_page_decides_an_application_asks_nobody_else_and_keeps_its_policy(browser, address):
    with watched_page(browser, viewport={"width": 1280, "height": 1600}) as page:
        page.goto(f"{address}/docs")
        summary = page.locator(".opblock-summary-path[data-path='/api/v2/predict']")
        operation = page.locator(".opblock-post", has=summary)
        operation.locator(".opblock-summary-control").click()
        operation.get_by_role("button", name="Execute").click()  # the page opens with "Try it out" pressed
        answer = operation.locator(".live-responses-table")
        answer.locator(".response-col_status", has_text="200").wait_for()
        assert '"prediction": "Approved"' in answer.locator(".response-col_description").last.inner_text()
        page.locator("section.models").get_by_text("Application").first.wait_for()


def test_the_application_page_decides_below_a_path_that_a_proxy_removes(browser, server):
    with stripping_proxy(server.port, "/loans") as port, watched_page(browser, locale="en-US") as page:
        page.goto(f"http://127.0.0.1:{port}/loans/app")
        page.locator("#decide").click()
        expect(page.locator("#outcome")).to_have_text("Approved")
        assert f"http://127.0.0.1:{port}/loans/api/v2/predict" in page.locator("#curl").inner_text()
        page.locator("footer a").click()
        page.locator(".opblock-summary-path").first.wait_for()
        assert page.url == f"http://127.0.0.1:{port}/loans/docs/"

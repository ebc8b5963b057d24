"""A real headless browser for the end-to-end tests, and a page that is watched."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.server_process import DEADLINE

INSTALL = Path(__file__).with_name("install_browser.sh")
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
REFUSED = "Failed to load resource: "  # said of every refusal, rightly; a blocked request says more than this


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run Chromium until the block ends; where there is none the test is skipped with the installer's message."""
    installed = subprocess.run([INSTALL], capture_output=True, text=True, timeout=600, check=False)
    if installed.returncode:
        pytest.skip(installed.stderr.strip())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        yield browser
        browser.close()


@contextmanager
def watched_page(browser: Browser, **options: Any) -> Iterator[Page]:
    """Open a page; fail when it asked another host, met an error, broke its policy or opened a dialog."""
    hosts, problems = set(), []
    with browser.new_context(**options) as context:
        page = context.new_page()
        page.set_default_timeout(DEADLINE * 1000)
        page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None)
        page.on("dialog", lambda dialog: (problems.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        yield page
    assert hosts - {None} <= {"127.0.0.1"}  # data: addresses have no host
    assert [problem for problem in problems if not problem.startswith(REFUSED)] == []

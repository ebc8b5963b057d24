"""`python docs/pictures.py [REPORTS] [STORE]`: takes the README's pictures into docs/pictures, from a finished run.

REPORTS: the folder of a data set's reports (default: reports/loans).   STORE: of its promoted model (default:
store/loan_approval_model). It needs Chromium on the path. Run it after `make run`: it reads both and changes neither.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[1]
PICTURES = Path(__file__).with_name("pictures")
SIZE = {"width": 900, "height": 1100}
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu")
START_LIMIT = 60_000  # milliseconds


def take_page(browser: Browser, address: str, name: str) -> None:
    """Take the top of a page."""
    page = browser.new_page(viewport=SIZE)
    page.goto(address)
    page.screenshot(path=PICTURES / name)
    page.close()


def take_decision(browser: Browser, address: str) -> None:
    """Take the page for people with a decision on an application of low credit score."""
    page = browser.new_page(viewport=SIZE, locale="en-US")
    page.goto(f"{address}/app", timeout=START_LIMIT)
    page.locator("#application").wait_for(timeout=START_LIMIT)
    page.get_by_label("Credit score").fill("560")
    page.locator("#decide").click()
    page.locator("#outcome").wait_for(timeout=START_LIMIT)
    page.screenshot(path=PICTURES / "app.png", full_page=True)
    page.close()


@contextmanager
def served(store: Path) -> Iterator[str]:
    """Serve a copy of a store on loopback; yield the address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(store, Path(folder) / "store")
        settings = {"SERVE_STORE": str(copy), "PORT": str(port), "SERVE_HOST": "127.0.0.1"}
        process = subprocess.Popen([sys.executable, "-m", "serve"], cwd=ROOT, env=os.environ | settings,
                                   stderr=subprocess.PIPE, text=True)  # fmt: skip
        try:
            for line in process.stderr:  # it ends when the server does
                if "listening on" in line:
                    break
            else:
                sys.exit(f"{store}: the server did not start")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.communicate()


def main(reports: Path, store: Path) -> None:
    """Take all pictures."""
    pages = {"report.png": reports / "03_validate.html", "card.png": reports / "card.html"}
    if missing := [str(path) for path in (*pages.values(), store / "production.json") if not path.is_file()]:
        sys.exit(f"{', '.join(missing)}: not there, expected what `make run` leaves")
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright, served(store) as address:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        for name, path in pages.items():
            take_page(browser, path.resolve().as_uri(), name)
        take_decision(browser, address)
        browser.close()


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:3]]
    defaults = [ROOT / "reports/loans", ROOT / "store/loan_approval_model"]
    main(*given, *defaults[len(given) :])

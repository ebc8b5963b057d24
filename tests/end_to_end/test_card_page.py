"""The model card in a real browser, from the server and from the disk; it loads nothing and breaks no policy."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from loan_approval.registry.card import add_card
from serve.model.scorer import Scorer
from serve.store.pointer import Pointer
from serve.store.store import Store
from tests.browser import running_browser, watched_page
from tests.loan_approval.registry.test_card import EVIDENCE, GATES, PROMOTED
from tests.model_files import good_files
from tests.server_process import running_server

A4 = 688  # CSS pixels of its width within the margins
ACCENT = "rgb(31, 78, 140)"  # of the style: it is there only when the policy admits it


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    data = good_files()["loans"]
    verdict = {"verdict": "passed", "margin": 0.01}
    metadata = {"metrics": {"roc_auc": 0.8125}, "gates": GATES, "verdict": verdict, "evidence": EVIDENCE}
    scorer, store = Scorer(data), Store(tmp_path / "store")
    name = scorer.contract.model_name
    metadata = add_card(metadata, scorer, {"name": name, "version": "2", "run": "run-1"}, [PROMOTED])
    (tmp_path / "card.html").write_text(metadata["card"], encoding="utf-8")
    store.install(data, metadata)
    store.point(Pointer(scorer.sha256, name, "production", "2", "run-1", "passed"))
    with running_server(tmp_path, store.path) as server:
        yield f"http://127.0.0.1:{server.port}/api/v2/model/card"


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("place", ["server", "disk"])
def test_the_card_opens_with_its_style_asks_for_nothing_and_fits_the_screen(
    browser: Browser, address: str, tmp_path: Path, place: str, width: int
) -> None:
    target = address if place == "server" else (tmp_path / "card.html").as_uri()
    asked: list[str] = []
    with watched_page(browser, viewport={"width": width, "height": 800}) as page:
        page.on("request", lambda request: asked.append(urlsplit(request.url).path))
        page.goto(target)
        heading = page.locator("h2#governance")
        assert heading.evaluate("e => getComputedStyle(e).borderTopColor") == ACCENT
        page.get_by_role("link", name="Governance and controls").click()
        assert page.evaluate("location.hash") == "#governance"
        assert -1 < heading.bounding_box()["y"] < 800  # scrolling stops at whole pixels
        assert page.get_by_text("ana (promote)").is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert [path for path in asked if not path.endswith("favicon.ico")] == [urlsplit(target).path]


def test_the_table_of_inputs_fits_a_laptop_whole(browser: Browser, address: str) -> None:
    with watched_page(browser, viewport={"width": 1280, "height": 800}) as page:
        page.goto(address)
        table = page.locator(".wide", has_text="applicant can change it")
        assert table.evaluate("e => e.scrollWidth <= e.clientWidth")


def test_a_dark_screen_gets_a_dark_card_whose_text_and_figures_stand_out(browser: Browser, address: str) -> None:
    with watched_page(browser, color_scheme="dark") as page:
        page.goto(address)
        paper = _lightness(page, "body", "backgroundColor")
        assert paper < 0.2
        for place, style in (("body", "color"), ("h1", "color"), (".failed", "color"), (".note", "color")):
            assert _lightness(page, place, style) > 0.5
        assert _lightness(page, "th", "backgroundColor") < 0.2
        for place, style in (("svg circle", "fill"), ("svg text", "fill"), ("svg .soft", "stroke")):
            assert _lightness(page, place, style) > 0.5


def _lightness(page: Page, place: str, style: str) -> float:
    """Return the mean of red, green and blue of the first such element, 0 to 1."""
    colour = page.locator(place).first.evaluate("(e, style) => getComputedStyle(e)[style]", style)
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3 / 255


def test_the_cards_tables_fit_the_paper(browser: Browser, address: str, tmp_path: Path) -> None:
    with watched_page(browser, viewport={"width": A4, "height": 1000}) as page:
        page.goto((tmp_path / "card.html").as_uri())
        page.emulate_media(media="print")
        ends = page.evaluate("[...document.querySelectorAll('table')].map(each => each.getBoundingClientRect().right)")
        assert max(ends) <= A4

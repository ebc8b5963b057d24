"""A report and the front page in a real browser, from the disk, with all that a notebook can show."""

from collections.abc import Iterator
from pathlib import Path

import nbformat
import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from loan_approval.notebooks import show
from loan_approval.notebooks.index import write_index
from loan_approval.notebooks.reports import write_html
from loan_approval.plots.metrics import Figure, plot_roc
from tests.browser import running_browser, watched_page
from tests.shown import bundle_of

A4 = 688  # CSS pixels of its width within the margins
LARGEST = 2_000_000  # bytes of a page
GATES = [{"name": "signal", "passed": True, "words": "better than chance", "found": "AUC 0.86", "limit": "above 0.5"}]
DRAWN = ".plot .bk-Figure"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a report from a notebook file that holds what the functions of `show` display."""
    rng = np.random.default_rng(7)
    p = rng.random(500)
    y = (rng.random(500) < p).astype(int)
    parts = [
        bundle_of(
            show.table, [{"band": band, "rows": n} for band, n in (("low", 1200), ("middle", 90), ("high", 1000))]
        ),
        bundle_of(show.figure, plot_roc({"model": (y, p)}, ["denied", "approved"], "test"), "AUC 0.860.", front=True),
        bundle_of(
            show.header, "loans", [("AUC", "0.860")], ["It may be promoted."], GATES, version="3", verdict="passed"
        ),
    ]
    cells = [nbformat.v4.new_markdown_cell("# May it?"), nbformat.v4.new_markdown_cell("## Rows\n\n## Ranking")]
    for part in parts:
        output = nbformat.v4.new_output("display_data", data=part)
        cells.append(nbformat.v4.new_code_cell("secret_of_the_cell = 1", outputs=[output]))
    folder = tmp_path_factory.mktemp("reports") / "loans"
    folder.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "03_validate.ipynb")
    write_html(folder / "03_validate.ipynb", folder / "03_validate.html")
    return folder / "03_validate.html"


@pytest.fixture(params=[(1280, "light"), (1280, "dark"), (390, "light")], ids=str)
def page(browser: Browser, report: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    width, scheme = request.param
    with watched_page(browser, viewport={"width": width, "height": 900}, color_scheme=scheme) as page:
        asked: list[str] = []
        page.on("request", lambda sent: asked.append(sent.url))
        page.goto(report.as_uri())
        yield page
        assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]


def test_header_and_gates_stand_first_and_nothing_is_wider_than_the_screen(page: Page) -> None:
    header = page.locator("main .la-header")
    assert header.get_by_text("✓ passed").first.is_visible()
    assert header.get_by_text("AUC 0.86").is_visible()
    assert header.bounding_box()["y"] < page.locator("#Rows").bounding_box()["y"]
    page.wait_for_selector(DRAWN)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_contents_lead_to_their_headings(page: Page) -> None:
    if page.viewport_size["width"] < 800:
        page.get_by_text("Contents").click()
    page.get_by_role("link", name="Ranking").click()
    assert page.evaluate("location.hash") == "#Ranking"
    assert page.locator("h2#Ranking").bounding_box()["y"] < 900


def test_code_takes_no_room_until_it_is_asked_for(page: Page) -> None:
    code = page.get_by_text("secret_of_the_cell").first
    assert not code.is_visible()
    before = page.evaluate("document.documentElement.scrollHeight")
    page.get_by_text("Show code").click()
    assert code.is_visible()
    assert page.evaluate("document.documentElement.scrollHeight") > before


def test_a_figure_is_drawn_for_the_mouse_in_place_of_its_still(page: Page) -> None:
    page.wait_for_selector(DRAWN)
    still = page.locator(".la-still")
    assert not still.is_visible()
    lines = page.locator(".plot .bk-Figure canvas").first
    lines.wait_for()
    assert 150 < page.locator(".plot").bounding_box()["height"] < 700  # the still and its legend, scaled to the page
    page.emulate_media(media="print")
    assert still.is_visible()
    assert not page.locator("nav").is_visible()


def test_a_table_of_a_dozen_columns_fits_the_paper(browser: Browser, tmp_path: Path) -> None:
    rates = {f"rate of group {i}": 0.5 for i in range(8)}
    row = {
        "attribute": "Age (years)",
        "group": "62 and over",
        "ratio": {"value": 1.2, "low": 1.1, "high": 1.3},
        **rates,
    }
    output = nbformat.v4.new_output("display_data", data=bundle_of(show.table, [row | {"call": "above"}]))
    cell = nbformat.v4.new_code_cell("", outputs=[output])
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "x.ipynb")
    write_html(tmp_path / "x.ipynb", tmp_path / "x.html")
    with watched_page(browser, viewport={"width": A4, "height": 1000}) as page:
        page.goto((tmp_path / "x.html").as_uri())
        page.emulate_media(media="print")
        table = page.locator(".la-table").bounding_box()
        assert table["x"] + table["width"] <= A4


def test_a_table_is_sorted_by_number_when_its_heading_is_clicked(page: Page) -> None:
    rows = page.locator(".la-table").first.locator("tbody td:last-child")
    page.get_by_role("button", name="rows").click()
    assert rows.all_inner_texts() == ["90", "1,000", "1,200"]
    page.get_by_role("button", name="rows").click()
    assert rows.all_inner_texts() == ["1,200", "1,000", "90"]


def test_a_script_in_a_cell_does_not_run(browser: Browser, report: Path, tmp_path: Path) -> None:
    hostile = {"text/html": "<script>document.title = 'taken'</script><p onclick=\"document.title = 'taken'\">here</p>"}
    cell = nbformat.v4.new_code_cell("", outputs=[nbformat.v4.new_output("display_data", data=hostile)])
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "x.ipynb")
    write_html(tmp_path / "x.ipynb", tmp_path / "x.html")
    with watched_page(browser) as page:
        page.goto((tmp_path / "x.html").as_uri())
        page.get_by_text("here").click()
        assert page.title() == "x"


def test_a_page_stays_below_two_megabytes(report: Path) -> None:
    assert report.stat().st_size < LARGEST


@pytest.mark.parametrize("width", [1280, 390])
def test_the_front_page_leads_to_the_report(browser: Browser, report: Path, width: int) -> None:
    index = write_index(report.parents[1])
    with watched_page(browser, viewport={"width": width, "height": 900}) as page:
        page.goto(index.as_uri())
        assert page.locator(".pictures img").evaluate("image => image.naturalWidth") > 300
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.get_by_role("link", name="03_validate").click()
        assert page.url == report.as_uri()
        page.get_by_role("link", name="All reports").click()
        assert page.url == index.as_uri()


def test_on_a_phone_small_figures_side_by_side_are_scrolled_and_not_shrunk(browser: Browser, tmp_path: Path) -> None:
    still = Figure(figsize=(11, 4))
    still.subplots(1, 2)
    output = nbformat.v4.new_output("display_data", data=bundle_of(show.figure, still, "Two."))
    cell = nbformat.v4.new_code_cell("", outputs=[output])
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "x.ipynb")
    write_html(tmp_path / "x.ipynb", tmp_path / "x.html")
    with watched_page(browser, viewport={"width": 390, "height": 800}) as page:
        page.goto((tmp_path / "x.html").as_uri())
        assert page.locator(".la-still").bounding_box()["width"] > 600
        assert page.evaluate("document.documentElement.scrollWidth") <= 390

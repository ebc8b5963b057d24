"""Reports open without a network: judged by reading the HTML and by a real browser that is watched."""

import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

from loan_approval.notebooks.reports import write_html, write_index

EXTERNAL = re.compile(r"""(?:(?:@import\s+|url\()\s*["']?)(?:https?:)?//""", re.IGNORECASE)
HOSTILE = """
<img src="https://example.org/a.png" srcset="https://example.org/b.png 2x"><img src=//example.org/c.png>
<script src="https://example.org/d.js"></script><link rel="stylesheet" href="//example.org/e.css">
<script>new Image().src = "https://example.org/f.png"; fetch("https://example.org/g");</script>
<style>@import "https://example.org/h.css"; p { background: url('https://example.org/i.png') }</style>
<p style="background: url(//example.org/j.png)">styled</p><iframe src="http://example.org/k"></iframe>
<video poster="https://example.org/l.png"></video><object data="https://example.org/m"></object>
<svg><image xlink:href="https://example.org/n.png"></image><use href="https://example.org/o.svg#p"></use></svg>
"""


class Loads(HTMLParser):
    """Collects every address that a browser would load by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            follows = tag in ("a", "area") and name == "href"
            loads = name in ("src", "srcset", "href", "xlink:href", "data", "poster", "background", "action")
            if (loads and not follows and re.match(r"\s*([a-z]+:)?//", value or "")) or EXTERNAL.search(value or ""):
                self.found.append(f"{tag} {name}={value}")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "style" and EXTERNAL.search(data):
            self.found.append(data[:80])


def loads(page: str) -> list[str]:
    parser = Loads()
    parser.feed(page)
    return parser.found


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a report of everything that nbconvert, or a cell's output, would fetch from elsewhere."""
    folder = tmp_path_factory.mktemp("report")
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "a widget"}
    script = {"application/javascript": "fetch('https://example.org/q')", "text/plain": "a script"}
    data = [{"text/html": HOSTILE}, widget, script, {"text/vnd.mermaid": "graph TD", "text/plain": "a graph"}]
    outputs = [nbformat.v4.new_output("display_data", data=each) for each in data]
    failure = nbformat.v4.new_output("error", ename="ValueError", evalue="no rows", traceback=["no rows"])
    cells = [
        nbformat.v4.new_markdown_cell(
            "An introduction.\n\n## What `sells` & why\n\n$x^2$, [a link](https://example.org)"
        ),
        nbformat.v4.new_markdown_cell("![a figure](https://example.org/r.png)\n\n```mermaid\ngraph TD\n```"),
        nbformat.v4.new_code_cell("sold = 1", outputs=outputs),
        nbformat.v4.new_code_cell("raise ValueError('no rows')", outputs=[failure]),
    ]
    metadata = {"widgets": {"application/vnd.jupyter.widget-state+json": {"state": {}, "version_major": 2}}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), folder / "01_tiny.ipynb")
    write_html(folder / "01_tiny.ipynb", folder / "01_tiny.html")
    return folder / "01_tiny.html"


def test_a_report_refers_to_nothing_external_but_by_hyperlink(report: Path) -> None:
    page = report.read_text()

    assert loads(page) == []
    assert 'href="https://example.org"' in page


def test_what_needs_a_script_from_elsewhere_is_shown_in_its_plain_form(report: Path) -> None:
    page = report.read_text()

    assert all(text in page for text in ("a widget", "a script", "a graph", "styled"))
    assert "https://example.org/q" not in page


def test_a_report_is_titled_by_the_first_heading(report: Path) -> None:
    assert "<title>What sells &amp; why</title>" in report.read_text()


def test_code_is_folded_unless_it_failed(report: Path) -> None:
    details = re.findall(r'<details class="source"[^>]*>', report.read_text())

    assert [("open" in each) for each in details] == [False, True]


def test_a_browser_asks_nobody_for_a_report_or_the_index(report: Path) -> None:
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("no chromium on PATH: tests/install_browser.sh installs one")
    flags = "--disable-gpu --disable-background-networking --disable-component-update --disable-sync --no-first-run"
    index = write_index(report.parent)
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", *flags.split()])
        page = browser.new_page()
        asked = []
        page.on("request", lambda request: asked.append(request))
        page.goto(report.as_uri(), wait_until="networkidle")
        shown = page.inner_text("h2")
        page.goto(index.as_uri())
        page.click("text=01_tiny")
        sent = {request.url for request in asked if request.failure != "csp"}  # those the page's policy stopped
        browser.close()

    assert "What sells" in shown
    assert {url for url in sent if not url.startswith("data:")} == {report.as_uri(), index.as_uri()}


def write_page(path: Path, made: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (made, made))


def test_the_index_links_every_report_by_folder_in_the_notebooks_order(tmp_path: Path) -> None:
    write_page(tmp_path / "loans" / "02_train.html", 1_700_000_000)
    write_page(tmp_path / "loans" / "01_explore.html", 1_800_000_000)
    write_page(tmp_path / "boston" / "01_explore.html", 1_750_000_000)
    write_page(tmp_path / "overview.html", 1_750_000_000)
    write_page(tmp_path / "loans" / ".half.html.1a2b.html", 1_750_000_000)

    page = write_index(tmp_path).read_text()
    again = write_index(tmp_path).read_text()

    links = ["overview.html", "boston/01_explore.html", "loans/01_explore.html", "loans/02_train.html"]
    assert re.findall(r'href="([^"]*)"', page) == links
    assert re.findall(r"<h2>(.*)</h2>", page) == ["boston", "loans"]
    assert "2023-11-14 22:13 UTC" in page
    assert again == page
    assert loads(page) == []


def test_the_index_escapes_names(tmp_path: Path) -> None:
    write_page(tmp_path / "a&b" / "<i>{x}:#1?.html", 1_700_000_000)

    page = write_index(tmp_path).read_text()

    assert '<a href="a%26b/%3Ci%3E%7Bx%7D%3A%231%3F.html">&lt;i&gt;{x}:#1?</a>' in page
    assert "<h2>a&amp;b</h2>" in page


def test_an_index_of_nothing_says_so(tmp_path: Path) -> None:
    assert "no reports yet" in write_index(tmp_path / "reports").read_text()


def test_of_a_progress_bar_only_its_end_is_shown(tmp_path: Path) -> None:
    cell = nbformat.v4.new_code_cell("work()")
    texts = ["\rfolds 0%", "\rfolds 50%", "\rfolds 100%\n", "done\n"]
    cell.outputs = [nbformat.v4.new_output("stream", name="stderr", text=text) for text in texts]
    notebook = tmp_path / "bar.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), notebook)
    write_html(notebook, tmp_path / "bar.html")
    page = (tmp_path / "bar.html").read_text()
    assert "folds 100%\ndone" in page
    assert "50%" not in page.replace("width: 50%", "").split("<body")[1]

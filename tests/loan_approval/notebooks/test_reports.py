"""Reports open without a network: judged by reading the HTML and by a real browser that is watched."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import numpy as np
import pytest

from loan_approval.notebooks import show
from loan_approval.notebooks.index import write_index
from loan_approval.notebooks.interactive import library
from loan_approval.notebooks.reports import write_html
from loan_approval.plots.metrics import plot_roc
from tests.shown import bundle_of

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


def test_code_is_hidden_unless_it_failed(report: Path) -> None:
    assert re.findall(r'<div class="(source[^"]*)">', report.read_text()) == ["source", "source failed"]


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


def test_of_progress_and_of_what_libraries_log_nothing_is_shown(tmp_path: Path) -> None:
    noise = ["\rfolds:   0%|          | 0/25 [00:00<?, ?fit/s]", "\rfolds: 100%|██████████| 25/25 [00:12<00:00]", "\n"]
    noise += [
        "7it [00:01,  5.20it/s]\n",
        "monotone proof: 0feature [00:00, ?feature/s]\n",
        "2026/11/28 05:52:28 INFO mlflow.models: validating\n",
    ]
    cells = [nbformat.v4.new_code_cell("work()"), nbformat.v4.new_code_cell("warn()")]
    cells[0].outputs = [nbformat.v4.new_output("stream", name="stderr", text=text) for text in noise]
    texts = [*noise, "100% of 3 rows are odd\n", "\r"]
    cells[1].outputs = [nbformat.v4.new_output("stream", name="stderr", text=text) for text in texts]

    page = write(tmp_path, *cells)

    assert page.count('<div class="output_area">') == 1
    assert "100% of 3 rows are odd" in page
    assert "folds" not in page
    assert "INFO" not in page


def test_a_run_that_stopped_says_where_and_names_the_last_good_report(tmp_path: Path) -> None:
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "02_train.failed.ipynb")
    write_html(tmp_path / "02_train.failed.ipynb", tmp_path / "02_train.failed.html", "cell 4 of 9")

    page = (tmp_path / "02_train.failed.html").read_text()

    assert "did not finish: cell 4 of 9" in page
    assert 'href="02_train.html"' in page


def test_the_library_stands_once_in_a_page_with_figures_and_not_in_others(tmp_path: Path) -> None:
    y, p = np.array([0, 1]), np.array([0.1, 0.9])
    data = bundle_of(show.figure, plot_roc({"model": (y, p)}, ["denied", "approved"], "test"))
    figures = [nbformat.v4.new_output("display_data", data=data) for _ in range(2)]

    with_figures = write(tmp_path, nbformat.v4.new_code_cell("", outputs=figures))
    without = write(tmp_path, nbformat.v4.new_code_cell(""))

    assert with_figures.count('class="plot"') == 2
    assert with_figures.count(library()) == 1
    assert len(without) < 30_000


def test_a_header_stands_once_and_above_what_the_cells_show(tmp_path: Path) -> None:
    header = bundle_of(show.header, "loans", [("AUC", "0.86")], ["It may be promoted."])
    outputs = [nbformat.v4.new_output("stream", name="stdout", text="from a cell\n")]
    outputs.append(nbformat.v4.new_output("display_data", data=header))

    page = write(tmp_path, nbformat.v4.new_code_cell("", outputs=outputs))

    assert page.count("It may be promoted.") == 1
    assert page.index("It may be promoted.") < page.index("from a cell")
    assert page.count("<style") == 1


def write(folder: Path, *cells: nbformat.NotebookNode) -> str:
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), folder / "x.ipynb")
    write_html(folder / "x.ipynb", folder / "x.html")
    return (folder / "x.html").read_text()


def test_a_still_page_stands_alone_with_pictures_and_no_script_of_figures(tmp_path: Path) -> None:
    figure = plot_roc({"m": (np.array([0, 1]), np.array([0.2, 0.8]))}, ["denied", "approved"], "test")
    output = nbformat.v4.new_output("display_data", bundle_of(show.figure, figure, "well"))
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=[output])]), tmp_path / "x.ipynb"
    )
    pages = {}
    for still in (False, True):
        write_html(tmp_path / "x.ipynb", tmp_path / "x.html", still=still)
        pages[still] = (tmp_path / "x.html").read_text()
    assert library() in pages[False]
    assert '<p class="plot-title">ROC, test rows</p>' in pages[False]
    assert library() not in pages[True]
    assert not re.search(r'data-plot|plot-title"|index\.html', pages[True])
    assert 'src="data:image/png' in pages[True]
    assert re.search(r'<meta name="notebook-code" content="\w{64}">', pages[True])

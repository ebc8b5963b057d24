"""Reports: executed notebooks as HTML that opens without a network."""

import html
import re
from pathlib import Path
from typing import Any

from markupsafe import Markup

from loan_approval.notebooks.summary import (
    FAILED,
    FIGURE_MIME,
    HEADER_MIME,
    RESULT_MIME,
    digest_code,
    summarize,
    write_summary,
)
from loan_approval.pages.frame import read_part, render_page
from serve.files import write_atomically

# No JavaScript, widget or mermaid output: all need a script from elsewhere, and each has a plain form beside it.
_SHOWN = ["text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/latex", "text/plain"]

_EXTERNAL = re.compile(r"\s*([a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
_EXTERNAL_IN_CSS = re.compile(r"""(@import\s+|url\(\s*)(["']?)([a-z][a-z0-9+.-]*:)?//[^)"';]*""", re.IGNORECASE)
_LOADING = {"action", "background", "data", "formaction", "href", "ping", "poster", "src", "srcset", "xlink:href"}
# Bars of tqdm, with a total and without, and what libraries log by the way.
_NOISE = re.compile(r"\d+%\|.*\d+/\d+ \[|\d+[a-z]+ \[\d|^\d{4}[/-]\d\d[/-]\d\d [\d:,]+ INFO ")


def write_html(notebook: Path, path: Path, unfinished: str = "", still: bool = False) -> None:
    """Write an executed notebook as one HTML file that loads nothing, and its summary beside it.

    A header stands above everything, contents beside it; code is hidden until it is asked for. The page's policy
    admits its own scripts alone, whatever a cell's output holds; references to other places are removed as well.
    Formulas stay TeX, because typesetting them takes a script from elsewhere.
    unfinished: where the run stopped, "" when it finished.   still: whether the page stands alone and is small, with
    pictures in place of figures that can be zoomed.
    """
    import nbformat  # slow to import, and most commands write no report

    document = nbformat.read(notebook, as_version=4)
    summary = summarize(document, notebook.stem, unfinished)
    code = digest_code(document)
    interactive = _prepare(document, still)
    body, contents = _clean(_export(document, notebook.parent))
    scripts = [read_part("notebooks/page.js")]
    if interactive:
        from loan_approval.notebooks.interactive import library

        scripts = [library(), *scripts]
    page = render_page(
        "notebooks/report.html.j2",
        [read_part("notebooks/parts.css")],
        scripts,
        inline_styles=True,
        title=summary["title"],
        header=summary,
        body=Markup(body),  # noqa: S704 (a notebook's cells, cleaned)
        contents=contents,
        unfinished=unfinished,
        finished=path.name.replace(FAILED, ""),
        to_index="" if still else "../index.html",
        code=code,
    )
    write_atomically(path, page.encode())
    write_summary(summary, path)


def _prepare(document: Any, still: bool) -> bool:
    """Leave out what the header shows, results and bars of progress, place the plots; return whether there are any."""
    interactive = False
    for cell in document.cells:
        kept = []
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if HEADER_MIME in data or RESULT_MIME in data:
                continue
            if output.output_type == "stream" and output.name == "stderr":
                output.text = _without_noise(output.text)
                if not output.text.strip():
                    continue
            drawn = data.get(FIGURE_MIME, {})
            if (plot := drawn.get("plot")) and not still:
                place = f'<p class="plot-title">{html.escape(drawn["alt"])}</p>'
                place += f'<div class="plot" data-plot="{html.escape(plot)}"></div>'
                data["text/html"] = data["text/html"].replace("<img ", f"{place}<img ", 1)
                interactive = True
            kept.append(output)
        if "outputs" in cell:
            cell.outputs = kept
    return interactive


def _without_noise(text: str) -> str:
    lines = [line.rsplit("\r", 1)[-1] for line in text.split("\n")]
    return "\n".join(line for line in lines if not _NOISE.search(line))


def _export(document: Any, folder: Path) -> str:
    from jinja2 import PackageLoader
    from nbconvert import HTMLExporter

    document.metadata.pop("widgets", None)
    loaders = [PackageLoader("loan_approval.notebooks", "")]
    exporter = HTMLExporter(extra_loaders=loaders, template_file="cells.html.j2", embed_images=True)
    exporter.config.NbConvertBase.display_data_priority = _SHOWN
    # Pieces of one stream are one block.
    exporter.register_preprocessor("nbconvert.preprocessors.CoalesceStreamsPreprocessor", enabled=True)
    body, _ = exporter.from_notebook_node(document, {"metadata": {"path": str(folder)}})
    return body


def _clean(body: str) -> tuple[str, list[dict[str, str]]]:
    """Return the cells without references to other places, and their headings for the contents."""
    from bs4 import BeautifulSoup  # slow to import too

    soup = BeautifulSoup(body, "html.parser")
    for tag in soup.find_all(["script", "link", "base", "meta"]):
        tag.decompose()
    for tag in soup.select("style[data-shown], h1"):  # the page has the style and the title
        tag.decompose()
    for tag in soup.find_all(True):
        for name in [name for name in tag.attrs if name.lower().startswith("on")]:  # the policy stops them anyway
            del tag[name]
        for name in _LOADING & set(tag.attrs):
            is_hyperlink = tag.name in ("a", "area") and name.endswith("href")
            if not is_hyperlink and (name == "srcset" or _EXTERNAL.match(tag[name])):
                del tag[name]
        if "style" in tag.attrs:
            tag["style"] = _EXTERNAL_IN_CSS.sub(r"\1\2data:,", tag["style"])
        if tag.name == "style" and tag.string:
            tag.string.replace_with(_EXTERNAL_IN_CSS.sub(r"\1\2data:,", tag.string))
    headings = soup.select(".text_cell h2[id]")
    return str(soup), [{"id": each["id"], "text": each.get_text().rstrip("¶")} for each in headings]

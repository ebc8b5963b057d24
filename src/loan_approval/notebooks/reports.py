"""Reports: notebooks as HTML that opens without a network, and the page that links them all."""

import html
import re
from datetime import UTC, datetime
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from serve.files import write_atomically

if TYPE_CHECKING:
    from bs4 import BeautifulSoup

# The policy is the guarantee, whatever a cell's output holds; stripping keeps dead references out of the file.
_TEMPLATE = """
{%- extends "lab/index.html.j2" -%}
{%- block html_head_js -%}
<meta http-equiv="Content-Security-Policy"
      content="default-src 'self' file: data: blob: 'unsafe-inline'; base-uri 'none'; form-action 'none'">
{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block html_head_css -%}
<style>
body.jp-Notebook { max-width: 1100px; margin: 0 auto; }
details.source > summary { cursor: pointer; color: #757575; font-size: 12px; }
</style>
{%- endblock -%}
{%- block input -%}
{%- set failed = cell.outputs | selectattr("output_type", "equalto", "error") | list -%}
<details class="source"{{ " open" if failed }}><summary>Code</summary>{{ super() }}</details>
{%- endblock -%}
"""
# No JavaScript, widget or mermaid output: all need a script from elsewhere, and each has a plain form beside it.
_SHOWN = ["text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/latex", "text/plain"]

_EXTERNAL = re.compile(r"\s*([a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
_EXTERNAL_IN_CSS = re.compile(r"""(@import\s+|url\(\s*)(["']?)([a-z][a-z0-9+.-]*:)?//[^)"';]*""", re.IGNORECASE)
_LOADING = {"action", "background", "data", "formaction", "href", "ping", "poster", "src", "srcset", "xlink:href"}

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Reports</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }}
h2 {{ margin-top: 2rem; font-size: 1.1rem; }}
table {{ width: 100%; border-collapse: collapse; }}
td {{ padding: .4rem 0; border-top: 1px solid #ddd; }}
td + td {{ text-align: right; color: #666; white-space: nowrap; }}
</style>
</head>
<body>
<h1>Reports</h1>
{body}
</body>
</html>
"""


def write_html(notebook: Path, path: Path) -> None:
    """Write a notebook as one HTML file that loads nothing: its code folded, its first heading as title.

    Formulas stay TeX, for typesetting them takes a script from elsewhere.
    """
    import nbformat  # these three are slow to import, and most commands write no report
    from bs4 import BeautifulSoup
    from jinja2 import DictLoader
    from nbconvert import HTMLExporter

    document = nbformat.read(notebook, as_version=4)
    document.metadata["title"] = _heading(document.cells) or notebook.stem
    document.metadata.pop("widgets", None)
    _settle_progress(document.cells)
    exporter = HTMLExporter(
        extra_loaders=[DictLoader({"report.html.j2": _TEMPLATE})], template_file="report.html.j2", embed_images=True
    )
    exporter.config.NbConvertBase.display_data_priority = _SHOWN
    page, _ = exporter.from_notebook_node(document, {"metadata": {"path": str(notebook.parent)}})
    soup = BeautifulSoup(page, "html.parser")
    _strip_external(soup)
    write_atomically(path, str(soup).encode())


def write_index(reports: Path) -> Path:
    """Write `index.html`, which links every HTML file below a folder by sub-folder and name; return its path."""
    index = reports / "index.html"
    pages = [page.relative_to(reports) for page in reports.rglob("*.html") if page != index]
    shown = [page for page in pages if not any(part.startswith(".") for part in page.parts)]
    shown.sort(key=lambda page: (page.parent, page.name))
    sections = []
    for folder, members in groupby(shown, lambda page: page.parent):
        heading = f"<h2>{html.escape(folder.as_posix())}</h2>\n" if folder != Path() else ""
        rows = "\n".join(_row(reports, page) for page in members)
        sections.append(f"{heading}<table>\n{rows}\n</table>")
    body = "\n".join(sections) or "<p>There are no reports yet.</p>"
    write_atomically(index, _PAGE.format(body=body).encode())
    return index


def _row(reports: Path, page: Path) -> str:
    made = datetime.fromtimestamp((reports / page).stat().st_mtime, UTC)
    name = page.with_suffix("").name
    link = f'<a href="{quote(page.as_posix())}">{html.escape(name)}</a>'
    return f"<tr><td>{link}</td><td>{made:%Y-%m-%d %H:%M} UTC</td></tr>"


def _settle_progress(cells: list) -> None:
    """Keep of each line what a terminal shows in the end: a progress bar overwrites itself."""
    for cell in cells:
        outputs = cell.get("outputs", [])
        for before, output in pairwise(list(outputs)):
            if before.output_type == output.output_type == "stream" and before.name == output.name:
                output.text = before.text + output.text
                outputs.remove(before)
        for output in outputs:
            if output.output_type == "stream":
                output.text = "\n".join(line.rsplit("\r", 1)[-1] for line in output.text.rstrip("\r").split("\n"))


def _heading(cells: list) -> str | None:
    for cell in cells:
        found = re.search(r"^#{1,6}\s+(.+?)\s*#*$", cell.source, re.MULTILINE)
        if cell.cell_type == "markdown" and found:
            return re.sub(r"[*`]", "", found[1])
    return None


def _strip_external(soup: "BeautifulSoup") -> None:
    for tag in soup.find_all(["script", "link", "base"]):
        if _EXTERNAL.match(tag.get("src") or tag.get("href") or ""):
            tag.decompose()
    for tag in soup.find_all(True):
        for name in _LOADING & set(tag.attrs):
            is_hyperlink = tag.name in ("a", "area") and name.endswith("href")
            if not is_hyperlink and (name == "srcset" or _EXTERNAL.match(tag[name])):
                del tag[name]
        if "style" in tag.attrs:
            tag["style"] = _EXTERNAL_IN_CSS.sub(r"\1\2data:,", tag["style"])
        if tag.name == "style" and tag.string:
            tag.string.replace_with(_EXTERNAL_IN_CSS.sub(r"\1\2data:,", tag.string))

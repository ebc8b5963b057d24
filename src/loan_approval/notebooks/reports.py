"""Reports: notebooks as HTML that opens without a network, and the page that links them all."""

import re
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from serve.files import write_atomically

# No JavaScript, widget or mermaid output: all need a script from elsewhere, and each has a plain form beside it.
_SHOWN = ["text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/latex", "text/plain"]

_EXTERNAL = re.compile(r"\s*([a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
_EXTERNAL_IN_CSS = re.compile(r"""(@import\s+|url\(\s*)(["']?)([a-z][a-z0-9+.-]*:)?//[^)"';]*""", re.IGNORECASE)
_LOADING = {"action", "background", "data", "formaction", "href", "ping", "poster", "src", "srcset", "xlink:href"}


def write_html(notebook: Path, path: Path) -> None:
    """Write a notebook as one HTML file that loads nothing: its code folded, its first heading as title.

    The template's Content-Security-Policy guarantees that, whatever a cell's output holds; references to other places
    are removed as well. Formulas stay TeX, because typesetting them takes a script from elsewhere.
    """
    import nbformat  # these are slow to import, and most commands write no report
    from jinja2 import PackageLoader
    from nbconvert import HTMLExporter

    document = nbformat.read(notebook, as_version=4)
    document.metadata["title"] = _heading(document.cells) or notebook.stem
    document.metadata.pop("widgets", None)
    loaders = [PackageLoader("loan_approval.notebooks", "")]
    exporter = HTMLExporter(extra_loaders=loaders, template_file="report.html.j2", embed_images=True)
    exporter.config.NbConvertBase.display_data_priority = _SHOWN
    # A progress bar overwrites itself: show what a terminal shows in the end.
    exporter.register_preprocessor("nbconvert.preprocessors.CoalesceStreamsPreprocessor", enabled=True)
    page, _ = exporter.from_notebook_node(document, {"metadata": {"path": str(notebook.parent)}})
    write_atomically(path, _strip_external(page).encode())


def write_index(reports: Path) -> Path:
    """Write `index.html`, which links every HTML file below a folder by sub-folder and name; return its path."""
    from jinja2 import Environment, PackageLoader  # slow to import

    index = reports / "index.html"
    pages = [page.relative_to(reports) for page in reports.rglob("*.html") if page != index]
    pages = [page for page in pages if not any(part.startswith(".") for part in page.parts)]
    pages.sort(key=lambda page: (page.parent, page.name))
    folders = [
        (folder.as_posix(), [_describe_page(reports, page) for page in members])
        for folder, members in groupby(pages, lambda page: page.parent)
    ]
    loader = PackageLoader("loan_approval.notebooks", "")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, keep_trailing_newline=True)
    text = environment.get_template("reports_index.html.j2").render(folders=folders)
    write_atomically(index, text.encode())
    return index


def _describe_page(reports: Path, page: Path) -> dict[str, str]:
    time = datetime.fromtimestamp((reports / page).stat().st_mtime, UTC)
    return {"link": quote(page.as_posix()), "name": page.with_suffix("").name, "time": f"{time:%Y-%m-%d %H:%M}"}


def _heading(cells: list) -> str | None:
    for cell in cells:
        heading = re.search(r"^#{1,6}\s+(.+?)\s*#*$", cell.source, re.MULTILINE)
        if cell.cell_type == "markdown" and heading:
            return re.sub(r"[*`]", "", heading[1])
    return None


def _strip_external(page: str) -> str:
    from bs4 import BeautifulSoup  # slow to import too

    soup = BeautifulSoup(page, "html.parser")
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
    return str(soup)

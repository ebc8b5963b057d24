"""The front page of the reports: a card for each data set, made from what lies in the folder and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from loan_approval.notebooks.summary import FAILED, read_summary, time_words
from loan_approval.pages.frame import read_part, render_page
from serve.files import write_atomically

# In the order of the work; what is none of these comes after them.
STEPS = ("01_explore", "05_check_data", "02_train", "03_validate", "card", "04_monitor")
_MOST_PICTURES = 2
_MOST_EARLIER = 20


@dataclass(frozen=True)
class Page:
    """A page of the reports: its link from the front page, and its summary, {} where it has none."""

    name: str
    link: str
    time: str
    summary: dict[str, Any]

    @property
    def facts(self) -> dict[str, str]:
        """What the page says of itself, such as version and verdict."""
        return self.summary.get("facts", {})

    @property
    def unfinished(self) -> bool:
        """Whether the run that made it stopped early."""
        return self.name.endswith(FAILED)


def write_index(reports: Path) -> Path:
    """Write `index.html` with a card for each folder of reports; return its path."""
    index = reports / "index.html"
    paths = [page.relative_to(reports) for page in reports.rglob("*.html") if page != index]
    paths = [path for path in paths if not any(part.startswith(".") for part in path.parts)]
    paths.sort(key=lambda path: (path.parent, _place(path.stem), path.name))
    folders = [
        _describe_folder(folder.as_posix(), [_describe_page(reports, path) for path in members])
        for folder, members in groupby(paths, lambda path: path.parent)
    ]
    styles, scripts = [read_part("notebooks/parts.css")], [read_part("notebooks/page.js")]
    page = render_page("notebooks/index.html.j2", styles, scripts, title="Reports", folders=folders)
    write_atomically(index, page.encode())
    return index


def _place(name: str) -> int:
    """Return a page's place in the order of the work; a page named after a step stands beside it."""
    return next((place for place, step in enumerate(STEPS) if name.startswith(step)), len(STEPS))


def _describe_page(reports: Path, path: Path) -> Page:
    summary, modified = read_summary(reports / path), (reports / path).stat().st_mtime
    time = summary.get("facts", {}).get("time") or time_words(datetime.fromtimestamp(modified, UTC))
    return Page(path.with_suffix("").name, quote(path.as_posix()), time, summary)


def _describe_folder(name: str, pages: list[Page]) -> dict[str, Any]:
    finished = {page.name: page for page in pages if not page.unfinished}
    judged = [finished[step] for step in ("03_validate", "02_train") if step in finished]
    card = finished.get("card")
    pictures = [picture for page in judged for picture in page.summary.get("pictures", [])]
    return {
        "name": name,
        "pages": pages,
        "head": next((page for page in judged if page.summary), None),
        "card": card.summary if card else {},
        "version": (card or (judged[0] if judged else Page("", "", "", {}))).facts.get("version", ""),
        "pictures": pictures[:_MOST_PICTURES],
        "findings": [(page, page.summary["findings"]) for page in finished.values() if page.summary.get("findings")],
        "earlier": sorted(_earlier(finished.values()), key=lambda run: run.get("time", ""), reverse=True),
    }


def _earlier(pages: Any) -> Iterator[dict[str, str]]:
    for page in pages:
        for run in page.summary.get("earlier", [])[:_MOST_EARLIER]:
            yield {"report": page.name, **run}

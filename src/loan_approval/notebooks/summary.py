"""What a report says in short: taken from an executed notebook, kept as JSON beside the report for the front page."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loan_approval import project
from loan_approval.errors import DataError
from serve.files import write_atomically

RESULT_MIME = "application/vnd.loan-approval.result+json"
HEADER_MIME = "application/vnd.loan-approval.header+json"
FIGURE_MIME = "application/vnd.loan-approval.figure+json"
FAILED = ".failed"  # before the suffix of the report of a run that did not finish
MOST_EARLIER = 20  # runs that a summary remembers
_SUFFIX = ".summary.json"
_REMEMBERED = ("time", "model", "version", "verdict", "commit")


def summarize(document: Any, name: str, unfinished: str = "") -> dict[str, Any]:
    """Return title, `facts`, `tiles`, `findings`, `gates` and `pictures` of an executed notebook (nbformat's).

    A notebook that shows no header, or did not finish, gets one with its data set, time and commit.   name: the title
    without a heading.   unfinished: where the run stopped, "" when it finished.
    """
    outputs = list(_outputs(document))
    headers = [data[HEADER_MIME] for data in outputs if HEADER_MIME in data]
    figures = [data[FIGURE_MIME] for data in outputs if FIGURE_MIME in data]
    header = headers[-1] if headers and not unfinished else _make_header(document)
    pictures = [{key: figure[key] for key in ("alt", "picture")} for figure in figures if "picture" in figure]
    return {"title": _heading(document.cells) or name, **header, "pictures": pictures, "unfinished": unfinished}


def time_words(moment: datetime) -> str:
    """Return a moment as reports show it."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def write_summary(summary: Mapping[str, Any], page: Path) -> None:
    """Write a summary beside its page, with the runs that earlier pages of this name were made by."""
    earlier = []
    if before := read_summary(page):
        facts = before.get("facts", {})
        earlier = [{key: facts[key] for key in _REMEMBERED if key in facts}, *before.get("earlier", [])]
    document = {**summary, "earlier": earlier[:MOST_EARLIER]}
    write_atomically(page.with_suffix(_SUFFIX), json.dumps(document, ensure_ascii=False).encode())


def read_summary(page: Path) -> dict[str, Any]:
    """Return the summary beside a page, {} where there is none that can be read."""
    try:
        summary = json.loads(page.with_suffix(_SUFFIX).read_bytes())
    except (OSError, ValueError):
        return {}
    return summary if isinstance(summary, dict) else {}


def remove_page(page: Path) -> None:
    """Remove a page, its notebook and its summary, where they are there."""
    for suffix in (".html", ".ipynb", _SUFFIX):
        page.with_suffix(suffix).unlink(missing_ok=True)


def failed_page(page: Path) -> Path:
    """Return where the page of a run that did not finish lies: beside the last good one."""
    return page.with_name(f"{page.stem}{FAILED}{page.suffix}")


def published(document: Any, where: Path) -> dict[str, Any]:
    """Return what an executed notebook (nbformat's) published last. Raises DataError when it published nothing."""
    results = [data[RESULT_MIME] for data in _outputs(document) if RESULT_MIME in data]
    if not results:
        raise DataError(f"{where}: no result, expected a call of publish() in the last cell")
    return results[-1]


def digest_code(document: Any) -> str:
    """Return the SHA-256 of a notebook's code cells (nbformat's), by which a page tells which code has made it.

    Neither outputs nor the parameters that a run was given count.
    """
    given = "injected-parameters"
    code = [cell for cell in document.cells if cell.cell_type == "code"]
    sources = [cell.source for cell in code if given not in cell.metadata.get("tags", [])]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()


def _outputs(document: Any) -> Iterator[Mapping[str, Any]]:
    for cell in document.cells:
        for output in cell.get("outputs", []):
            yield output.get("data", {})


def _make_header(document: Any) -> dict[str, Any]:
    recorded = document.metadata.get("papermill", {})
    parameters = recorded.get("default_parameters", {}) | recorded.get("parameters", {})
    dataset = {"dataset": Path(parameters["dataset"]).name} if parameters.get("dataset") else {}
    ended = recorded.get("end_time")
    time = time_words(datetime.fromisoformat(ended) if ended else datetime.now(UTC))
    facts = {**dataset, "time": time, "commit": project.git_state()["commit"][:12]}
    return {"facts": facts, "tiles": [], "gates": [], "findings": []}


def _heading(cells: list) -> str | None:
    for cell in cells:
        heading = re.search(r"^#{1,6}\s+(.+?)\s*#*$", cell.source, re.MULTILINE)
        if cell.cell_type == "markdown" and heading:
            return re.sub(r"[*`]", "", heading[1])
    return None

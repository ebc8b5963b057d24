"""Shows a header, tables, sentences and figures, alike in JupyterLab and in the report.

Each function displays what it makes: HTML for both, plain text for a terminal, and data that the report finds by their
type. A report shows the header above everything else.
"""

import base64
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from itertools import chain
from typing import Any

import pandas as pd
from IPython.display import display
from matplotlib.figure import Figure
from PIL import Image

from loan_approval import project
from loan_approval.data.wording import LANGUAGE, feature_names
from loan_approval.notebooks.interactive import draw
from loan_approval.notebooks.summary import FIGURE_MIME, HEADER_MIME, time_words
from serve.contract.contract import Contract
from serve.contract.numbers import write_number

MOST_ROWS = 200  # of one table
_COLOURS = 64  # of a still: lines on white need no more, and take a third of the bytes
_DOTS = 144  # an inch, for screens with more than one dot a pixel


def header(
    dataset: str,
    tiles: Sequence[tuple[str, ...]],
    findings: Sequence[str],
    gates: Sequence[Mapping[str, Any]] = (),
    **facts: str,
) -> None:
    """Show what a report begins with; commit and time are added.

    tiles: (name, value) or (name, value, note) of what matters most.   findings: sentences.   gates: `name`, `passed`,
    `words`, and where there is one `found` and `limit`.   facts: such as `model`, `version`, `verdict`.
    """
    facts = {
        "dataset": dataset,
        **facts,
        "time": time_words(datetime.now(UTC)),
        "commit": project.git_state()["commit"][:12],
    }
    tiles = [dict(zip(("name", "value", "note"), tile, strict=False)) for tile in tiles]
    document = {"facts": facts, "tiles": tiles, "findings": list(findings), "gates": [dict(gate) for gate in gates]}
    text = [f"{name}: {value}" for name, value in facts.items()]
    text += [f"{tile['name']}: {tile['value']}" for tile in tiles]
    _display(_render("header", header=document), "\n".join(text), {HEADER_MIME: document})


def table(
    rows: pd.DataFrame | Mapping[str, Any] | Iterable[Mapping[str, Any]],
    columns: Mapping[str, str] | None = None,
    contract: Contract | None = None,
    formats: Mapping[str, str] | None = None,
    caption: str = "",
) -> None:
    """Show a table with rounded numbers, intervals in one cell, and the contract's labels in place of its columns.

    rows: a mapping becomes two columns, name and value.   columns: those to show with their headings; None: all.
    formats: of a column's numbers, such as "{:.1%}".
    """
    records = _records(rows)
    columns = columns or {key: key.replace("_", " ") for key in dict.fromkeys(chain.from_iterable(records))}
    names, formats = _words(contract), formats or {}
    cells = [[_cell(record.get(key), names, formats.get(key, "")) for key in columns] for record in records[:MOST_ROWS]]
    left_out = max(0, len(records) - MOST_ROWS)
    text = pd.DataFrame([[cell["text"] for cell in row] for row in cells], columns=list(columns.values()))
    html = _render("table", columns=list(columns.values()), rows=cells, caption=caption, left_out=left_out)
    _display(html, text.to_string(index=False) if len(text) else "no rows")


def say(*sentences: str) -> None:
    """Show computed sentences, a paragraph each."""
    _display(_render("sentences", sentences=sentences), "\n".join(sentences))


def figure(still: Figure | None, *sentences: str, front: bool = False) -> None:
    """Show a figure above computed sentences that say what it says here; the report can zoom into it.

    still: None where there is nothing to draw.   front: whether the front page shows it.
    """
    if still is None:
        say(*sentences)
        return
    picture = base64.b64encode(_picture(still)).decode()
    alt = "; ".join(filter(None, [axes.get_title() for axes in still.axes])) or "figure"
    width = round(still.get_figwidth() * 96)
    html = _render("figure", picture=picture, alt=alt, width=width, sentences=sentences)
    data = {"alt": alt, "plot": draw(still)} | ({"picture": picture} if front else {})
    _display(html, "\n".join([alt, *sentences]), {FIGURE_MIME: data})


def _words(contract: Contract | None) -> dict[str, str]:
    """Return the words for all that a cell may hold of a contract: features, their units and values, labels."""
    if contract is None:
        return {}
    tables = [contract.target.words, *(each.words for each in contract.features)]
    return dict(chain.from_iterable(table.get(LANGUAGE, {}).items() for table in tables)) | feature_names(contract)


def shown(value: object, form: str = "") -> str:
    """Return a value as a reader wants it: four significant digits, thousands separated, an interval in brackets."""
    if is_dataclass(value) and hasattr(value, "low"):
        value = asdict(value)
    match value:
        case {"value": middle, "low": low, "high": high}:
            middle, low, high = (shown(each, form or "{:.3f}") for each in (middle, low, high))
            return f"{middle} [{low}, {high}]"
        case None | float() if value is None or not math.isfinite(value):
            return "–"
        case bool():
            return "yes" if value else "no"
        case int() | float() if form:
            return form.format(value)
        case int() | float():
            return write_number(value)
        case Mapping():
            pairs = (f"{key.replace('_', ' ')} {shown(each, form)}" for key, each in value.items())
            return "; ".join(pairs) or "none"
        case list() | tuple():
            return ", ".join(shown(each, form) for each in value) or "none"
    return str(value)


def _records(rows: pd.DataFrame | Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    match rows:
        case pd.DataFrame():
            return rows.astype(object).where(rows.notna(), None).to_dict("records")
        case Mapping():
            return [{"name": key.replace("_", " "), "value": value} for key, value in rows.items()]
    return list(rows)


def _cell(value: object, names: Mapping[str, str], form: str) -> dict[str, Any]:
    if hasattr(value, "item"):  # numpy's
        value = value.item()
    middle = value.get("value") if isinstance(value, Mapping) else getattr(value, "value", value)
    is_number = isinstance(middle, int | float) and not isinstance(middle, bool)
    text = names.get(value, value) if isinstance(value, str) else shown(value, form)
    return {"text": text, "order": middle if is_number and math.isfinite(middle) else None}


def _picture(still: Figure) -> bytes:
    full, small = io.BytesIO(), io.BytesIO()
    still.savefig(full, format="png", dpi=_DOTS)
    with Image.open(full) as picture:
        picture.convert("RGB").quantize(_COLOURS).save(small, format="png", optimize=True)
    return small.getvalue()


def _display(html: str, text: str, data: Mapping[str, Any] | None = None) -> None:
    display({"text/html": f"<style data-shown>{_style()}</style>{html}", "text/plain": text, **(data or {})}, raw=True)


@cache
def _style() -> str:
    return files("loan_approval.notebooks").joinpath("parts.css").read_text(encoding="utf-8")


@cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader

    loader = PackageLoader("loan_approval.notebooks", "")
    return Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)


def _render(macro: str, **values: object) -> str:
    return str(getattr(_environment().get_template("parts.html.j2").module, macro)(**values)).strip()

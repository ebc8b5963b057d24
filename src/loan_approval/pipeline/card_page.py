"""Writes a version's model card among the reports, with a summary for the front page."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loan_approval.data.datasets import dataset_folder
from loan_approval.notebooks.index import write_index
from loan_approval.notebooks.run import NotebookRun
from loan_approval.notebooks.summary import time_words, write_summary
from loan_approval.registry import history, tracking
from loan_approval.registry.card import standing
from serve.files import write_atomically

MOST_EVENTS = 10  # of the record of promotions, on the front page
HISTORY = ("at", "event", "version", "by", "reason")


def write_card(version: tracking.Version, dataset: str, folder: Path) -> None:
    """Write a version's model card, if it has one, as `card.html` among the reports, and its summary beside it."""
    _write(version, folder / dataset_folder(dataset).name / "card.html")
    write_index(folder)


def write_card_of(run: NotebookRun) -> None:
    """Write the card of the version that a run has judged, beside its report."""
    if "verdict" in run.result and "version" in run.result:
        version = tracking.find_version(run.result["name"], run.result["version"])
        _write(version, run.html.with_name("card.html"))


def _write(version: tracking.Version, page: Path) -> None:
    if (text := tracking.load_metadata(version).get("card")) is not None:
        write_atomically(page, text.encode())
        write_summary(_summarize(version), page)


def _summarize(version: tracking.Version) -> dict[str, Any]:
    events = history.read(version.name)
    record = standing(version.number, events)
    words = {"current": "In production", "former": "No longer in production", "never": "Never in production"}
    sentence = f"{words[record['state']]} by the record"
    if event := record["event"]:
        sentence += f": {event['event']} at {event['at']} by {event['by']}"
    facts = {"version": version.number, "verdict": version.verdict, "time": time_words(datetime.now(UTC))}
    shown = [{key: event.get(key) or "–" for key in HISTORY} for event in reversed(events[-MOST_EVENTS:])]
    title = f"Model card of version {version.number}"
    return {"title": title, "facts": facts, "standing": f"Version {version.number}: {sentence}.", "history": shown}

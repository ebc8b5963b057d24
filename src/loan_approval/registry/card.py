"""Renders the model card and risk file: one HTML page without external resources, made only from recorded values.

Its headings follow the guidance that its last section names. It lists the topics that were not examined.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from loan_approval.data.wording import LANGUAGE, tell_apart, write_span
from loan_approval.evaluation.fairness import OF_LABEL
from loan_approval.evaluation.metrics import MEASURES
from loan_approval.pages.frame import read_part, render_page
from loan_approval.registry.history import SHADOW_EVENTS
from serve.contract.feature import Feature
from serve.contract.numbers import write_number
from serve.contract.words import translate
from serve.model.scorer import TOLERANCE, Scorer

TABLE_ROWS = 60  # of one table; the whole is in the metadata
MOST_EVENTS = 50  # of the history, the newest
# The topics of the evidence, with the names under which the card lists missing ones.
TOPICS = {
    "data": "rows by split",
    "intervals": "intervals of the metrics",
    "signal": "learning curve and repeats",
    "calibration": "calibration",
    "slices": "where it fails",
    "baseline": "comparison with the constant baseline",
    "costs": "thresholds and costs",
    "champion": "comparison with the version in production",
    "monotone": "declared directions",
    "age": "treatment of age",
    "fairness": "fairness by group",
    "reasons": "check of the reasons",
}


def documents_of(scorer: Scorer) -> dict[str, Any]:
    """Return the documents of a model file that `render_card` takes."""
    contract = scorer.contract.to_dict()
    return {"contract": contract, "decision": scorer.decision_rule, "provenance": scorer.provenance}


def render_card(documents: Mapping[str, Any], metadata: Mapping[str, Any], history: Sequence[Mapping[str, str]]) -> str:
    """Return the card as HTML; the same input gives the same text.

    documents: `contract`, `decision` and `provenance` of the model file.   metadata: as recorded with the verdict, and
    `name`, `version`, `run` of the version.   history: the events of the registered model, oldest first.
    """
    evidence, features = metadata.get("evidence") or {}, documents["contract"]["feature"]
    return render_in_style(
        "registry/card.html.j2",
        **documents,
        metadata=metadata,
        evidence=evidence,
        titles=tell_apart(
            {each["name"]: (each.get("reason") or {}).get(LANGUAGE) or each["name"] for each in features}
        ),
        missing=[title for topic, title in TOPICS.items() if topic not in evidence],
        other={topic: content for topic, content in evidence.items() if topic not in {*TOPICS, "statement"}},
        gates={gate.get("name"): gate for gate in metadata.get("gates") or []},
        history=history[-MOST_EVENTS:],
        earlier=max(0, len(history) - MOST_EVENTS),
        standing=standing(str(metadata.get("version")), history),
        points=reliability_points(evidence.get("calibration")),
        curve=cost_curve_points(evidence.get("costs")),
        most_rows=TABLE_ROWS,
        of_label=OF_LABEL,
        tolerance=TOLERANCE,
    )


def render_in_style(template: str, **values: object) -> str:
    """Return the page of a template of this side in the card's style."""
    return render_page(template, [read_part("registry/card.css")], filters=FILTERS, tests=TESTS, **values)


def _write_allowed(table: Mapping[str, Any]) -> str:
    feature = Feature.from_dict(table)
    return write_span(feature, feature.values or (feature.min, feature.max))


def add_card(
    metadata: Mapping[str, Any], scorer: Scorer, version: Mapping[str, str], history: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    """Return the metadata with its card, new or renewed.   version: its `name`, `version` and `run`."""
    rest = {key: value for key, value in metadata.items() if key != "card"}
    about = {"sha256": scorer.sha256} | rest | dict(version)
    return rest | {"card": render_card(documents_of(scorer), about, history)}


def standing(version: str, history: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return whether a version is in production by the record: `state` (current, former, never) and its `event`."""
    carried_out: list[Mapping[str, str]] = []
    for event in history:
        if event.get("event") in SHADOW_EVENTS:
            continue
        if event.get("event") != "not carried out":
            carried_out.append(event)
        elif carried_out:
            carried_out.pop()
    own = [event for event in carried_out if event.get("version") == version]
    if not own:
        return {"state": "never", "event": None}
    state = "current" if carried_out[-1] is own[-1] else "former"
    return {"state": state, "event": own[-1], "after": carried_out[-1].get("version")}


def reliability_points(calibration: object) -> list[tuple[float, float]]:
    """Return (predicted, observed) of each bin that has both as shares, for the figure."""
    bins = calibration.get("bins") if isinstance(calibration, Mapping) else None
    pairs = [(b.get("predicted"), b.get("observed")) for b in bins or [] if isinstance(b, Mapping)]
    return [pair for pair in pairs if all(isinstance(x, int | float) and 0 <= x <= 1 for x in pair)]


def cost_curve_points(costs: object) -> list[tuple[float, float, float]]:
    """Return (threshold, cost over the highest cost, approval rate) of each complete step, empty for fewer than two."""
    steps = costs.get("curve") if isinstance(costs, Mapping) else None
    keys = ("threshold", "cost", "approval_rate")
    rows = [tuple(step.get(key) for key in keys) for step in steps or [] if isinstance(step, Mapping)]
    whole = [row for row in rows if all(isinstance(x, int | float) and math.isfinite(x) and x >= 0 for x in row)]
    highest = max((cost for _, cost, _ in whole), default=0)
    if len(whole) < 2 or not highest or any(t > 1 or rate > 1 for t, _, rate in whole):
        return []
    return [(t, cost / highest, rate) for t, cost, rate in whole]


def shown(value: object) -> str:
    """Return a single value as text: four significant digits, thousands separators."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return write_number(value) if isinstance(value, int | float) else str(value)


FILTERS = {
    "shown": shown,
    "allowed": _write_allowed,
    "say": lambda text, table: translate(table.get("words") or {}, text, "en") if text else text,
    "words": lambda key: str(key).replace("_", " "),
    "measure": lambda key: MEASURES.get(key, key.replace("_", " ")),
    "names": lambda features: ", ".join(feature["name"] for feature in features),
    "union_of_keys": lambda rows: list(dict.fromkeys(chain.from_iterable(rows))),  # in order of first appearance
}
TESTS = {
    "interval": lambda value: isinstance(value, Mapping) and {"low", "high"} <= value.keys(),
    "list": lambda value: isinstance(value, list | tuple),
}

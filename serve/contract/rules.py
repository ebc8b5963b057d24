"""The rules of a contract document; the result is a list of every problem."""

from collections.abc import Mapping
from typing import Any

from serve.contract.feature import Feature
from serve.contract.feature_rules import ANOTHER_DATE, feature_problems
from serve.contract.shape import are_texts, shape_problems
from serve.contract.words import WORDS, words_problems

FORMAT = 1
MEANINGS = ("past_decision", "repaid")
# The kind of each key's value.
_TOP = {"format": "a whole number", **dict.fromkeys(("model_name", "experiment", "split_salt"), "text")}
_TOP |= {"target": "a table", "feature": "a list"}
_SOURCE = {
    **{"encoding": "text", "separator": "text", "names": "a list", "decimal_comma": "a list"},
    "rows_above": "a whole number",
    **{"missing": "a table", "left_out": "a table", "dates": "a table"},
    **dict.fromkeys(("notes_below", "drop_unlabelled"), "true or false"),
}
_SPLIT = {"by": "text"}
_TARGET = {"name": "text", "meaning": "text", "positive": "text or a whole number", "labels": "a table"}


def contract_problems(document: Any) -> list[str]:
    """Return the problems of a contract document, empty if there are none."""
    if not isinstance(document, Mapping):
        return ["expected a table"]
    if problems := shape_problems(document, _TOP | {"source": "a table", "split": "a table"}, _TOP, ""):
        return problems
    problems += _source_problems(document.get("source") or {})
    if (split := document.get("split")) is not None:
        problems += shape_problems(split, _SPLIT, _SPLIT, "split.")
    if not 1 <= document["format"] <= FORMAT:
        problems.append(f"format {document['format']} is not known here, expected 1 to {FORMAT}")
    problems += _target_problems(document["target"])
    for number, feature in enumerate(document["feature"], 1):
        problems += feature_problems(feature, number)
    if problems:
        return problems
    features, target = list(map(Feature.from_dict, document["feature"])), document["target"]["name"]
    by = (document.get("split") or {}).get("by")
    if by in ("", target, *(feature.name for feature in features)):
        problems.append('split.by: expected "values", "row", or a column that is neither the target nor a feature')
    return problems + _whole_problems(target, features)


def _source_problems(source: Any) -> list[str]:
    problems = shape_problems(source, _SOURCE, (), "source.")
    texts = {key: source.get(key, []) for key in ("names", "decimal_comma")}
    texts |= {f"missing.{name}": cells for name, cells in (source.get("missing") or {}).items()} if not problems else {}
    problems += [f"source.{key}: expected a list of texts" for key, cells in texts.items() if not are_texts(cells)]
    dates = source.get("dates") or {} if not problems else {}
    wrong = [name for name, notation in dates.items() if not isinstance(notation, str)]
    return problems + [f"source.dates.{name}: expected a notation such as DD/MM/YYYY" for name in wrong]


def _target_problems(target: Any) -> list[str]:
    if problems := shape_problems(target, _TARGET | WORDS, _TARGET, "target."):
        return problems
    if target["meaning"] not in MEANINGS:
        problems.append(f"target.meaning: expected {' or '.join(MEANINGS)}")
    labels = target["labels"]
    if len(labels) < 2 or not all(isinstance(text, str) and text for text in labels.values()):
        problems.append("target.labels: expected two entries or more, cell = label text")
    elif len(set(labels.values())) != 2:
        problems.append("target.labels: expected two different texts, one for each decision")
    elif str(target["positive"]) not in labels:
        problems.append(f"target.positive: expected one of {', '.join(labels)}")
    else:
        problems += [f"target.{problem}" for problem in words_problems(target, list(dict.fromkeys(labels.values())))]
    return problems


def _whole_problems(target: str, features: list[Feature]) -> list[str]:
    names = [feature.name for feature in features]
    problems = [f"{name}: declared twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    if target in names:
        problems.append(f"{target}: is the target and a feature")
    if sum(feature.elderly_from is not None for feature in features) > 1:
        problems.append("elderly_from: expected on one feature, the applicant's age")
    dates = {each.name for each in features if each.type == "date" and not each.reference and each.use != "refuse"}
    counted = [each for each in features if each.reference and each.reference not in dates]
    problems += [f"{feature.name}.since: expected a date written YYYY-MM-DD, or {ANOTHER_DATE}" for feature in counted]
    scored = [feature for feature in features if feature.scored]
    if not scored:
        problems.append("no feature is scored")
    # By law a score may use an age if it takes nothing from the elderly, which a gate checks; nothing else protected.
    problems += [
        f'{feature.name}: protected and scored, expected use = "monitor" or "refuse" '
        "(only an age may be both: a number marked with elderly_from)"
        for feature in scored
        if feature.protected and feature.elderly_from is None
    ]
    codes = [feature.code for feature in scored]
    twice = [code for code in dict.fromkeys(codes) if codes.count(code) > 1]
    return problems or [f"reason.code {code}: stands for two features, declare another" for code in twice]

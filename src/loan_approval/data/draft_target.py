"""Drafts the target from its sorted labels: what they tell, and the words for them."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from loan_approval.data.draft_feature import WAS_KNOWN
from loan_approval.data.draft_labels import Labels, is_vague, label_key
from loan_approval.data.notation import TEXT_MARKERS
from loan_approval.data.protected import split_words

Answer = Callable[
    [str, str, tuple[str, ...]], str | None
]  # a question's name, text and choices; the first is the guess
MEANINGS = ("past_decision", "repaid")
_REPAID = re.compile(
    r"(re)?paid.*|repayment|.*default.*|ch(ar)?g.*off|c/o|p\W?i\W?f|current|late|delinquent|good|bad|(in)?adimplente|pago|performing"
)
_KINDS = {
    "past_decision": ("an approval", "past decisions"),
    "repaid": ("a repaid loan", "whether loans were repaid"),
}
TEXTS = {"past_decision": ("Approved", "Denied"), "repaid": ("Repaid", "Defaulted")}
_PORTUGUESE = {"past_decision": ("Aprovado", "Recusado"), "repaid": ("Pago", "Inadimplente")}

IS_LATE = f"It is filled in where {{1}} is known and empty where it is not: {WAS_KNOWN}"
FEWEST_UNLABELLED = 10  # rows by which a column is called late
LATE = 0.9  # more of the rows with a label than of those without have a value
_EMPTY = TEXT_MARKERS | {""}


def find_late_columns(
    header: Sequence[str], labelled: list[list[str]], unlabelled: list[list[str]], target: str
) -> set[str]:
    """Return the columns that are filled in with the label: nearly always where it is known, hardly where it is not.

    None where that holds for half of the columns beside the label: then rows without one are not filled in at all.
    """
    if len(unlabelled) < FEWEST_UNLABELLED:
        return set()
    known, open_ = (
        np.array([_share_filled(cells) for cells in zip(*rows, strict=True)]) for rows in (labelled, unlabelled)
    )
    late = {name for name, gap in zip(header, known - open_, strict=True) if gap >= LATE and name != target}
    return late if 2 * len(late) < len(header) - 1 else set()


def _share_filled(cells: Sequence[str]) -> float:
    return sum(cell.casefold() not in _EMPTY for cell in cells) / len(cells)


def draft_target(name: str, labels: Labels, answer: Answer) -> dict[str, Any]:
    """Return the target's table in the contract, with a question until both the labels and the meaning are answered."""
    every = (*labels.positive, *labels.negative)
    about = labels.is_loss or any(_REPAID.fullmatch(text.casefold()) for text in (*every, name, *split_words(name)))
    guess = MEANINGS[::-1] if about and not labels.is_denial else MEANINGS
    text = "Do the labels tell what an underwriter decided (past_decision) or whether the loan was repaid?"
    meaning = answer("meaning", text, guess)
    table = {"name": name, "meaning": meaning or guess[0], "positive": labels.positive[0]}
    table |= _name_labels(labels, meaning or guess[0])
    if labels.is_guess or meaning is None:
        table["question"] = _describe_guess(name, labels, guess[0])
    return table


def _describe_guess(name: str, labels: Labels, meaning: str) -> str:
    every = (*labels.positive, *labels.negative)
    is_flag = set(map(label_key, every)) == {0.0, 1.0}
    kind, told = _KINDS[meaning]
    about = f"the labels tell {told} (meaning: past_decision or repaid). Right? Then delete this line; if not,"
    if not labels.is_guess:
        return f"A guess: {about} correct the lines above."
    others, remedy = "", "correct the lines above"
    if len(every) > 2 or labels.left_out:
        others = f", {' or '.join(labels.negative)} is not"
        others += f", rows of {' or '.join(labels.left_out)} are left out" if labels.left_out else ""
        remedy = "init again with --replace, --positive, --negative and --missing"
    return (
        f"A guess: {name} = {' or '.join(labels.positive)} is {kind}{others}, and {about} {remedy}."
        + f" In some data sets such a {name} is 1 for {'an approval' if labels.is_loss else 'a default'}."
        * (is_flag and is_vague(name))
    )


def _name_labels(labels: Labels, meaning: str) -> dict[str, Any]:
    """Return `labels`, which the interface answers, and `words`, which readers see.

    Two labels of text are answered as they are written; numbers, and several labels of one class, by their meaning.
    """
    every = (labels.positive, labels.negative)
    as_written = all(len(cells) == 1 and isinstance(label_key(cells[0]), str) for cells in every)
    texts = [cells[0] for cells in every] if as_written else list(TEXTS[meaning])
    words = {"en": TEXTS[meaning], "pt": _PORTUGUESE[meaning]}
    return {
        "labels": {cell: text for cells, text in zip(every, texts, strict=True) for cell in cells},
        "words": {key: dict(zip(texts, said, strict=True)) for key, said in words.items() if list(said) != texts},
    }

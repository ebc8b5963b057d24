"""Drafts the target from its column: which of two labels is an approval, and what the labels tell."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from loan_approval.data.draft_feature import parse_number
from loan_approval.data.notation import MARKERS
from loan_approval.data.protected import split_words
from loan_approval.errors import DataError

Answer = Callable[
    [str, str, tuple[str, ...]], str | None
]  # a question's name, text and choices; the first is the guess
MEANINGS = ("past_decision", "repaid")
_GOOD = re.compile(
    r"y(es)?|t(rue)?|approv.*|accept.*|grant.*|(re)?paid( off)?|fully paid|good|s(im|í|i)?|aprovad.*|bom|pago|"
    r"adimplente|ja|gut|bewilligt|genehmigt|bueno|aprobado|pagado|oui|current|performing|non.?default|no.?default|ok|positive|1"
)
_BAD = re.compile(
    r"no?|f(alse)?|(not|un|non).*|den(y|ied)|reject.*|declin.*|refus.*|bad|default(ed)?|charged?.?off|late|delinquent|n[ãa]o.*|negad.*|"
    r"reprovad.*|recusad.*|mau|inadimplente|nein|schlecht|abgelehnt|malo|rechazado|negado|non|negative"
)
_LOSS = re.compile(
    r"default.*|bad|loss|charge.*|chargeoff|delinq.*|risk|fraud.*|bankrupt.*|inadimpl.*|mora|calote|ausfall.*|verzug|"
    r"impago|dlq.*|seriousdlqin.*|writeoff|npl|late|unpaid|not|non|over(drawn|due)|arrears?|past ?due|"
    r"mahnung|atras.*|moros.*"
)
_DENIAL = re.compile(
    r"reject.*|den(y|ies|ied|ials?)|declin.*|refus.*|negad.*|recusad.*|abgelehnt|ablehnung|rechaz.*|denegad.*"
)
_REPAID = re.compile(
    r"(re)?paid.*|.*default.*|charg.*off|current|late|delinquent|good|bad|(in)?adimplente|pago|performing"
)
_VAGUE = frozenset({"status", "class", "target", "label", "outcome", "y", "response", "result", "flag"})
_KINDS = {
    "past_decision": ("an approval", "past decisions"),
    "repaid": ("a repaid loan", "whether loans were repaid"),
}
TEXTS = {"past_decision": ("Approved", "Denied"), "repaid": ("Repaid", "Defaulted")}


def drop_unlabelled(cells: list[str], missing: Sequence[str] = ()) -> list[int]:
    """Return the rows whose target is missing: empty, a marker beside two other labels, or one of `missing`."""
    labels = {_key(cell) for cell in set(cells) if cell}
    markers = {label for label in labels if isinstance(label, str) and label in MARKERS} if len(labels) > 2 else set()
    markers |= set(map(_key, missing))
    without = {cell for cell in set(cells) if not cell or _key(cell) in markers}
    return [row for row, cell in enumerate(cells) if cell in without] if without else []


def draft_target(where: str, name: str, cells: list[str], answer: Answer) -> tuple[dict[str, Any], np.ndarray]:
    """Return the target's table in the contract, and (n,) codes. Raises DataError unless there are two labels."""
    key_of = {cell: _key(cell) for cell in set(cells)}
    keys = [key_of[cell] for cell in cells]
    # The most frequent spelling of each label stands for it.
    spelled = {key: cell for cell, _ in reversed(Counter(cells).most_common()) for key in (_key(cell),)}
    if len(spelled) != 2:
        shown = ", ".join(f"{cell} ({keys.count(key):,})" for key, cell in sorted(spelled.items(), key=str)[:5])
        more = ", …" if len(spelled) > 5 else ""
        raise DataError(
            f"{where}: {name} holds {len(spelled)} different labels ({shown}{more}), expected two"
            + f": leave out the rows whose decision or loan is still open (--missing '{name}=LABEL' for each label)"
            ", and write the others as two labels" * (len(spelled) > 2)
        )
    parts = split_words(name)
    words = [word.casefold() for word in (name, " ".join(parts), *parts)]
    is_denial = any(map(_DENIAL.fullmatch, words))
    is_loss = is_denial or any(map(_LOSS.fullmatch, words))
    negative, positive = sorted(spelled, key=lambda key: _goodness(key, is_loss))
    chosen = answer("positive", _describe_guess(name, spelled, positive), (spelled[positive], spelled[negative]))
    if chosen is not None and _key(chosen) == negative:
        negative, positive = positive, negative
    about = is_loss or any(_REPAID.fullmatch(str(key)) for key in spelled)
    guess = MEANINGS[::-1] if about and not is_denial else MEANINGS
    text = "Do the labels tell what an underwriter decided (past_decision) or whether the loan was repaid?"
    meaning = answer("meaning", text, guess)
    is_vague = set(spelled) == {0.0, 1.0} and not _VAGUE.isdisjoint(map(str.casefold, split_words(name)))
    texts = {spelled[positive]: spelled[positive], spelled[negative]: spelled[negative]}
    if all(isinstance(key, float) for key in spelled):
        texts = dict(zip(texts, TEXTS[meaning or guess[0]], strict=True))
    table = {"name": name, "meaning": meaning or guess[0], "positive": spelled[positive], "labels": texts}
    if chosen is None or meaning is None:
        table["question"] = (
            f"A guess: {name} = {spelled[positive]} is {_KINDS[guess[0]][0]}, and the labels tell {_KINDS[guess[0]][1]}"
            " (meaning: past_decision or repaid). Right? Then delete this line; if not, correct the lines above."
            + (f" In some data sets such a {name} is 1 for a default." if is_vague else "")
        )
    return table, np.array([int(key == positive) for key in keys])


def _key(cell: str) -> float | str:
    """Return what cells of the same label share: 1, 1.0 and 01 are one, so are Yes and yes."""
    number = parse_number(cell)
    return " ".join(cell.casefold().split()) if number is None else number


def _goodness(key: float | str, is_loss: bool) -> tuple[float, float]:
    """Return a number that is higher for the label that looks like an approval."""
    if isinstance(key, str):
        flag = key in ("y", "yes", "t", "true", "s", "sim", "ja", "si", "sí", "oui") or key in ("n", "no", "f", "false")
        good = bool(_GOOD.fullmatch(key)) - bool(_BAD.fullmatch(key))
        return (-good if flag and is_loss else good), 0
    # Of 1 and 2 the first is usually the good one, as in the German credit data; of 0 and 1 the second is.
    return (-key if is_loss and key in (0.0, 1.0) else float(key == 1.0)), -key


def _describe_guess(name: str, spelled: dict[float | str, str], positive: float | str) -> str:
    shown = " or ".join(spelled.values())
    return f"Which {name} is an approved (or repaid) loan: {shown}? By a guess {spelled[positive]}."

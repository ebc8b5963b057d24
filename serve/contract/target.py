"""The target of a data set: its column, its labels, and the codes of its cells."""

from dataclasses import dataclass, field

from serve.contract.fault import Fault


@dataclass(frozen=True)
class Target:
    """`labels` maps each cell of the target column to one of two texts for clients; `positive` is a cell of code 1.

    Cells with the same text have the same code.   words: for readers in place of these texts, by language.
    """

    name: str
    meaning: str
    positive: str
    labels: dict[str, str]
    words: dict[str, dict[str, str]] = field(default_factory=dict)

    def label(self, code: int) -> str:
        """Return the text for clients of a code, 1 or 0."""
        approved = self.labels[self.positive]
        return approved if code else next(text for text in self.labels.values() if text != approved)

    def encode(self, cell: str) -> float:
        """Return 1.0 for a cell of the positive label and 0.0 for one of the other. Raises Fault."""
        cell = cell.strip()
        for same in (str.__eq__, _is_same_number, _is_same_word):
            for known in self.labels:
                if same(cell, known):
                    return float(self.labels[known] == self.label(1))
        expected = " or ".join(f"{known} ({label})" for known, label in self.labels.items())
        raise Fault("missing" if not cell else "neither label", expected)


def _is_same_number(cell: str, known: str) -> bool:
    try:
        return float(cell) == float(known)
    except ValueError:
        return False


def _is_same_word(cell: str, known: str) -> bool:
    return cell.casefold() == known.casefold()

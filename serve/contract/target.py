"""The target of a data set: its column, its two labels, and the codes of its cells."""

from dataclasses import dataclass

from serve.contract.fault import Fault


@dataclass(frozen=True)
class Target:
    """`labels` maps a cell of the target column to the text for clients; `positive` is the cell of code 1."""

    name: str
    meaning: str
    positive: str
    labels: dict[str, str]

    @property
    def approved(self) -> str:
        """The label of code 1."""
        return self.labels[self.positive]

    def encode(self, cell: str) -> float:
        """Return 1.0 for the positive label and 0.0 for the other. Raises Fault."""
        cell = cell.strip()
        for same in (str.__eq__, _is_same_number, _is_same_word):
            for known in self.labels:
                if same(cell, known):
                    return float(known == self.positive)
        expected = " or ".join(f"{known} ({label})" for known, label in self.labels.items())
        raise Fault("missing" if not cell else "neither label", expected)


def _is_same_number(cell: str, known: str) -> bool:
    try:
        return float(cell) == float(known)
    except ValueError:
        return False


def _is_same_word(cell: str, known: str) -> bool:
    return cell.casefold() == known.casefold()

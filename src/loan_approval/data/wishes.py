"""What an owner says to `init` beside the data, and the answers to its questions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from loan_approval.data.reading import Form
from loan_approval.errors import DataError

Ask = Callable[[str, tuple[str, ...]], str]  # shows a text and choices, the first of which is the guess
LEAKS = "leaks"  # answers for every column that may not have been known before the decision
LEAK_USES = ("leave_out", "monitor")
QUESTIONS = ("positive", "labels", "meaning", "codes", "dates", "since", "split", LEAKS)
USES = ("score", "monitor", "refuse", "leave_out")


@dataclass
class Wishes:
    """What the owner says beside the data. form: of the file.   missing: cells that mean a missing value, by column.
    categories: columns whose numbers are codes.   dates: the notation of a column's dates, as in `dates`.

    positive, negative: labels of an approval, and of its opposite.   answers: to questions, by name of
    `QUESTIONS`, or a column's, then one of `USES`.   ask: asks a person.
    """

    form: Form = field(default_factory=Form)
    answers: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, list[str]] = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    dates: Mapping[str, str] = field(default_factory=dict)
    positive: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    ask: Ask | None = None
    replace: bool = False
    used: set[str] = field(default_factory=set)

    def answer(self, name: str, text: str, choices: tuple[str, ...]) -> str | None:
        """Return the answer to a question, None while it is open. Raises DataError for none of the choices."""
        self.used.add(name)
        given = self.answers.get(name)
        if given is None and self.ask is not None:
            given = self.ask(text, choices)
        if given is None:
            return None
        choice = next((each for each in choices if each.casefold() == given.strip().casefold()), None)
        if choice is None:
            raise DataError(f"--answer {name}={given}: expected {' or '.join(choices)}")
        return choice

"""The gates as a report shows them: the number found beside its limit."""

from collections.abc import Sequence
from typing import Any

from loan_approval.validation.gates import CHANCE, CONFIRMATION_LEVEL, LARGEST_GAP, SIGNAL_LEVEL, Gate, changes_policy

# What is found, and what is required; filled in with the gate's numbers.
_FOUND = {
    "signal": ("AUC at least {auc_low:.3f}", f"above {CHANCE}, p-value at most {SIGNAL_LEVEL:g}"),
    "confirmation": ("p-value {p_value:.4f}", f"at most {CONFIRMATION_LEVEL:g}"),
    "not_worse": ("AUC {auc_low:+.3f}, cost {cost_low:+.3f}", "at least {auc_least:z.3g} and {cost_least:z.3g}"),
    "parity": ("{differing:,.0f} of {rows:,.0f} decisions differ", "none may"),
    "monotone": ("{wrong:,.0f} of {steps:,.0f} steps go wrong", "none may"),
    "age": (
        "{violations:,.0f} of {rows:,.0f} rows, {elderly_named:,.0f} of {elderly_explained:,.0f} reasons",
        "none may",
    ),
    "reasons": ("off by {largest_gap:.1g}", f"at most {LARGEST_GAP:g}"),
}
# What to do where a gate fails.
_ADVICE = {
    "signal": "The features say too little about the label: bring more rows, or features that say more.",
    "confirmation": "New rows are not ranked better than by chance: bring more rows, or features that say more.",
    "not_worse": "Keep the version in production, and train with more rows or another recipe.",
    "parity": "The file does not decide as the trained pipeline: never force it, and report it as a fault.",
    "monotone": "Train a model that keeps to directions, such as hist_gradient_boosting, or ask if they are right.",
    "age": 'Train a model that keeps to directions, or let the contract say use = "monitor" for the age.',
    "reasons": "Some decline could not be explained: choose other costs, or another model.",
}

_ON_POLICY = "Other costs or margins are the risk officer's to decide: promote by force, or train without them."


def make_cards(gates: Sequence[Gate]) -> list[dict[str, Any]]:
    """Return `name`, `passed`, `words` of each gate, with `found` and `limit` where it measured something."""
    return [{"name": _name(gate), "passed": gate.passed, "words": gate.words, **_find(gate)} for gate in gates]


def describe_gates(gates: Sequence[Gate]) -> str:
    """Return how many gates are passed, for a tile."""
    return f"{sum(gate.passed for gate in gates)} of {len(gates)}"


def describe_unexamined(gates: Sequence[Gate]) -> str:
    """Return which gates are passed as there was nothing to examine, for the tile's note; "" for none."""
    idle = [_name(gate) for gate in gates if gate.passed and not gate.numbers]
    return f"nothing to examine for {', '.join(idle)}" if idle else ""


def advise(gates: Sequence[Gate]) -> list[str]:
    """Return for each failed gate what it found and what to do, in sentences."""
    failed = [gate for gate in gates if not gate.passed]
    what_to_do = [_ON_POLICY if changes_policy(gate) else _ADVICE.get(gate.name, "") for gate in failed]
    told = zip(failed, what_to_do, strict=True)
    return [f"Gate {_name(gate)} failed: {gate.words}. {advice}".rstrip() for gate, advice in told]


def _name(gate: Gate) -> str:
    return gate.name.replace("_", " ")


def _find(gate: Gate) -> dict[str, str]:
    wrong = sum(value for name, value in gate.numbers.items() if name.endswith("_violations"))
    least = {name.replace("_allowed", "_least"): -n for name, n in gate.numbers.items() if name.endswith("_allowed")}
    try:
        found, limit = (text.format(**gate.numbers, **least, wrong=wrong) for text in _FOUND[gate.name])
    except KeyError:  # nothing was measured, or by another gate's numbers: the words say what there is
        return {}
    return {
        "found": found,
        "limit": limit + ", production's cost ratio and the project's margins" * changes_policy(gate),
    }

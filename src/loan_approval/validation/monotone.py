"""Proofs from a model file alone: scores keep the contract's directions, and no elderly applicant loses by age.

Each proof moves one feature over its whole range in many real rows, everything else equal, through the server's own
scorer: over every tree's split values (between two of them its score is constant), the ends of the range, an even grid,
and the first `MOST_WHOLE_NUMBERS` values of an integer. Missing values have no order and are outside both proofs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from tqdm import tqdm

from loan_approval.validation.age_reasons import AgeReasons, count_age_reasons
from loan_approval.validation.gates import Gate
from loan_approval.validation.tree_splits import tree_split_values
from serve.contract.feature import Feature
from serve.model.scorer import Scorer

ROWS = 300  # real rows a feature is moved in
MOST_SCORES = 2_000_000  # of one feature: with very many split values, fewer rows are moved
MOST_AT_ONCE = 2_000_000  # cells of the rows scored at once, which bounds the memory
GRID = 200
MOST_WHOLE_NUMBERS = 1000
# Sums in a fixed order stay monotone under rounding, but an exponential need not: near the sigmoid's ends a step may
# lose the last bit or two of a float64. A tree that splits the wrong way loses more.
NOISE = 1e-12
_NO_NAMES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Sweep:
    """The steps of a directed feature between neighbouring values, and the violations: steps against its direction.

    largest: score lost in one violation, 0 when there is none.
    """

    feature: str
    direction: int
    rows: int
    steps: int
    violations: int
    largest: float


@dataclass(frozen=True)
class AgeProof:
    """The rows in which an elderly age scores lower than a younger one (violations), and the smallest margin.

    values: ages tried in each row.   elderly, younger: of the lowest-scoring rows with such an age, how many have age
    among the principal reasons against them.
    """

    attribute: str
    boundary: float
    rows: int
    values: int
    violations: int
    smallest_margin: float
    elderly: AgeReasons
    younger: AgeReasons


def prove_monotone(data: bytes, X: np.ndarray, rows: int = ROWS, seed: int = 0) -> list[Sweep]:
    """Move each feature with a direction over its range in `rows` of the (n, F) real rows, through the model file.

    Raises ModelFileError for a file that does not verify.
    """
    scorer = Scorer(data)
    features = scorer.contract.scored
    directed = [column for column, feature in enumerate(features) if feature.direction]
    split_values = tree_split_values(data, scorer.contract, directed)
    sweeps = []
    for column in tqdm(directed, desc="monotone proof", unit="feature"):
        feature, values = features[column], sweep_values(features[column], split_values[column])
        base = _draw_rows(X, rows, len(values), seed)
        losses = [-feature.direction * np.diff(p).ravel() for p in _sweep(scorer, base, column, values)]
        loss = np.concatenate([[], *losses])
        violations, largest = int(np.sum(loss > NOISE)), float(max(0.0, loss.max(initial=0.0)))
        sweeps.append(Sweep(feature.name, feature.direction, len(base), loss.size, violations, largest))
    return sweeps


def monotone_gate(sweeps: Sequence[Sweep], names: Mapping[str, str] = _NO_NAMES) -> Gate:
    """Pass when no step of any directed feature moves the score against its direction, and there were steps.

    names: a feature's words by its name in the contract.
    """
    if not sweeps:
        return Gate("monotone", True, "no scored feature declares a direction", {})
    steps, rows = sum(sweep.steps for sweep in sweeps), min(sweep.rows for sweep in sweeps)
    numbers = {f"{sweep.feature}_violations": float(sweep.violations) for sweep in sweeps} | {"steps": float(steps)}
    tried = f"{steps:,} steps over every tree threshold and the whole range, in at least {rows:,} real rows a feature"
    wrong = [
        f"{names.get(sweep.feature, sweep.feature)} moves the score against its direction {sweep.direction:+d} in "
        f"{sweep.violations:,} of {sweep.steps:,} steps (by up to {sweep.largest:.1g})"
        for sweep in sweeps
        if sweep.violations
    ]
    if wrong:
        return Gate("monotone", False, f"{'; '.join(wrong)}; none may", numbers)
    if not rows:
        return Gate("monotone", False, "nothing is proved: there are no rows", numbers)
    kept = [", ".join(names.get(s.feature, s.feature) for s in sweeps if s.direction == way) for way in (1, -1)]
    words = " and ".join(f"{way} with {which}" for way, which in zip(("rises", "falls"), kept, strict=True) if which)
    return Gate("monotone", True, f"the score {words}: {tried}", numbers)


def prove_age(data: bytes, X: np.ndarray, rows: int = ROWS, seed: int = 0) -> AgeProof | None:
    """Compare, in `rows` of the (n, F) real rows, the lowest score of an elderly age with the highest of a younger one.

    The age is the scored feature with `elderly_from` in the contract; None if there is none. Raises ModelFileError for
    a file that does not verify.
    Source: Regulation B, 12 CFR 1002.6(b)(2)(ii): a credit scoring system may use age if an elderly applicant's is
    given no negative factor or value; 1002.2(v): that is one less favourable than the most favoured younger class's.
    """
    scorer = Scorer(data)
    ages = [(column, each) for column, each in enumerate(scorer.contract.scored) if each.elderly_from is not None]
    if not ages:
        return None
    column, age = ages[0]
    values = sweep_values(age, tree_split_values(data, scorer.contract, [column])[column])
    elderly = values >= age.elderly_from
    base = _draw_rows(X, rows, len(values), seed)
    parts = [p[:, elderly].min(axis=1) - p[:, ~elderly].max(axis=1) for p in _sweep(scorer, base, column, values)]
    margins = np.concatenate([[], *parts])
    smallest = float(margins.min()) if len(margins) else 0.0
    violations = int(np.sum(margins < -NOISE))
    found = (age.name, float(age.elderly_from), len(base), len(values), violations, smallest)
    return AgeProof(*found, *(count_age_reasons(scorer, base, column, values[is_it]) for is_it in (elderly, ~elderly)))


def age_gate(proof: AgeProof | None, names: Mapping[str, str] = _NO_NAMES) -> Gate:
    """Pass when in no row an elderly age scores lower than a younger one or is a reason against, or none is marked.

    names: as in `monotone_gate`.
    """
    if proof is None:
        return Gate("age", True, "the contract marks no scored feature as an age: nothing to prove", {})
    parts = asdict(proof)
    counts = {f"{name}_{key}": value for name in ("elderly", "younger") for key, value in parts.pop(name).items()}
    numbers = {key: float(value) for key, value in (parts | counts).items() if key != "attribute"}
    if not proof.rows:
        return Gate("age", False, "nothing is proved: there are no rows", numbers)
    age = names.get(proof.attribute, proof.attribute)
    words = (
        f"in {proof.violations:,} of {proof.rows:,} real rows some {age} from {proof.boundary:g} on scores "
        f"lower than a younger one, all else equal, none may; {proof.values:,} ages tried in each, smallest margin "
        f"{proof.smallest_margin:.1g}; {age} is a principal reason against {proof.elderly.named:,} of "
        f"{proof.elderly.explained:,} low-scoring applicants from {proof.boundary:g} on, none may, and against "
        f"{proof.younger.named:,} of {proof.younger.explained:,} younger ones"
    )
    return Gate("age", proof.violations == proof.elderly.named == 0, words, numbers)


def to_evidence(sweeps: Sequence[Sweep], proof: AgeProof | None) -> dict[str, Any]:
    """Return both proofs as JSON documents, `monotone` and `age`; the latter null when no age is marked."""
    return {"monotone": [asdict(sweep) for sweep in sweeps], "age": asdict(proof) if proof else None}


def sweep_values(feature: Feature, split_values: np.ndarray) -> np.ndarray:
    """Return the values that a number is moved over, ascending; the module's docstring lists them."""
    values = np.concatenate([split_values, np.linspace(feature.min, feature.max, GRID)])
    if feature.elderly_from is not None:
        values = np.append(values, [np.nextafter(feature.elderly_from, -np.inf), feature.elderly_from])
    if feature.is_whole:
        first = np.arange(feature.min, min(feature.max, feature.min + MOST_WHOLE_NUMBERS) + 1)
        values = np.concatenate([np.floor(values), np.ceil(values), first])
    return np.unique(values[(values >= feature.min) & (values <= feature.max)])


def _draw_rows(X: np.ndarray, rows: int, values: int, seed: int) -> np.ndarray:
    rows = min(rows, max(1, MOST_SCORES // values))
    return X[np.random.default_rng(seed).permutation(len(X))[:rows]]


def _sweep(scorer: Scorer, base: np.ndarray, column: int, values: np.ndarray) -> Iterator[np.ndarray]:
    """Yield (k, len(values)) probabilities of the base rows with one column at each value, k rows at a time."""
    k = max(1, MOST_AT_ONCE // (len(values) * base.shape[1]))
    for start in range(0, len(base), k):
        rows = np.repeat(base[start : start + k], len(values), axis=0)
        rows[:, column] = np.tile(values, len(rows) // len(values))
        yield scorer.score(rows).reshape(-1, len(values))

"""Judging a registered version: its file against the rows it never saw, and against what is in production."""

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from loan_approval.data.datasets import Dataset
from loan_approval.errors import TrackingError
from loan_approval.evaluation.comparison import Answers, Comparison, compare
from loan_approval.evaluation.costs import Costs
from loan_approval.registry import history, tracking
from loan_approval.registry.card import add_card
from loan_approval.registry.promotion import ALIAS, check_file, identify
from loan_approval.registry.tracking import Version
from loan_approval.training.cross_validation import CrossValidation
from loan_approval.training.factories import find_factory
from loan_approval.training.factory import ModelFactory
from loan_approval.training.fit import Recipe
from loan_approval.validation.gates import (
    Gate,
    Margins,
    champion_gate,
    confirmation_gate,
    overall,
    parity_gate,
    signal_gate,
)
from loan_approval.validation.parity import prove_parity
from serve.contract.contract import Contract
from serve.errors import ModelFileError
from serve.model.scorer import Scorer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """A registered version with its verified file and what it was made from."""

    version: Version
    data: bytes
    scorer: Scorer
    recipe: Recipe


def load_candidate(name: str, version: str) -> Candidate:
    """Load a version by number or alias. Raises TrackingError, ModelFileError."""
    found = tracking.find_version(name, version)
    data = tracking.load_model_file(found)
    check_file(data, found.sha256)
    scorer = Scorer(data, found.sha256)
    return Candidate(found, data, scorer, Recipe(**scorer.provenance["recipe"]))


def load_champion(candidate: Candidate) -> Candidate | None:
    """Return what is behind `production`, None if nothing is, it is the candidate itself, or its file is refused here,
    as one of an older format is.
    """
    version = tracking.version_of_alias(candidate.version.name, ALIAS)
    if version is None or version.number == candidate.version.number:
        return None
    try:
        return load_candidate(version.name, version.number)
    except ModelFileError as err:
        log.warning("%s version %s can't be compared with: %s", version.name, version.number, err)
        return None


def check_same_data(candidate: Candidate, dataset: Dataset) -> None:
    """Raise TrackingError when the data set on the disk is not the one the version was trained on.

    Out-of-fold scores and test rows would be of other rows than the model's.
    """
    recorded = candidate.scorer.provenance["data_sha256"]
    if recorded != dataset.sha256 or candidate.scorer.contract != dataset.contract:
        which = f"{candidate.version.name} version {candidate.version.number}"
        raise TrackingError(
            f"{which} was trained on data {recorded[:12]}, data/{dataset.name} holds {dataset.sha256[:12]} or another "
            "contract, expected the same: train again"
        )


def judge(
    candidate: Candidate,
    champion: Candidate | None,
    dataset: Dataset,
    validation: CrossValidation,
    margins: Margins,
    seed: int,
) -> list[Gate]:
    """Return what the gates say of signal, champion and parity; directions and age are for `monotone` to prove.

    validation: of the candidate's recipe on the data set's train rows.
    """
    X_test, y_test = dataset.rows("test")
    trusted = find_factory(ModelFactory, candidate.recipe.model_name).trusted_types
    pipeline = tracking.load_pipeline(candidate.version, trusted)
    return [
        signal_gate(validation, seed),
        confirmation_gate(y_test, candidate.scorer.score(X_test), seed),
        compare_with_champion(candidate, champion, dataset, margins, seed),
        parity_gate(prove_parity(candidate.data, pipeline, dataset.X, seed)),
    ]


def compare_with_champion(
    candidate: Candidate, champion: Candidate | None, dataset: Dataset, margins: Margins, seed: int
) -> Gate:
    """Return the gate against production on the test rows, which neither model was trained on; it names production."""
    current = tracking.version_of_alias(candidate.version.name, ALIAS)
    # What was loaded to be compared with counts, should production have changed in the meantime.
    against = identify(champion.version if champion else current)
    return replace(_compare(candidate, champion, current, dataset, margins, seed), against=against)


def _compare(
    candidate: Candidate,
    champion: Candidate | None,
    current: Version | None,
    dataset: Dataset,
    margins: Margins,
    seed: int,
) -> Gate:
    if current and current.number == candidate.version.number:
        return Gate("not_worse", True, "it is the version in production", {})
    if current and champion is None:
        return Gate("not_worse", False, "production's file is refused here, of an older format, say: no comparison", {})
    comparison = compare_on_test_rows(candidate, champion, dataset, seed)
    if champion and not comparison:
        words = "production has another contract: its training rows may be among these test rows"
        return Gate("not_worse", False, words, {})
    return champion_gate(comparison, margins)


def compare_on_test_rows(
    candidate: Candidate, champion: Candidate | None, dataset: Dataset, seed: int
) -> Comparison | None:
    """Return how candidate and champion differ on the test rows, each at its own threshold; None if not comparable.

    Costs are those the candidate's threshold was chosen for. Roles follow from the salt and the scored features: where
    those differ, the champion may have learnt on test rows, and nothing can be compared.
    """
    if champion is None or _split_of(champion.scorer.contract) != _split_of(dataset.contract):
        return None
    X, y = dataset.rows("test")
    costs = Costs.of_rule(candidate.scorer.decision_rule)
    return compare(y, _answers(candidate.scorer, X), _answers(champion.scorer, X), costs, seed)


def _answers(scorer: Scorer, X: np.ndarray) -> Answers:
    p = scorer.score(X)
    return Answers(p, scorer.decide(p))


def _split_of(contract: Contract) -> tuple[object, ...]:
    """Return what the splits follow from: the salt and how the scored features are encoded."""
    return contract.split_salt, [(feature.name, feature.type, feature.values) for feature in contract.scored]


def record(
    candidate: Candidate,
    gates: list[Gate],
    metrics: dict[str, float],
    notes: dict[str, Any],
    evidence: dict[str, Any],
) -> str:
    """Record the verdict and the model card with the version; return the verdict.

    evidence: what the model card shows beside gates and metrics, a JSON document a topic (calibration, fairness, …).
    """
    verdict = overall(gates)
    if candidate.version.verdict == "forced" and verdict == "failed":
        return verdict  # who forced it, and why, stays on record, and so the way back to it
    metadata = {
        "metrics": metrics,
        "gates": [gate.to_dict() for gate in gates],
        "verdict": {"verdict": verdict, **notes},
        "sha256": candidate.version.sha256,
        "evidence": evidence,
        "validated": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    version = candidate.version
    events = history.read(version.name)
    tracking.record_verdict(version, verdict, add_card(metadata, candidate.scorer, version.identity(), events))
    return verdict

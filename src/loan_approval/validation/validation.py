"""Judges a registered version: its file on the rows it never saw, and against the version in production."""

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from loan_approval.data.datasets import Dataset
from loan_approval.errors import TrackingError
from loan_approval.evaluation.comparison import Comparison, compare
from loan_approval.evaluation.costs import Costs
from loan_approval.registry import history, tracking
from loan_approval.registry.card import add_card
from loan_approval.registry.promotion import ALIAS, identify
from loan_approval.training.cross_validation import CrossValidation
from loan_approval.training.factory import ModelFactory, find_factory
from loan_approval.training.fit import Recipe
from loan_approval.validation import gates
from loan_approval.validation.gates import Gate
from loan_approval.validation.parity import prove_parity
from serve.contract.contract import BY_ROW, Contract
from serve.errors import ModelFileError
from serve.model.scorer import Scorer
from serve.model.verify import verify

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """A registered version with its verified file and what it was made from."""

    version: tracking.Version
    data: bytes
    scorer: Scorer
    recipe: Recipe


def load_candidate(name: str, version: str) -> Candidate:
    """Load a version by number or alias. Raises TrackingError, ModelFileError."""
    registered = tracking.find_version(name, version)
    data = tracking.load_model_file(registered)
    verify(data, registered.sha256)
    scorer = Scorer(data, registered.sha256)
    return Candidate(registered, data, scorer, Recipe(**scorer.provenance["recipe"]))


def load_champion(candidate: Candidate) -> Candidate | None:
    """Return the version in production; None if there is none, it is the candidate, or its file is refused here."""
    version = tracking.version_of_alias(candidate.version.name, ALIAS)
    if version is None or version.number == candidate.version.number:
        return None
    try:
        return load_candidate(version.name, version.number)
    except ModelFileError as err:
        log.warning("%s version %s can't be compared with: %s", version.name, version.number, err)
        return None


def check_same_data(candidate: Candidate, dataset: Dataset) -> None:
    """Raise TrackingError when the data set on the disk is not the one the version was trained on."""
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
    margins: gates.Margins,
    seed: int,
) -> list[Gate]:
    """Return the gates of signal, confirmation, champion and parity.

    validation: of the candidate's recipe on the data set's train rows.
    """
    tracking.note_test_rows(candidate.version, dataset.digest("test"))
    X_test, y_test = dataset.rows("test")
    trusted = find_factory(ModelFactory, candidate.recipe.model_name).trusted_types
    pipeline = tracking.load_pipeline(candidate.version, trusted)
    return [
        gates.signal_gate(validation, seed),
        gates.confirmation_gate(y_test, candidate.scorer.score(X_test), seed, dataset.units("test")),
        compare_with_champion(candidate, champion, dataset, margins),
        gates.parity_gate(prove_parity(candidate.data, pipeline, dataset.X, seed)),
    ]


def compare_with_champion(
    candidate: Candidate, champion: Candidate | None, dataset: Dataset, margins: gates.Margins
) -> Gate:
    """Return the gate against production on the test rows, which neither model was trained on; it names production."""
    current = tracking.version_of_alias(candidate.version.name, ALIAS)
    comparison = compare_on_test_rows(candidate, champion, dataset)
    if current and current.number == candidate.version.number:
        gate = Gate("not_worse", True, "it is the version in production", {})
    elif current and champion is None:
        words = "production's file is refused here, of an older format, say: no comparison"
        gate = Gate("not_worse", False, words, {})
    elif champion and not comparison:
        reason = why_splits_differ(champion.scorer, dataset)
        words = f"production {reason}: its training rows may be among these test rows"
        gate = Gate("not_worse", False, words, {})
    else:
        gate = gates.champion_gate(comparison, margins)
    # The loaded champion counts, even if production has changed in the meantime.
    return replace(gate, against=identify(champion.version if champion else current))


def compare_on_test_rows(candidate: Candidate, champion: Candidate | None, dataset: Dataset) -> Comparison | None:
    """Return how candidate and champion differ on the test rows, each at its own threshold, by the costs of both.

    None where the splits differ, as the champion may have been trained on these test rows. The intervals are as wide
    as the number of challengers demands that were judged on these rows.
    """
    if champion is None or why_splits_differ(champion.scorer, dataset):
        return None
    X, y = dataset.rows("test")
    new, old = ((p := scorer.score(X), scorer.decide(p)) for scorer in (candidate.scorer, champion.scorer))
    costs = Costs.of_rule(candidate.scorer.decision_rule), Costs.of_rule(champion.scorer.decision_rule)
    judged = tracking.judged_on_test_rows(candidate.version.name, dataset.digest("test"))
    looks = len(judged - {champion.version.number} | {candidate.version.number})
    return compare(y, new, old, costs, dataset.units("test"), looks)


def why_splits_differ(production: Scorer, dataset: Dataset) -> str:
    """Return why a row of the data set may have had another split when production was trained, "" if none has."""
    contract = dataset.contract
    if _basis_of_splits(production.contract) != _basis_of_splits(contract):
        return "has another split_salt, [split] or other scored features"
    if contract.split_by == BY_ROW and not dataset.continues(production.provenance["data_sha256"]):
        return "was trained on a file that this one does not continue, and rows are split by their number"
    return ""


def _basis_of_splits(contract: Contract) -> tuple[object, ...]:
    dates = ("as_number", "since")
    features = [(f.name, f.type, f.values, *(getattr(f, key) for key in dates)) for f in contract.scored]
    return contract.split_salt, contract.split_by, features


def record(
    candidate: Candidate, judged: list[Gate], metrics: dict[str, float], notes: dict[str, Any], evidence: dict[str, Any]
) -> str:
    """Record the verdict and the model card with the version; return the verdict.

    judged: what the gates found.   evidence: of the model card, beside gates and metrics; a JSON document a topic
    (calibration, fairness, …).
    """
    verdict, version = gates.overall(judged), candidate.version
    if version.verdict == "forced" and verdict == "failed":
        return verdict  # the record of who forced it and why stays
    metadata = {
        "metrics": metrics,
        "gates": [gate.to_dict() for gate in judged],
        "verdict": {"verdict": verdict, **notes},
        "sha256": version.sha256,
        "evidence": evidence,
        "validated": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    card = add_card(metadata, candidate.scorer, version.identity(), history.read(version.name))
    tracking.record_verdict(version, verdict, card)
    return verdict

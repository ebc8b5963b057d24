"""Judging versions: what is compared with what, and what is refused."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from loan_approval.data.datasets import Dataset
from loan_approval.data.simulate import make_applicants
from loan_approval.data.splits import assign_splits, identify_rows
from loan_approval.errors import TrackingError
from loan_approval.evaluation.costs import Costs
from loan_approval.registry import tracking
from loan_approval.training.fit import Recipe
from loan_approval.validation import validation
from loan_approval.validation.gates import Margins
from serve.contract.contract import Contract
from serve.model.scorer import Scorer
from tests.model_files import LOANS, LOANS_SCALING, broken_files, make_file
from tests.registered import register

pytestmark = pytest.mark.usefixtures("mlflow_folder")
MARGINS = Margins()
RECIPE = Recipe("logistic_regression", "median_imputer_with_scaler", 7)


@pytest.fixture(scope="module")
def dataset(loans_contract: Contract) -> Dataset:
    return made_dataset(loans_contract)


def made_dataset(loans_contract: Contract) -> Dataset:
    """Return rows whose labels follow the credit score."""
    rng = np.random.default_rng(0)
    X = make_applicants(600, rng).to_numpy()
    y = (X[:, 2] + rng.normal(0, 60, 600) > 650).astype(int)
    splits = assign_splits(identify_rows(X), loans_contract.split_salt)
    return Dataset("made", loans_contract, None, X, y, splits, "d" * 64)


@pytest.fixture(scope="module")
def loans_contract() -> Contract:
    return Contract.from_dict(LOANS)


def candidate(scaling: dict, number: str = "2") -> validation.Candidate:
    data = make_file(LOANS, scaling)
    version = tracking.Version("m", number, "run", sha256(data).hexdigest(), "none")
    return validation.Candidate(version, data, Scorer(data), RECIPE)


REVERSED = LOANS_SCALING | {"weight": [-w for w in LOANS_SCALING["weight"]]}


def test_without_a_champion_the_comparison_passes_and_says_so(dataset: Dataset) -> None:
    gate = validation.compare_with_champion(candidate(LOANS_SCALING), None, dataset, MARGINS)
    assert gate.passed
    assert "nothing is in production" in gate.words
    assert gate.to_dict()["against"] == {"version": "none", "sha256": "none"}


def test_the_gate_names_what_it_compared_with(dataset: Dataset) -> None:
    champion = candidate(LOANS_SCALING, "1")
    gate = validation.compare_with_champion(candidate(REVERSED), champion, dataset, MARGINS)
    assert gate.to_dict()["against"] == {"version": "1", "sha256": champion.version.sha256}


def test_a_worse_model_than_the_champion_fails(dataset: Dataset) -> None:
    champion = candidate(LOANS_SCALING, "1")
    assert not validation.compare_with_champion(candidate(REVERSED), champion, dataset, MARGINS).passed
    assert validation.compare_with_champion(champion, candidate(REVERSED), dataset, MARGINS).passed


@pytest.mark.parametrize("changed", [{"split_salt": "another"}, {"split_by": "row"}, {"split_by": "customer"}])
def test_a_champion_of_another_contract_is_not_compared(dataset: Dataset, changed: dict[str, str]) -> None:
    other = replace(dataset, contract=replace(dataset.contract, **changed))
    gate = validation.compare_with_champion(candidate(LOANS_SCALING), candidate(LOANS_SCALING, "1"), other, MARGINS)
    assert not gate.passed
    assert "production has another split_salt, [split] or other scored features" in gate.words


def by_row(data_sha256: str) -> validation.Candidate:
    """Return a candidate trained on such a file under a contract that splits by row."""
    data = make_file(LOANS | {"split": {"by": "row"}}, LOANS_SCALING)
    version = tracking.Version("m", "1", "run", sha256(data).hexdigest(), "none")
    made = validation.Candidate(version, data, Scorer(data), RECIPE)
    made.scorer.provenance["data_sha256"] = data_sha256
    return made


def test_a_champion_of_rows_split_by_number_is_compared_only_on_a_file_that_continues_its_own(
    dataset: Dataset, tmp_path: Path
) -> None:
    older, path = b"a\n1\n2\n", tmp_path / "dataset.csv"
    path.write_bytes(older + b"3\n")
    rows = replace(dataset, contract=replace(dataset.contract, split_by="row"), path=path)
    known, unknown = (by_row(each) for each in (sha256(older).hexdigest(), "e" * 64))
    assert validation.compare_with_champion(candidate(LOANS_SCALING), known, rows, MARGINS).passed
    gate = validation.compare_with_champion(candidate(LOANS_SCALING), unknown, rows, MARGINS)
    assert not gate.passed
    assert "a file that this one does not continue, and rows are split by their number" in gate.words


def test_a_contract_that_only_reads_otherwise_is_compared(dataset: Dataset) -> None:
    age, *others = dataset.contract.features
    reworded = replace(dataset.contract, features=(replace(age, reason={"en": "Years of age"}), *others))
    other = replace(dataset, contract=reworded)
    gate = validation.compare_with_champion(candidate(LOANS_SCALING), candidate(LOANS_SCALING, "1"), other, MARGINS)
    assert gate.passed


def test_each_model_decides_at_its_own_threshold_and_the_candidates_costs_count(dataset: Dataset) -> None:
    ours, theirs = candidate(LOANS_SCALING), candidate(REVERSED, "1")
    ours.scorer.decision_rule.update(cost_wrong_approval=3.0, cost_wrong_denial=0.5)
    theirs.scorer.decision_rule.update(cost_wrong_approval=100.0, cost_wrong_denial=100.0)
    theirs.scorer.threshold = 0.3
    found = validation.compare_on_test_rows(ours, theirs, dataset)
    X, y = dataset.rows("test")
    new, old = (each.decide(each.score(X)) for each in (ours.scorer, theirs.scorer))
    assert found.rows == len(y)
    assert found.flips["approved now, denied before"] == np.sum((new == 1) & (old == 0))
    costs = Costs(3.0, 0.5)
    saved = np.mean(costs.of_decisions(y, old)) - np.mean(costs.of_decisions(y, new))
    assert found.cost.saved.value == pytest.approx(saved)


def test_a_rule_without_costs_weighs_both_errors_alike(dataset: Dataset) -> None:
    ours, theirs = candidate(LOANS_SCALING), candidate(REVERSED, "1")
    X, y = dataset.rows("test")
    wrong = [np.mean(each.decide(each.score(X)) != y) for each in (ours.scorer, theirs.scorer)]
    found = validation.compare_on_test_rows(ours, theirs, dataset)
    assert found.cost.saved.value == pytest.approx(wrong[1] - wrong[0])


def test_what_is_not_comparable_has_no_comparison(dataset: Dataset) -> None:
    other = replace(dataset, contract=replace(dataset.contract, split_salt="another"))
    assert validation.compare_on_test_rows(candidate(LOANS_SCALING), None, dataset) is None
    assert validation.compare_on_test_rows(candidate(LOANS_SCALING), candidate(LOANS_SCALING, "1"), other) is None


def test_a_version_trained_on_other_data_is_refused(dataset: Dataset) -> None:
    with pytest.raises(TrackingError, match="was trained on data 111111111111, data/made holds dddddddddddd"):
        validation.check_same_data(candidate(LOANS_SCALING), dataset)


def test_the_version_in_production_is_not_its_own_champion(mlflow_folder: Path) -> None:
    data = make_file(LOANS, LOANS_SCALING)
    with tracking.start_run("validation_tests", "made by hand") as run:
        pass
    version = tracking.register("own_champion", run, data, Contract.from_dict(LOANS))
    tracking.set_alias("own_champion", "production", version.number)
    own = validation.Candidate(version, data, Scorer(data), RECIPE)
    assert validation.load_champion(own) is None
    gate = validation.compare_with_champion(own, None, made_dataset(Contract.from_dict(LOANS)), MARGINS)
    assert gate.words == "it is the version in production"
    assert gate.against == {"version": version.number, "sha256": version.sha256}


def test_a_champion_whose_file_is_refused_here_cannot_be_compared_with(mlflow_folder: Path) -> None:
    versions = []
    for data in (broken_files()["format_older"], make_file(LOANS, LOANS_SCALING)):
        with tracking.start_run("validation_tests", "made by hand") as run:
            pass
        versions.append(tracking.register("older_champion", run, data, Contract.from_dict(LOANS)))
    tracking.set_alias("older_champion", "production", versions[0].number)
    newer = validation.Candidate(versions[1], data, Scorer(data), RECIPE)
    assert validation.load_champion(newer) is None
    gate = validation.compare_with_champion(newer, None, made_dataset(Contract.from_dict(LOANS)), MARGINS)
    assert not gate.passed
    assert "production's file is refused here" in gate.words


def test_each_challenger_judged_on_the_same_test_rows_widens_the_intervals(dataset: Dataset) -> None:
    registered = [register("o'looks", bias, "none") for bias in (1.0, 0.9, 0.8, 0.7)]
    champion, *challengers = [
        validation.Candidate(version, data, Scorer(data), RECIPE)
        for version in registered
        for data in [tracking.load_model_file(version)]
    ]
    found = []
    for challenger in [champion, *challengers, challengers[0]]:
        tracking.note_test_rows(challenger.version, dataset.digest("test"))
        found.append(validation.compare_on_test_rows(challenger, champion, dataset))
    assert [each.looks for each in found] == [1, 1, 2, 3, 3]  # validated again: no new look
    first, again = found[1], found[-1]
    assert again.cost.saved.value == first.cost.saved.value
    assert again.cost.saved.low < first.cost.saved.low
    words = validation.compare_with_champion(challengers[0], champion, dataset, MARGINS).words
    assert (
        "3 challengers were judged on these test rows, so the intervals are wider, each at 98.33% instead of 95 %"
        in words
    )
    other = replace(dataset, y=1 - dataset.y)
    assert validation.compare_on_test_rows(challengers[0], champion, other).looks == 1

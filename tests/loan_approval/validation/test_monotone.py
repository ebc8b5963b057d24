"""The proofs on the file alone: a violation fails, named by feature and count and without any applicant's values."""

import json
from dataclasses import replace

import numpy as np
import pytest

from loan_approval.training.factory import ModelFactory, factory_names
from loan_approval.training.fit import Recipe
from loan_approval.validation import monotone
from loan_approval.validation.monotone import (
    age_gate,
    monotone_gate,
    prove_age,
    prove_monotone,
    sweep_values,
    to_evidence,
)
from serve.contract.feature import Feature
from tests.model_files import LOANS, LOANS_SCALING, MIXED, MIXED_SCALING, make_file
from tests.stairs import make_stairs

MODELS = factory_names(ModelFactory)
AGE, INCOME, AMOUNT = 0, 1, 3
FEW = 40


@pytest.fixture(scope="module")
def rows(loans):
    return loans.X


def violations(sweeps) -> dict[str, int]:
    return {sweep.feature: sweep.violations for sweep in sweeps}


@pytest.mark.parametrize("model_name", [name for name in MODELS if name != "logistic_regression"])
def test_models_that_are_held_to_directions_pass_both_proofs(make_model, model_name):
    made = make_model("loans", model_name)
    sweeps, proof = prove_monotone(made.data, made.dataset.X, FEW), prove_age(made.data, made.dataset.X, FEW)
    assert monotone_gate(sweeps).passed
    assert age_gate(proof).passed
    assert [sweep.feature for sweep in sweeps] == [f.name for f in made.dataset.contract.scored if f.direction]
    assert all(sweep.steps >= sweep.rows > 0 for sweep in sweeps)


def test_a_model_trained_without_directions_fails_by_the_contract_in_its_file(export_fitted, loans, monkeypatch):
    monkeypatch.setattr("loan_approval.training.factory.output_directions", lambda contract: [0] * len(contract.scored))
    made = export_fitted(Recipe("hist_gradient_boosting", "median_imputer_with_scaler", seed=7), loans)
    sweeps, proof = prove_monotone(made.data, loans.X, FEW), prove_age(made.data, loans.X, FEW)
    gate = monotone_gate(sweeps)
    assert not gate.passed
    assert violations(sweeps)["Annual_Income"] > 0
    assert "Annual_Income moves the score against its direction +1 in " in gate.words
    assert not age_gate(proof).passed


@pytest.mark.parametrize("scale", [1.0, 137.0])
@pytest.mark.parametrize(("heights", "wrong"), [([0.2, 0.3, 0.4], 0), ([0.2, 0.4, 0.3], FEW)])
def test_a_bump_between_two_neighbouring_thresholds_is_found(rows, heights, wrong, scale):
    cuts = [50_000.0, 50_000.01]  # 0.01 wide in a range of five million
    sweeps = prove_monotone(make_stairs(LOANS, INCOME, cuts, heights, scale), rows, FEW)
    assert violations(sweeps) == {
        "Age": 0,
        "Annual_Income": wrong,
        "Credit_Score": 0,
        "Loan_Amount": 0,
        "Had_Past_Default": 0,
    }


def test_a_step_at_the_last_whole_number_is_found(rows):
    sweeps = prove_monotone(make_stairs(LOANS, AGE, [99.5], [0.5, 0.4]), rows, FEW)
    assert violations(sweeps)["Age"] == FEW


def test_a_logistic_model_fails_by_the_sign_of_one_coefficient(rows):
    weight = [*LOANS_SCALING["weight"]]
    assert monotone_gate(prove_monotone(make_file(LOANS, LOANS_SCALING), rows, FEW)).passed
    weight[AMOUNT] = 0.01
    sweeps = prove_monotone(make_file(LOANS, LOANS_SCALING | {"weight": weight}), rows, FEW)
    gate = monotone_gate(sweeps)
    assert not gate.passed
    assert [name for name, count in violations(sweeps).items() if count] == ["Loan_Amount"]
    assert gate.numbers["Loan_Amount_violations"] == violations(sweeps)["Loan_Amount"]


def test_a_contract_without_directions_has_nothing_to_prove():
    gate = monotone_gate(prove_monotone(make_file(MIXED, MIXED_SCALING), np.array([[1.0, 0.0]])))
    assert (gate.passed, gate.words) == (True, "no scored feature declares a direction")


def test_without_rows_nothing_is_proved(rows):
    data = make_file(LOANS, LOANS_SCALING)
    gates = [monotone_gate(prove_monotone(data, rows[:0])), age_gate(prove_age(data, rows[:0]))]
    assert [(gate.passed, gate.words) for gate in gates] == 2 * [(False, "nothing is proved: there are no rows")]


@pytest.mark.parametrize(
    ("cuts", "heights", "margin"),
    [([70], [0.5, 0.4], -0.1), ([30, 70], [0.4, 0.5, 0.45], -0.05), ([30, 70], [0.6, 0.3, 0.5], -0.3)],
)
def test_an_elderly_age_below_a_younger_one_fails_whatever_the_direction(rows, cuts, heights, margin):
    age, *others = LOANS["feature"]
    data = make_stairs({**LOANS, "feature": [{**age, "direction": 0}, *others]}, AGE, cuts, heights)
    proof = prove_age(data, rows, FEW)
    assert "Age" not in violations(prove_monotone(data, rows, FEW))
    assert proof.violations == FEW
    assert not age_gate(proof).passed
    assert proof.smallest_margin == pytest.approx(margin, abs=1e-6)


def test_age_may_fall_among_the_young_and_among_the_elderly(rows):
    data = make_stairs(LOANS, AGE, [25, 40, 61, 80], [0.5, 0.3, 0.4, 0.8, 0.6])
    assert age_gate(prove_age(data, rows, FEW)).passed
    assert not monotone_gate(prove_monotone(data, rows, FEW)).passed


def test_the_boundary_itself_is_elderly(rows):
    assert prove_age(make_stairs(LOANS, AGE, [61], [0.4, 0.5]), rows, FEW).violations == 0
    assert prove_age(make_stairs(LOANS, AGE, [61, 62], [0.4, 0.3, 0.5]), rows, FEW).violations == FEW


@pytest.mark.parametrize("elderly_from", [None, "monitored"])
def test_without_a_scored_age_that_is_marked_there_is_nothing_to_prove(rows, elderly_from):
    age, *others = LOANS["feature"]
    change = {"use": "monitor"} if elderly_from else {"elderly_from": None, "protected": False}
    contract = {**LOANS, "feature": [{**age, **change}, *others]}
    kept = slice(1, None) if elderly_from else slice(None)
    scaling = {key: values[kept] for key, values in LOANS_SCALING.items()}
    gate = age_gate(prove_age(make_file(contract, scaling), rows[:, kept], FEW))
    assert gate.passed
    assert gate.words == "the contract marks no scored feature as an age: nothing to prove"


def test_values_hold_split_values_ends_and_both_sides_of_the_boundary():
    number = Feature("n", "number", min=0, max=10, elderly_from=6.2)
    values = sweep_values(number, np.array([1.25, np.nextafter(1.25, 2), 11.0]))
    expected = {0.0, 10.0, 1.25, np.nextafter(1.25, 2), 6.2, np.nextafter(6.2, 0)}
    assert expected <= set(values)
    assert np.all(np.diff(values) > 0)
    assert values[-1] == 10
    whole = sweep_values(replace(number, type="integer", elderly_from=6), np.array([1.25]))
    assert whole.tolist() == list(range(11))


def test_a_wide_range_of_whole_numbers_is_tried_at_its_split_values():
    feature = Feature("n", "integer", min=0, max=10_000_000)
    values = sweep_values(feature, np.array([4_321_000.5, np.nextafter(4_321_000.5, 1e9)]))
    assert {0, 1, 2, 4_321_000, 4_321_001, 10_000_000} <= set(values)
    assert len(values) < 2000


def test_many_split_values_are_tried_in_fewer_rows(make_model, monkeypatch):
    made = make_model("loans", "random_forest")
    monkeypatch.setattr(monotone, "MOST_SCORES", 20_000)
    sweeps = {sweep.feature: sweep for sweep in prove_monotone(made.data, made.dataset.X, FEW)}
    assert sweeps["Loan_Amount"].rows < FEW
    assert sweeps["Had_Past_Default"].rows == FEW


def test_small_batches_prove_the_same(rows, monkeypatch):
    data = make_stairs(LOANS, INCOME, [50_000.0, 50_001.0], [0.2, 0.4, 0.3])
    whole = prove_monotone(data, rows, FEW), prove_age(data, rows, FEW)
    monkeypatch.setattr(monotone, "MOST_AT_ONCE", 1)
    assert (prove_monotone(data, rows, FEW), prove_age(data, rows, FEW)) == whole


def test_the_file_is_judged_by_its_own_contract(rows):
    features = [{**feature, "direction": -feature.get("direction", 0)} for feature in LOANS["feature"]]
    scaling = LOANS_SCALING | {"weight": [-weight for weight in LOANS_SCALING["weight"]]}
    data = make_file({**LOANS, "feature": features}, scaling)
    assert monotone_gate(prove_monotone(data, rows, FEW)).passed
    assert not age_gate(prove_age(data, rows, FEW)).passed


def test_evidence_and_words_are_json_and_name_nobody(rows):
    data = make_stairs(LOANS, INCOME, [50_000.0, 50_001.0], [0.2, 0.4, 0.3])
    sweeps, proof = prove_monotone(data, rows, FEW), prove_age(data, rows, FEW)
    evidence = to_evidence(sweeps, proof)
    assert json.loads(json.dumps(evidence, allow_nan=False)) == evidence
    assert {"feature", "direction", "rows", "steps", "violations"} <= set(evidence["monotone"][0])
    assert {"attribute", "boundary", "rows", "violations", "smallest_margin"} <= set(evidence["age"])
    assert to_evidence([], None) == {"monotone": [], "age": None}
    assert "50000" not in monotone_gate(sweeps).words

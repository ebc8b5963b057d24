"""The gates as a report shows them."""

import pytest

from loan_approval.evaluation.comparison import Comparison, CostGain
from loan_approval.evaluation.costs import Costs
from loan_approval.evaluation.intervals import Interval
from loan_approval.validation.gate_cards import _ADVICE, _FOUND, advise, describe_gates, describe_unexamined, make_cards
from loan_approval.validation.gates import Gate, Margins, champion_gate, parity_gate, reasons_gate
from loan_approval.validation.monotone import AgeProof, AgeReasons, Sweep, age_gate, monotone_gate
from loan_approval.validation.parity import ParityReport

MEASURED = [
    (parity_gate(ParityReport(1200, 0, 0, 0.0)), "0 of 1,200 decisions differ"),
    (monotone_gate([Sweep("Age", 1, 300, 500, 2, 0.1)]), "2 of 500 steps go wrong"),
    (
        age_gate(AgeProof("Age", 62, 300, 83, 0, 0.0, AgeReasons(150, 3), AgeReasons(150, 9))),
        "0 of 300 rows, 3 of 150 reasons",
    ),
    (reasons_gate({"threshold": 0.1, "features": 2, "largest_gap": 1e-15, "base": 1.0}), "off by 1e-15"),
    (Gate("signal", True, "", {"auc_low": 0.6, "p_value": 0.001}), "AUC at least 0.600"),
    (Gate("confirmation", True, "", {"auc": 0.6, "p_value": 0.001}), "p-value 0.0010"),
]


@pytest.mark.parametrize(("gate", "found"), MEASURED, ids=lambda each: getattr(each, "name", ""))
def test_a_gate_shows_what_it_found_beside_its_limit(gate: Gate, found: str) -> None:
    (card,) = make_cards([gate])

    assert card["found"] == found
    assert card["limit"]
    assert (card["name"], card["passed"], card["words"]) == (gate.name, gate.passed, gate.words)


def test_a_comparison_with_production_shows_both_margins() -> None:
    compared = Comparison(
        100, Interval(0.0, -0.005, 0.01), CostGain(Costs(1, 1), Interval(0.0, -0.03, 0.01), 0.2), None, {}
    )

    (card,) = make_cards([champion_gate(compared, Margins())])

    assert (card["found"], card["limit"]) == ("AUC -0.005, cost -0.030", "at least -0.01 and -0.02")


@pytest.mark.parametrize(("before", "margin"), [(True, 0.01), (False, 0.5)])
def test_another_policy_than_production_s_is_part_of_the_limit_and_of_the_advice(before: bool, margin: float) -> None:
    gain = CostGain(Costs(1, 1), Interval(0.2, 0.1, 0.3), 0.0)
    compared = Comparison(100, Interval(0.2, 0.1, 0.3), gain, gain if before else None, {})
    gate = champion_gate(compared, Margins(auc=margin))
    assert not gate.passed
    assert make_cards([gate])[0]["limit"] == (
        f"at least -{margin:g} and 0, production's cost ratio and the project's margins"
    )
    assert advise([gate])[0].endswith("promote by force, or train without them.")


def test_a_gate_that_measured_nothing_shows_its_words_alone() -> None:
    assert make_cards([age_gate(None)])[0].keys() == {"name", "passed", "words"}


def test_passed_gates_are_counted() -> None:
    assert describe_gates([gate for gate, _ in MEASURED]) == "4 of 6"


def test_a_failed_gate_is_told_with_what_to_do() -> None:
    told = advise([gate for gate, _ in MEASURED])
    assert [each.partition(":")[0] for each in told] == ["Gate monotone failed", "Gate age failed"]
    assert "Train a model that keeps to directions" in told[0]


def test_there_is_advice_on_each_gate() -> None:
    assert _ADVICE.keys() == _FOUND.keys()


def test_a_gate_is_called_by_words_and_not_by_its_key() -> None:
    gate = Gate("not_worse", False, "it may be worse", {})
    assert (make_cards([gate])[0]["name"], advise([gate])[0].partition(":")[0]) == (
        "not worse",
        "Gate not worse failed",
    )


def test_gates_that_had_nothing_to_examine_are_named() -> None:
    gates = [Gate("not_worse", True, "nothing is in production", {}), Gate("signal", True, "", {"auc_low": 0.7})]
    assert describe_unexamined(gates) == "nothing to examine for not worse"
    assert describe_unexamined(gates[1:]) == ""

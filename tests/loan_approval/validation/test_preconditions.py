"""What a gate is bound to turn down stops before anything is trained; what it may turn down is said."""

import re
from dataclasses import replace

import numpy as np
import pytest

from loan_approval.data.datasets import Dataset
from loan_approval.errors import DataError, FactoryError
from loan_approval.evaluation.costs import Costs
from loan_approval.registry import tracking
from loan_approval.training.fit import Recipe
from loan_approval.validation.preconditions import check_age, check_preconditions
from serve.contract.contract import Contract
from tests.model_files import LOANS, LOANS_SCALING, make_file
from tests.registered import new_name

pytestmark = pytest.mark.usefixtures("mlflow_folder")
BOOSTING = Recipe("hist_gradient_boosting", "median_imputer_with_scaler", 7)
LOGISTIC = replace(BOOSTING, model_name="logistic_regression")


def with_age(contract: Contract, **changed: object) -> Contract:
    """Return a contract whose feature `Age` differs."""
    features = tuple(replace(f, **changed) if f.name == "Age" else f for f in contract.features)
    return replace(contract, features=features)


@pytest.fixture
def mine(loans: Dataset) -> Dataset:
    """Return the loans under a model name of which nothing is registered."""
    return replace(loans, contract=replace(loans.contract, model_name=new_name()))


@pytest.mark.parametrize("direction", [0, -1])
def test_an_age_that_is_scored_and_marked_must_be_held_to_rise(mine: Dataset, direction: int) -> None:
    contract = with_age(mine.contract, elderly_from=62, direction=direction)
    with pytest.raises(DataError) as caught:
        check_preconditions(BOOSTING, replace(mine, contract=contract))
    for told in ("Age", f"direction is {direction}, expected 1", "elderly_from = 62", "gate `age`"):
        assert told in str(caught.value)


@pytest.mark.parametrize("changed", [{"direction": 1}, {"use": "monitor", "direction": 0}])
def test_an_age_that_rises_or_is_not_scored_is_fine(loans_contract: Contract, changed: dict) -> None:
    check_age(with_age(loans_contract, elderly_from=62, **changed))


def test_the_built_in_loans_meet_what_the_gates_demand_and_are_only_counted(mine: Dataset) -> None:
    counted, on_age = check_preconditions(BOOSTING, mine)
    assert counted.startswith("Distinct rows Approved and")
    assert "past decisions do not say who was which" in on_age


def test_a_scored_age_is_warned_of_where_labels_are_past_decisions_and_not_where_they_are_repayments(mine) -> None:
    def warnings(contract: Contract) -> list[str]:
        return [
            words for words in check_preconditions(BOOSTING, replace(mine, contract=contract)) if "1002.2(p)" in words
        ]

    assert len(warnings(mine.contract)) == 1
    assert warnings(replace(mine.contract, target=replace(mine.contract.target, meaning="repaid"))) == []
    assert warnings(with_age(mine.contract, use="monitor", direction=0)) == []


def test_too_few_rows_of_a_label_stop(mine: Dataset) -> None:
    with pytest.raises(DataError, match="nothing to learn"):
        check_preconditions(BOOSTING, replace(mine, y=np.ones_like(mine.y)))


def test_an_unknown_model_is_refused(mine: Dataset) -> None:
    with pytest.raises(FactoryError):
        check_preconditions(replace(BOOSTING, model_name="none"), mine)


def test_a_column_that_gives_the_target_away_is_named(mine: Dataset) -> None:
    frame = mine.frame.assign(Credit_Score=mine.y * 100.0 + 500)
    *_, words = check_preconditions(BOOSTING, replace(mine, frame=frame))
    assert words.startswith("Credit score alone ranks with AUC 1.000")


def test_a_model_that_cannot_be_held_to_directions_is_named(mine: Dataset) -> None:
    *_, words = check_preconditions(LOGISTIC, mine)
    assert words.startswith("logistic_regression can't be held to the contract's directions (Age, ")
    assert "gate `monotone`" in words


def promoted(scored_like: dict) -> str:
    """Register a version with the contract of `scored_like` and make it production; return its model's name."""
    name = new_name()
    with tracking.start_run(name, "made by hand") as run:
        pass
    version = tracking.register(name, run, make_file(scored_like, LOANS_SCALING), Contract.from_dict(scored_like))
    tracking.set_alias(name, "production", version.number)
    return name


def test_a_production_version_of_other_splits_is_named_before_training(mine: Dataset) -> None:
    same, other = (promoted(LOANS | {"split_salt": salt}) for salt in (mine.contract.split_salt, "other-1"))
    contracts = [replace(Contract.from_dict(LOANS), model_name=name, split_salt="loans-1") for name in (same, other)]
    alike, differing = (check_preconditions(BOOSTING, replace(mine, contract=contract)) for contract in contracts)
    assert not any("not_worse" in words for words in alike)
    assert differing[-1].startswith("The gate `not_worse` will fail: version 1, in production, has another split_salt")


def test_costs_in_another_ratio_than_production_s_are_named_before_training(mine: Dataset) -> None:
    name = promoted(LOANS | {"split_salt": mine.contract.split_salt})
    whole = replace(mine, contract=replace(mine.contract, model_name=name))
    same, other = (check_preconditions(BOOSTING, whole, costs) for costs in (Costs(3, 3), Costs(3, 1)))
    assert not any("another ratio" in words for words in same)
    assert other[-1].startswith("The gate `not_worse` will fail: version 1, in production, has costs in another ratio")


def test_too_few_test_rows_for_a_comparison_are_told_with_the_number_it_would_take(mine: Dataset) -> None:
    contract = replace(mine.contract, model_name=promoted(LOANS | {"split_salt": mine.contract.split_salt}))
    contract = replace(Contract.from_dict(LOANS), model_name=contract.model_name, split_salt=mine.contract.split_salt)
    whole = replace(mine, contract=contract)
    test = np.flatnonzero(whole.splits == "test")
    few = np.setdiff1d(np.arange(len(whole.frame)), test[60:])
    small = replace(whole, frame=whole.frame.iloc[few], X=whole.X[few], y=whole.y[few], splits=whole.splits[few])
    assert not any("not_worse" in words for words in check_preconditions(BOOSTING, whole))
    *_, told = check_preconditions(BOOSTING, small)
    assert told.startswith("With 60 test rows the gate `not_worse` will pass a model only if it is better.")
    (needed,) = re.findall(r"It would take about ([\d,]+) rows\.$", told)
    assert 60 < int(needed.replace(",", "")) < len(test)

"""What the gates will demand of contract, data and production, asked before a model is trained."""

import math

import numpy as np

from loan_approval.data.datasets import Dataset
from loan_approval.data.exploration import leakage_hints
from loan_approval.data.shape import check_labels, describe_shape
from loan_approval.data.wording import feature_titles
from loan_approval.errors import DataError
from loan_approval.evaluation.comparison import cost_saved
from loan_approval.evaluation.costs import Costs
from loan_approval.registry import tracking
from loan_approval.registry.promotion import ALIAS
from loan_approval.training.fit import Recipe
from loan_approval.validation.gates import Margins
from loan_approval.validation.validation import why_splits_differ
from serve.contract.contract import Contract
from serve.errors import ModelFileError
from serve.model.scorer import Scorer
from serve.model.verify import verify


def check_preconditions(recipe: Recipe, dataset: Dataset, costs: Costs | None = None) -> list[str]:
    """Return remarks on what a gate may turn down. Raise DataError for what one is bound to, with what to do.

    costs: that the threshold is to be chosen by, where that is still to come. Raises FactoryError for an unknown model.
    """
    check_labels(dataset)
    check_age(dataset.contract)
    remarks = [*describe_shape(dataset), *ask_counsel(dataset.contract), *leakage_hints(dataset)]
    return [*remarks, *_unheld_directions(recipe, dataset.contract), *_production(dataset, costs)]


def check_age(contract: Contract) -> None:
    """Raise DataError when a scored age marked with `elderly_from` is not held to rise: the gate `age` would fail."""
    for feature in contract.scored:
        if feature.elderly_from is not None and feature.direction != 1:
            raise DataError(
                f"contract.toml: {feature.name}: direction is {feature.direction}, expected 1: with "
                f"elderly_from = {feature.elderly_from:g} the gate `age` demands that no applicant from that age on "
                "scores lower than a younger one, which a model keeps to when it is held to rise with age "
                '(or use = "monitor", without elderly_from)'
            )


def ask_counsel(contract: Contract) -> list[str]:
    """Return a remark where age is scored by labels that are past decisions, none elsewhere."""
    titles = feature_titles(contract)
    ages = [titles[feature.name] for feature in contract.scored if feature.elderly_from is not None]
    if not ages or contract.target.meaning != "past_decision":
        return []
    return [
        f"{ages[0]} is scored, and the labels are past decisions. Regulation B lets a system score age if it is "
        "derived from an empirical comparison of creditworthy and noncreditworthy applicants (12 CFR 1002.2(p)(1)(i)); "
        'past decisions do not say who was which. Counsel has to decide, or the contract says use = "monitor".'
    ]


def _unheld_directions(recipe: Recipe, contract: Contract) -> list[str]:
    titles = feature_titles(contract)
    directed = [titles[feature.name] for feature in contract.scored if feature.direction]
    if recipe.model_factory().keeps_directions or not directed:
        return []
    return [
        f"{recipe.model_name} can't be held to the contract's directions ({', '.join(directed)}) while it learns: the "
        "gate `monotone` fails where the data lead it the other way."
    ]


def _production(dataset: Dataset, costs: Costs | None) -> list[str]:
    version = tracking.version_of_alias(dataset.contract.model_name, ALIAS)
    if version is None:
        return []
    which = f"version {version.number}, in production,"
    try:
        data = tracking.load_model_file(version)
        verify(data, version.sha256)
        scorer = Scorer(data, version.sha256)
    except ModelFileError as err:
        return [f"The gate `not_worse` will fail: the file of {which} is refused here ({err})."]
    if costs and not costs.weigh_like(Costs.of_rule(scorer.decision_rule)):
        return [
            f"The gate `not_worse` will fail: {which} has costs in another ratio, a change of policy. "
            "A person may promote by force, with a reason."
        ]
    if not (reason := why_splits_differ(scorer, dataset)):
        return _power(scorer, dataset)
    return [
        f"The gate `not_worse` will fail: {which} {reason}, so that its training rows may be among these test rows. "
        "A person may promote by force, with a reason."
    ]


def _power(production: Scorer, dataset: Dataset) -> list[str]:
    """Return a remark where the test rows can't tell a model that decides each as production does from a dearer one."""
    X, y = dataset.rows("test")
    codes, costs = production.decide(production.score(X)), Costs.of_rule(production.decision_rule)
    allowed = Margins().cost * float(np.mean(costs.of_decisions(y, codes)))
    lost = -cost_saved(y, codes, codes, costs, dataset.units("test")).low
    if lost <= allowed:
        return []
    # The bound of a share of which nothing was seen falls as the rows grow.
    needed = math.ceil(len(y) * lost / allowed / 100) * 100 if allowed else 0
    return [
        f"With {len(y):,} test rows the gate `not_worse` will pass a model only if it is better. Even one that decides "
        f"every row as production does may cost up to {lost:.3g} more an application, and {allowed:.3g} are allowed. "
        + (f"It would take about {needed:,} rows." if needed else "No number of rows would do.")
    ]

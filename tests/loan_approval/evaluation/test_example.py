import re
from dataclasses import replace

import numpy as np
import pytest

from loan_approval.evaluation.example import explain_example
from serve.model.scorer import Scorer


@pytest.fixture
def scorer(make_model):
    return Scorer(make_model("loans", "logistic_regression").data)


def test_the_explanation_adds_up_to_the_examples_log_odds(scorer):
    found, X = explain_example(scorer), scorer.contract.encode(scorer.contract.example())
    p = scorer.score_one(X)
    total = found.explanation.base + found.explanation.values.sum()
    assert total == pytest.approx(np.log(p / (1 - p)), abs=1e-6)
    assert f"probability {p:.1%}" in found.sentences[0]
    assert found.sentences[1].startswith("Principal reasons: ")


def test_a_declined_example_is_told_what_would_change_it(scorer):
    features = tuple(
        replace(feature, example=feature.min if feature.name == "Credit_Score" else feature.example)
        for feature in scorer.contract.features
    )
    scorer.contract = replace(scorer.contract, features=features)
    said = explain_example(scorer).sentences
    assert "is decided Not approved" in said[0]
    assert any("approved from" in sentence or "No single change" in sentence for sentence in said[2:])


def test_the_decision_is_said_in_the_contracts_words_and_not_by_the_raw_label(scorer):
    raw = {scorer.contract.label(code): f"worded {code}" for code in (0, 1)}
    scorer.contract = replace(scorer.contract, target=replace(scorer.contract.target, words={"en": raw}))
    assert re.search(r"is decided worded [01] \(", explain_example(scorer).sentences[0])

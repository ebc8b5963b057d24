"""The contract's example application, decided and explained by a model file: a report shows no applicant's values."""

from dataclasses import dataclass

from serve.model.counterfactual import find_counterfactuals
from serve.model.reasons import explain_decision
from serve.model.scorer import Scorer
from serve.model.shapley import Explainer, Explanation


@dataclass(frozen=True)
class Explained:
    """The explanation of the example's decision, and what to say about it, a sentence each."""

    explanation: Explanation
    sentences: list[str]


def explain_example(scorer: Scorer) -> Explained:
    """Return what the file decides about the contract's example, its principal reasons, and what would change it."""
    X, explainer = scorer.contract.encode(scorer.contract.example()), Explainer(scorer)
    decision = scorer.answer_row(X)
    explanation, reasons = explain_decision(scorer, explainer, X, decision.probability)
    label = scorer.contract.label_text(decision.code)
    sentences = [
        f"The contract's example application is decided {label} (probability {decision.probability:.1%}, "
        f"threshold {decision.threshold:.1%})."
    ]
    if reasons:
        sentences.append(f"Principal reasons: {'; '.join(reason.text('en') for reason in reasons)}.")
    if not decision.code:
        changes = [each.text("en") for each in find_counterfactuals(scorer, X, explainer.trees)]
        sentences += [f"{change}." for change in changes] or ["No single change that an applicant can make would do."]
    return Explained(explanation, sentences)

from collections.abc import Callable
from dataclasses import replace

import pytest

from loan_approval.validation.reasons_check import check_reasons, reasons_gate
from serve.model.scorer import Scorer
from serve.model.shapley import Explainer


@pytest.mark.parametrize("dataset", ["loans", "homes"])
def test_the_reasons_of_a_file_add_up(make_model: Callable, dataset: str) -> None:
    made = make_model(dataset, "logistic_regression")
    X, _ = made.dataset.rows("test")

    found = check_reasons(Scorer(made.data), X)
    assert found["method"] == "exact"
    assert found["error"] == 0.0
    assert found["largest_gap"] < 1e-9
    assert 0 < found["rows"] <= 200
    assert found["features"] == X.shape[1]
    sizes = list(found["mean_contribution"].values())
    assert len(sizes) == X.shape[1]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 0


def test_reasons_that_do_not_add_up_show(make_model: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_model("loans", "logistic_regression")

    honest = Explainer.explain
    monkeypatch.setattr(
        Explainer, "explain", lambda self, X: replace(honest(self, X), values=honest(self, X).values + 0.1)
    )
    assert check_reasons(Scorer(made.data), made.dataset.rows("test")[0])["largest_gap"] == pytest.approx(0.7)


def test_a_file_whose_approved_applicants_lie_above_the_threshold_has_a_reason_for_every_decline(
    make_model: Callable,
) -> None:
    made = make_model("loans", "logistic_regression")
    gate = reasons_gate(check_reasons(Scorer(made.data), made.dataset.rows("test")[0]))
    assert gate.passed
    assert gate.words.endswith("every decline has a reason")


@pytest.mark.parametrize(
    ("change", "words"),
    [({"threshold": 5.0}, "a decline may lack a reason"), ({"largest_gap": 2e-6}, "by at most 2.0e-06")],
)
def test_a_file_that_could_decline_without_a_reason_or_misses_its_own_answer_fails(change: dict, words: str) -> None:
    found = {"largest_gap": 1e-12, "base": 1.0, "threshold": 0.0, "features": 7}
    assert reasons_gate(found).passed
    gate = reasons_gate(found | change)
    assert not gate.passed
    assert words in gate.words

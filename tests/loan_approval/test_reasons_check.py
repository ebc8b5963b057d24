from collections.abc import Callable
from dataclasses import replace

import pytest

from loan_approval.reasons_check import check_reasons
from serve.explain import Explainer
from serve.scorer import Scorer


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


def test_reasons_that_do_not_add_up_show(make_model: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_model("loans", "logistic_regression")

    honest = Explainer.explain
    monkeypatch.setattr(
        Explainer, "explain", lambda self, X: replace(honest(self, X), values=honest(self, X).values + 0.1)
    )
    assert check_reasons(Scorer(made.data), made.dataset.rows("test")[0])["largest_gap"] == pytest.approx(0.7)

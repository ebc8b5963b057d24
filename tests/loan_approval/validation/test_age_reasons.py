"""The gate of age and the reasons are judged together, on a model whose score rises with age."""

import numpy as np
import pytest

from loan_approval.validation.age_reasons import EXPLAINED, AgeReasons, count_age_reasons
from loan_approval.validation.monotone import age_gate, prove_age
from serve.model.scorer import Scorer
from tests.model_files import LOANS, LOANS_SCALING, make_documents, make_model, to_bytes

OTHERS = [85_000, 650, 25_000, 10, 5, 0]


def make_file_beside(age: float) -> bytes:
    """Return a file whose scores rise with age, and whose reasons compare with applicants of one age."""
    model = make_model(LOANS, LOANS_SCALING)
    return to_bytes(model, make_documents(model, LOANS, 1.0) | {"background": {"rows": [[age, *OTHERS]]}})


@pytest.mark.parametrize(("age", "named"), [(62, 0), (100, EXPLAINED)])
def test_a_model_that_tells_elderly_applicants_their_age_fails(loans, age, named):
    data = make_file_beside(age)
    X = np.tile([45, *OTHERS], (EXPLAINED, 1)).astype(float)
    proof = prove_age(data, X)
    assert proof.violations == 0
    gate = age_gate(proof)
    assert gate.passed == (named == 0)
    assert gate.numbers["elderly_named"] == pytest.approx(named, abs=5)  # those of 100 years have no more to gain
    assert f"against {proof.elderly.named} of {EXPLAINED} low-scoring applicants from 62 on, none may" in gate.words


def test_younger_applicants_may_be_told_their_age():
    scorer, X = Scorer(make_file_beside(62)), np.tile([45, *OTHERS], (9, 1)).astype(float)
    assert count_age_reasons(scorer, X, 0, np.array([18.0, 40.0])) == AgeReasons(9, 9)


def test_the_lowest_scoring_rows_are_explained():
    scorer = Scorer(make_file_beside(62))
    X = np.tile([45, *OTHERS], (EXPLAINED + 50, 1)).astype(float)
    X[:50, 2] = 800  # high scores, and reasons without age: nothing counts against them
    assert count_age_reasons(scorer, X, 0, np.array([30.0])).named == EXPLAINED


def test_without_rows_or_ages_nothing_is_counted():
    scorer = Scorer(make_file_beside(62))
    assert count_age_reasons(scorer, np.empty((0, 7)), 0, np.array([70.0])) == AgeReasons(0, 0)
    assert count_age_reasons(scorer, np.ones((3, 7)), 0, np.array([])) == AgeReasons(0, 0)

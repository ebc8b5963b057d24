import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from loan_approval.training.calibration import compare_calibrations, fit_sigmoid


def fitted(stretch):
    """Return a fitted logistic regression with its slope stretched, so its probabilities are too sure or too timid."""
    model = LogisticRegression().fit(*drawn(50))
    model.coef_, model.intercept_ = np.array([[stretch]]), np.array([0.0])
    return model


def drawn(rows, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(0, 1.5, (rows, 1))
    return X, (rng.random(rows) < 1 / (1 + np.exp(-X[:, 0]))).astype(int)


@pytest.mark.parametrize("stretch", [0.3, 4.0])
def test_a_sigmoid_is_taken_where_probabilities_are_too_timid_or_too_sure(stretch):
    compared = compare_calibrations(fitted(stretch), *drawn(1000), seed=7)
    assert compared.chosen == "sigmoid"
    assert compared.gain == pytest.approx(compared.raw_log_loss - compared.sigmoid_log_loss)
    assert compared.gain > compared.standard_error > 0
    assert str(compared).startswith("a sigmoid helps")


def test_right_probabilities_stay_as_they_are():
    chosen = [compare_calibrations(fitted(1.0), *drawn(1000, seed), seed=7).chosen for seed in range(30)]
    assert chosen.count("none") >= 25


def test_a_row_is_judged_by_a_sigmoid_that_did_not_see_it():
    X, y = drawn(20, seed=1)
    compared = compare_calibrations(fitted(1.0), X, y, seed=7)
    seen = fit_sigmoid(fitted(1.0), X, y).predict_proba(X)[:, 1]
    assert compared.sigmoid_log_loss > -np.mean(np.log(np.where(y == 1, seen, 1 - seen)))


def test_a_model_that_was_sure_and_wrong_gets_a_sigmoid():
    X, y = drawn(400)
    X[np.argmax(y == 0)] = 1000.0  # an own probability of 1 for a row that is 0
    assert fitted(1.0).predict_proba(X)[np.argmax(y == 0), 1] == 1.0
    assert compare_calibrations(fitted(1.0), X, y, seed=7).chosen == "sigmoid"


def test_comparing_leaves_the_model_as_it_was_and_follows_from_the_seed():
    model = fitted(2.0)
    one, other = (compare_calibrations(model, *drawn(200), seed=7) for _ in range(2))
    assert one == other
    assert (model.coef_[0, 0], model.intercept_[0]) == (2.0, 0.0)


@pytest.mark.parametrize("stretch", [1.0, 1.5])
def test_copies_of_rows_are_no_further_evidence_for_a_sigmoid(stretch):
    X, y = drawn(300)
    again = np.repeat(np.arange(300), 4)
    once = compare_calibrations(fitted(stretch), X, y, seed=7)
    copied = compare_calibrations(fitted(stretch), X[again], y[again], seed=7, groups=again)
    assert copied.standard_error == pytest.approx(once.standard_error, rel=0.2)  # Platt's targets count rows
    assert copied.chosen == once.chosen
    blind = compare_calibrations(fitted(stretch), X[again], y[again], seed=7)
    assert blind.standard_error < 0.6 * once.standard_error

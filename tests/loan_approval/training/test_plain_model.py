from dataclasses import replace

import numpy as np
import pytest

from loan_approval.evaluation.comparison import Comparison, CostGain
from loan_approval.evaluation.costs import Costs
from loan_approval.evaluation.intervals import Interval
from loan_approval.training.plain_model import decide_plainly, describe_gain

BETTER, WORSE, UNSURE = Interval(0.02, 0.01, 0.03), Interval(-0.02, -0.03, -0.01), Interval(0.0, -0.01, 0.01)


def gained(auc: Interval, saved: Interval) -> Comparison:
    return Comparison(100, auc, CostGain(Costs(1, 1), saved, 0.2), None, {})


def test_the_plain_model_learns_nothing_from_the_rows_it_decides(loans):
    is_test = loans.splits == "test"
    turned = replace(loans, y=np.where(is_test, 1 - loans.y, loans.y))
    (p, decided), (p_turned, decided_turned) = (
        decide_plainly(each, Costs(1, 1), "test", 7) for each in (loans, turned)
    )
    assert len(p) == len(decided) == is_test.sum()
    np.testing.assert_array_equal(p, p_turned)
    np.testing.assert_array_equal(decided, decided_turned)


def test_its_threshold_follows_from_the_costs(loans):
    careful, bold = (decide_plainly(loans, costs, "test", 7)[1].mean() for costs in (Costs(10, 1), Costs(1, 10)))
    assert careful < bold


@pytest.mark.parametrize(
    ("auc", "saved", "words"),
    [
        (BETTER, BETTER, "forest ranks better and costs less than logistic regression by more than chance: AUC gained"),
        (BETTER, UNSURE, "forest ranks better than"),
        (UNSURE, BETTER, "forest costs less than"),
        (UNSURE, UNSURE, "forest is no clear gain on logistic regression, whose every weight can be read"),
        (WORSE, UNSURE, "forest is worse than logistic regression: take the plain model"),
        (UNSURE, WORSE, "forest is worse than"),
        (BETTER, WORSE, "forest ranks better but costs more than logistic regression"),
        (WORSE, BETTER, "forest costs less but ranks worse than logistic regression"),
    ],
)
def test_the_gain_is_called_only_where_its_interval_is_clear(auc, saved, words):
    assert describe_gain("forest", gained(auc, saved)).startswith(words)


def test_the_plain_model_is_not_weighed_against_itself():
    assert "a logistic regression itself" in describe_gain("logistic_regression", gained(UNSURE, UNSURE))

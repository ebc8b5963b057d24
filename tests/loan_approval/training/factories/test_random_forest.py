import pytest

from loan_approval.errors import FactoryError
from loan_approval.training.factories.random_forest import DEEPEST, RandomForest


@pytest.mark.parametrize("depth", [None, "many", DEEPEST + 1])
def test_too_deep_a_forest_is_refused(depth):
    with pytest.raises(FactoryError, match=f"max_depth={depth!r}, expected a whole number up to 12"):
        RandomForest().make([0, 0], 7, {"max_depth": depth})

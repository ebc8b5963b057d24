"""Random forest, held to the contract's directions and to a depth a server can carry."""

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier

from loan_approval.errors import FactoryError
from loan_approval.training.factory import ModelFactory

DEEPEST = 12  # a forest of full depth is a file many times as large, and slower a row


class RandomForest(ModelFactory):
    """A forest of 200 trees."""

    name = "random_forest"
    learns_on_float32 = True
    trusted_types = ("sklearn.tree._tree.Tree",)

    def make_estimator(self, directions: Sequence[int], seed: int) -> BaseEstimator:
        """Return the estimator. One job: the order of its sums is fixed then."""
        monotonic_cst = list(directions) if any(directions) else None
        return RandomForestClassifier(
            n_estimators=200, max_depth=10, min_samples_leaf=5, monotonic_cst=monotonic_cst, n_jobs=1, random_state=seed
        )

    def check_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Refuse a depth beyond `DEEPEST`."""
        depth = parameters.get("max_depth", DEEPEST)
        if not isinstance(depth, int) or depth > DEEPEST:
            raise FactoryError(f"{self.name}: max_depth={depth!r}, expected a whole number up to {DEEPEST}")

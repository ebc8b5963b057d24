"""The abstract factory of models."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from sklearn.base import BaseEstimator

from loan_approval.errors import FactoryError


class ModelFactory(ABC):
    """Makes a classifier. A new one: one subclass in a file of its own below `factories/`."""

    name: ClassVar[str]
    # Trees compare in float32 in the graph: they must learn on what the graph will see.
    learns_on_float32: ClassVar[bool] = False
    # Types of this model that skops may load, beyond those it knows.
    trusted_types: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def make_estimator(self, directions: Sequence[int], seed: int) -> BaseEstimator:
        """Return the unfitted classifier with its defaults; `directions` has one entry a preprocessed column."""

    def check_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Raise FactoryError for values this factory can't honour."""

    def make(self, directions: Sequence[int], seed: int, parameters: Mapping[str, Any]) -> BaseEstimator:
        """Return the unfitted classifier with these parameters. Raises FactoryError for one it does not take."""
        estimator = self.make_estimator(directions, seed)
        unknown = sorted(set(parameters) - set(estimator.get_params()))
        if unknown:
            known = ", ".join(sorted(estimator.get_params()))
            raise FactoryError(f"{self.name} takes no {', '.join(unknown)}, expected some of {known}")
        self.check_parameters(parameters)
        return estimator.set_params(**parameters)

    def align_with_graph(self, estimator: BaseEstimator) -> None:
        """Change a fitted estimator, decisions unchanged, so that its float32 graph decides the same."""

    def register_converter(self) -> None:
        """Tell skl2onnx how to convert this model, where it does not know."""

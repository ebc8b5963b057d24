"""The abstract factories of models and of preprocessors; a class in a file of `factories/` is found by its name."""

import importlib
import inspect
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from loan_approval.errors import FactoryError
from loan_approval.training import factories
from serve.contract.contract import Contract

F = TypeVar("F")


class ModelFactory(ABC):
    """Makes a classifier. A new one: one subclass in a file of its own below `factories/`."""

    name: ClassVar[str]
    # Trees compare in float32 in the graph: they must learn on what the graph will see.
    learns_on_float32: ClassVar[bool] = False
    # Whether it can be held to the contract's directions while it learns.
    keeps_directions: ClassVar[bool] = True
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


class PreprocessorFactory(ABC):
    """Makes a ColumnTransformer from the contract. A new one: one subclass in a file of its own below `factories/`.

    Numbers come out first, in contract order, then each category one-hot over the contract's values and missing.
    """

    name: ClassVar[str]

    @abstractmethod
    def make_number_steps(self) -> list[tuple[str, BaseEstimator]]:
        """Return the pipeline steps for the numbers; the result has no NaN and as many columns."""

    def make(self, contract: Contract) -> ColumnTransformer:
        """Return the unfitted preprocessor for this contract."""
        numbers = [i for i, f in enumerate(contract.scored) if not f.is_category]
        categories = [(i, len(f.values)) for i, f in enumerate(contract.scored) if f.is_category]
        parts = [("numbers", Pipeline(self.make_number_steps()), numbers)] if numbers else []
        parts += [(f"category_{i}", _make_one_hot(values), [i]) for i, values in categories]
        return ColumnTransformer(parts)


def output_directions(contract: Contract) -> list[int]:
    """Return the direction (+1, -1, 0) of each column that a preprocessor puts out."""
    numbers = [f.direction for f in contract.scored if not f.is_category]
    return numbers + [0] * sum(len(f.values) + 1 for f in contract.scored if f.is_category)


def output_names(contract: Contract) -> list[str]:
    """Return the name of each column that a preprocessor puts out, such as `Home=rent`."""
    names = [f.name for f in contract.scored if not f.is_category]
    return names + [f"{f.name}={v}" for f in contract.scored if f.is_category for v in (*f.values, "missing")]


def output_columns(contract: Contract) -> list[slice]:
    """Return for each scored feature, in contract order, the columns that a preprocessor makes from it."""
    columns, end = {}, 0
    for number, feature in sorted(enumerate(contract.scored), key=lambda each: each[1].is_category):
        begin, end = end, end + (len(feature.values) + 1 if feature.is_category else 1)
        columns[number] = slice(begin, end)
    return [columns[number] for number in range(len(columns))]


def _make_one_hot(values: int) -> Pipeline:
    # Missing becomes an index of its own, the one after the last value.
    fill = SimpleImputer(strategy="constant", fill_value=float(values), keep_empty_features=True)
    encode = OneHotEncoder(categories=[np.arange(values + 1, dtype=float)], sparse_output=False)
    return Pipeline([("missing", fill), ("one_hot", encode)])


def find_factory(kind: type[F], name: str) -> F:
    """Return the factory of this kind with this name. Raises FactoryError with the names there are."""
    known = _by_name(kind)
    if name not in known:
        noun = "preprocessor" if "Preprocessor" in kind.__name__ else "model"
        raise FactoryError(f"no {noun} {name!r}, expected one of {', '.join(sorted(known))}")
    return known[name]()


def factory_names(kind: type) -> list[str]:
    """Return the names of all factories of this kind, sorted."""
    return sorted(_by_name(kind))


def _by_name(kind: type[F]) -> dict[str, type[F]]:
    for module in pkgutil.iter_modules(factories.__path__, f"{factories.__name__}."):
        importlib.import_module(module.name)
    found: dict[str, type[F]] = {}
    for factory in _subclasses(kind):
        where = f"{factory.__module__}.{factory.__name__}"
        if not isinstance(getattr(factory, "name", None), str):
            raise FactoryError(f'{where} has no name, expected `name = "…"` in the class')
        if factory.name in found:
            raise FactoryError(f"{where} is called {factory.name!r} like {found[factory.name].__module__}")
        found[factory.name] = factory
    return found


def _subclasses(kind: type[F]) -> list[type[F]]:
    every = [each for direct in kind.__subclasses__() for each in (direct, *_subclasses(direct))]
    return [each for each in every if not inspect.isabstract(each)]

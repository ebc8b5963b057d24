"""The factories. A class in a new file here is found by its `name`."""

import importlib
import inspect
import pkgutil
from typing import TypeVar

from loan_approval.errors import FactoryError

F = TypeVar("F")


def find_factory(kind: type[F], name: str) -> F:
    """Return the factory of this kind with this name. Raises FactoryError with the names there are."""
    factories = _by_name(kind)
    if name not in factories:
        noun = "preprocessor" if "Preprocessor" in kind.__name__ else "model"
        raise FactoryError(f"no {noun} {name!r}, expected one of {', '.join(sorted(factories))}")
    return factories[name]()


def factory_names(kind: type) -> list[str]:
    """Return the names of all factories of this kind, sorted."""
    return sorted(_by_name(kind))


def _by_name(kind: type[F]) -> dict[str, type[F]]:
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)
    factories: dict[str, type[F]] = {}
    for factory in _subclasses(kind):
        where = f"{factory.__module__}.{factory.__name__}"
        if not isinstance(getattr(factory, "name", None), str):
            raise FactoryError(f'{where} has no name, expected `name = "…"` in the class')
        if factory.name in factories:
            raise FactoryError(f"{where} is called {factory.name!r} like {factories[factory.name].__module__}")
        factories[factory.name] = factory
    return factories


def _subclasses(kind: type[F]) -> list[type[F]]:
    every = [each for direct in kind.__subclasses__() for each in (direct, *_subclasses(direct))]
    return [each for each in every if not inspect.isabstract(each)]

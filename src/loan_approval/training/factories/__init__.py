"""The factories: one class in one file; a file put here is found by its class's `name`."""

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
    factories: dict[str, type[F]] = {}
    for factory in _all(kind):
        where = f"{factory.__module__}.{factory.__name__}"
        if not isinstance(getattr(factory, "name", None), str):
            raise FactoryError(f'{where} has no name, expected `name = "…"` in the class')
        if factory.name in factories:
            raise FactoryError(f"{where} is called {factory.name!r} like {factories[factory.name].__module__}")
        factories[factory.name] = factory
    return factories


def _all(kind: type[F]) -> list[type[F]]:
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)
    found, waiting = [], [kind]
    while waiting:
        subclasses = waiting.pop().__subclasses__()
        waiting += subclasses
        found += [subclass for subclass in subclasses if not inspect.isabstract(subclass)]
    return found

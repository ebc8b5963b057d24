"""Versions registered in a real MLflow, for the tests that promote them."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from loan_approval.registry import tracking
from loan_approval.registry.tracking import Version
from serve.contract.contract import Contract
from serve.store.live import LiveModel
from serve.store.store import Store
from tests.model_files import LOANS, LOANS_SCALING, make_file

NAMES = (f"registered_model_{number}" for number in itertools.count())


def new_name() -> str:
    """Return the name of a registered model that no other test of this process uses."""
    return next(NAMES)


def register(name: str, bias: float, verdict: str = "passed", gates: Sequence[Mapping[str, Any]] = ()) -> Version:
    """Register a version whose file differs by its bias: with -1 it denies the example."""
    data = make_file(LOANS, LOANS_SCALING, bias)
    with tracking.start_run(name, "made by hand") as run:
        pass
    version = tracking.register(name, run, data, Contract.from_dict(LOANS))
    if verdict != "none":
        metadata = {"metrics": {"roc_auc": 0.8}, "gates": list(gates), "verdict": {"verdict": verdict}}
        tracking.record_verdict(version, verdict, metadata)
    return tracking.find_version(name, version.number)


def answering(store: Store, **options: Any) -> str | None:
    """Return the version that a server started now on this store answers with."""
    model = LiveModel(store, **options)
    model.refresh()
    return model.current.pointer.version if model.current else None

"""The contract: what an application is, for the notebook, the batch and the server alike."""

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from serve.contract_rules import contract_problems
from serve.errors import ApplicationError, ContractError
from serve.feature import Fault, Feature

FORMAT = 1
MOST_FIELDS_NAMED = 50  # in one error: a body may carry a hundred thousand unknown keys


@dataclass(frozen=True)
class Target:
    """What the label means. `labels` maps a cell of the target column to the word a client reads."""

    name: str
    meaning: str
    positive: str
    labels: dict[str, str]

    @property
    def approved(self) -> str:
        """The label of code 1."""
        return self.labels[self.positive]

    @property
    def denied(self) -> str:
        """The label of code 0."""
        return next(label for cell, label in self.labels.items() if cell != self.positive)

    def encode(self, cell: str) -> float:
        """Return 1.0 for the positive label and 0.0 for the other. Raises Fault."""
        cell = cell.strip()
        for known in self.labels:
            if cell == known or _same_number(cell, known):
                return float(known == self.positive)
        expected = " or ".join(f"{known} ({label})" for known, label in self.labels.items())
        raise Fault("missing" if not cell else "neither label", expected)


@dataclass(frozen=True)
class Contract:
    """A data set's contract; `features` in the order of the file, F of them scored; `refused` are none of them."""

    model_name: str
    experiment: str
    split_salt: str
    target: Target
    features: tuple[Feature, ...]
    format: int = FORMAT
    refused: tuple[Feature, ...] = ()

    @classmethod
    def load(cls, path: Path) -> "Contract":
        """Read `contract.toml`. Raises ContractError."""
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as err:
            raise ContractError(str(path), [str(err)]) from err
        return cls.from_dict(document, where=str(path))

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], where: str = "contract") -> "Contract":
        """Build a contract from its document (TOML or JSON). Raises ContractError with every problem."""
        problems = contract_problems(document, FORMAT)
        if problems:
            raise ContractError(where, problems)
        target = dict(document["target"], positive=str(document["target"]["positive"]))
        declared = [Feature(**dict(f, values=tuple(f.get("values") or ()))) for f in document["feature"]]
        features, refused = (tuple(f for f in declared if (f.use == "refuse") == no) for no in (False, True))
        rest = {key: document[key] for key in ("format", "model_name", "experiment", "split_salt")}
        return cls(target=Target(**target), features=features, refused=refused, **rest)

    def to_dict(self) -> dict[str, Any]:
        """Return the document `from_dict` reads; only what was declared, so that it is short and stable."""
        features = []
        for feature in (*self.features, *self.refused):
            default = asdict(Feature(feature.name, feature.type))
            declared = {k: v for k, v in asdict(feature).items() if v != default[k]}
            features.append({"name": feature.name, "type": feature.type} | declared)
        top = {key: getattr(self, key) for key in ("format", "model_name", "experiment", "split_salt")}
        return top | {"target": asdict(self.target), "feature": features}

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the contract's canonical JSON: the same wherever and however it was read."""
        text = json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def scored(self) -> tuple[Feature, ...]:
        """The F features the model sees, in contract order."""
        return tuple(feature for feature in self.features if feature.scored)

    @cached_property
    def monitored(self) -> tuple[Feature, ...]:
        """The features that are accepted and logged, never scored."""
        return tuple(feature for feature in self.features if not feature.scored)

    @cached_property
    def _by_name(self) -> dict[str, Feature]:
        return {feature.name: feature for feature in self.features}

    @cached_property
    def refusals(self) -> dict[str, str]:
        """What is answered to each name that the contract refuses; any other unknown name is told what is known."""
        return dict.fromkeys((feature.name for feature in self.refused), "not accepted, the contract refuses it")

    def example(self) -> dict[str, Any]:
        """Return the application made of each scored feature's example."""
        return {feature.name: feature.example for feature in self.scored}

    def label(self, code: int) -> str:
        """Return the label of a code, 1 or 0."""
        return self.target.approved if code else self.target.denied

    def encode(self, application: object) -> np.ndarray:
        """Return (1, F) float64 for one application; absent is null. Raises ApplicationError with every problem."""
        if not isinstance(application, Mapping):
            raise ApplicationError({"": "not an object, expected the features of one application"})
        X = np.empty((1, len(self.scored)))
        fields: dict[str, str] = {}
        for column, feature in enumerate(self.scored):
            try:
                X[0, column] = feature.encode(application.get(feature.name))
            except Fault as fault:
                fields[feature.name] = str(fault)
        for feature in self.monitored:
            try:
                if application.get(feature.name) is not None:  # absent means unknown
                    feature.encode(application[feature.name])
            except Fault as fault:
                fields[feature.name] = str(fault)
        unknown = [name for name in application if name not in self._by_name]
        text = f"unknown field, expected {', '.join(self._by_name)}"
        fields |= {name[:60]: self.refusals.get(name, text) for name in unknown[:MOST_FIELDS_NAMED]}
        if fields:
            raise ApplicationError(fields)
        return X

    def encode_table(
        self, columns: Mapping[str, Sequence[object]], features: Sequence[Feature] | None = None
    ) -> tuple[np.ndarray, list[tuple[int, str, Fault]]]:
        """Return (n, k) float64 over `features` (the scored ones if not given) and each (row, feature, fault).

        columns: one equally long sequence of values a feature; a monitored one may be absent.
        """
        features = self.scored if features is None else features
        n = len(next(iter(columns.values()), ()))
        X = np.full((n, len(features)), np.nan)
        problems = []
        for column, feature in enumerate(features):
            if feature.scored or feature.name in columns:
                X[:, column], faults = feature.encode_column(columns.get(feature.name, [None] * n))
                problems += [(row, feature.name, fault) for row, fault in faults.items()]
        return X, problems


def _same_number(a: str, b: str) -> bool:
    try:
        return float(a) == float(b)
    except ValueError:
        return False

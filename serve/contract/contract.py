"""The contract of a data set: validates and encodes an application for notebooks, batch and server alike."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import filterfalse, islice, repeat
from pathlib import Path
from typing import Any

import numpy as np

from serve.contract.columns import encode_column
from serve.contract.dates import count_days
from serve.contract.fault import Fault
from serve.contract.feature import LANGUAGES, Feature
from serve.contract.rules import FORMAT, contract_problems
from serve.contract.target import Target
from serve.contract.words import translate
from serve.errors import ApplicationError, ContractError

UNKNOWN = "(unknown)"  # stands for every unknown field in counts
MOST_FIELDS_NAMED = 50  # in one error: a body may have a hundred thousand unknown keys
LONGEST_NAME = 60  # characters of an unknown field that an error repeats
_TOP = ("format", "model_name", "experiment", "split_salt")
BY_VALUES, BY_ROW = "values", "row"  # what may decide a row's split, beside the name of a column


@dataclass(frozen=True)
class Contract:
    """A data set's contract; `features` are in the order of the file, without the `refused` ones.

    source: how the file was written that the data set was made from, {} where that is not recorded.
    split_by: what decides a row's split: `BY_VALUES`, `BY_ROW`, or a column that is no feature.
    """

    model_name: str
    experiment: str
    split_salt: str
    target: Target
    features: tuple[Feature, ...]
    format: int = FORMAT
    refused: tuple[Feature, ...] = ()
    source: Mapping[str, Any] = field(default_factory=dict)
    split_by: str = BY_VALUES

    @classmethod
    def load(cls, path: Path) -> "Contract":
        """Read `contract.toml`. Raises ContractError."""
        import tomllib

        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as err:
            raise ContractError(str(path), [str(err)]) from err
        return cls.from_dict(document, where=str(path))

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], where: str = "contract") -> "Contract":
        """Build a contract from its document (TOML or JSON). Raises ContractError with every problem."""
        if problems := contract_problems(document):
            raise ContractError(where, problems)
        target = Target(**dict(document["target"], positive=str(document["target"]["positive"])))
        declared = list(map(Feature.from_dict, document["feature"]))
        features, refused = (tuple(f for f in declared if (f.use == "refuse") == no) for no in (False, True))
        source, split = (document.get(table) or {} for table in ("source", "split"))
        top = {key: document[key] for key in _TOP}
        rest = {"source": source, "split_by": split.get("by", BY_VALUES)}
        return cls(target=target, features=features, refused=refused, **rest, **top)

    def to_dict(self) -> dict[str, Any]:
        """Return the document that `from_dict` reads, without defaults, so that it is short and stable."""
        features = [feature.to_dict() for feature in (*self.features, *self.refused)]
        target = {key: value for key, value in asdict(self.target).items() if value or key != "words"}
        document = {key: getattr(self, key) for key in _TOP} | {"target": target, "feature": features}
        document |= {"source": dict(self.source)} if self.source else {}
        return document | ({"split": {"by": self.split_by}} if self.split_by != BY_VALUES else {})

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the contract's canonical JSON."""
        text = json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def scored(self) -> tuple[Feature, ...]:
        """The F features the model sees, in contract order."""
        return tuple(feature for feature in self.features if feature.scored)

    @cached_property
    def monitored(self) -> tuple[Feature, ...]:
        """The features that are accepted and logged, but not scored."""
        return tuple(feature for feature in self.features if not feature.scored)

    @property
    def group_key(self) -> str:
        """The column whose equal cells keep rows in one split, "" where there is none."""
        return "" if self.split_by in (BY_VALUES, BY_ROW) else self.split_by

    @cached_property
    def counted(self) -> tuple[Feature, ...]:
        """The dates whose days are counted from another feature's date."""
        return tuple(feature for feature in self.features if feature.reference)

    def count_days(self, columns: Mapping[str, Sequence[object]]) -> Mapping[str, Sequence[object]]:
        """Return columns with the days of dates that are counted from another column's; other values stay."""
        days = {
            feature.name: list(map(count_days, columns[feature.name], columns.get(feature.reference, repeat(None))))
            for feature in self.counted
            if feature.name in columns
        }
        return {**columns, **days} if days else columns

    @cached_property
    def _by_name(self) -> dict[str, Feature]:
        return {feature.name: feature for feature in self.features}

    @cached_property
    def refusals(self) -> dict[str, str]:
        """The answer to each name that the contract refuses."""
        return dict.fromkeys((feature.name for feature in self.refused), "not accepted, the contract refuses it")

    def example(self) -> dict[str, Any]:
        """Return the application with each scored feature's example."""
        return {feature.name: feature.example for feature in self.scored}

    def label(self, code: int) -> str:
        """Return the label of a code, 1 or 0."""
        return self.target.label(code)

    def label_text(self, code: int, language: str = LANGUAGES[0]) -> str:
        """Return the words for the label of a code in a language, as `translate` does."""
        return translate(self.target.words, self.label(code), language)

    def encode(self, application: object) -> np.ndarray:
        """Return (1, F) float64 for one application; absent is null. Raises ApplicationError with every problem."""
        if not isinstance(application, Mapping):
            raise ApplicationError({"": "not an object, expected the features of one application"})
        application = self._count_days(application)
        X = np.empty((1, len(self.scored)))
        faults: dict[str, Fault] = {}
        for column, feature in enumerate(self.scored):
            try:
                X[0, column] = feature.encode(application.get(feature.name))
            except Fault as fault:
                faults[feature.name] = fault
        for feature in self.monitored:
            try:
                if application.get(feature.name) is not None:  # an absent value is unknown, not missing
                    feature.encode(application[feature.name])
            except Fault as fault:
                faults[feature.name] = fault
        known = sum(name in application for name in self._by_name)
        if faults or known < len(application):
            raise ApplicationError(*self._describe(application, faults, len(application) - known))
        return X

    def _count_days(self, application: Mapping[str, Any]) -> Mapping[str, Any]:
        if not self.counted:
            return application
        columns = self.count_days({name: [value] for name, value in application.items()})
        return {name: value for name, (value,) in columns.items()}

    def _describe(
        self, application: Mapping[str, Any], faults: Mapping[str, Fault], unknown: int
    ) -> tuple[dict[str, str], Counter[tuple[str, str]]]:
        """Return the text of each fault, some unknown fields among them, and the counts of all faults by their kind."""
        refused = [name for name in self.refusals if name in application]
        others = filterfalse(self._by_name.__contains__, application)
        named = [*refused, *islice((name for name in others if name not in self.refusals), MOST_FIELDS_NAMED)]
        faults = {**faults, **{name: self.judge_name(name) for name in named}}
        counts = Counter(self.describe_fault(name, fault) for name, fault in faults.items())
        if more := unknown - len(named):
            counts[UNKNOWN, "unknown field"] += more
        return {name[:LONGEST_NAME]: str(fault) for name, fault in faults.items()}, counts

    def encode_monitored(self, application: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Return (1,) float64 for each monitored feature that an application has. Raises Fault."""
        application = self._count_days(application)
        present = [feature for feature in self.monitored if application.get(feature.name) is not None]
        return {feature.name: np.array([feature.encode(application[feature.name])]) for feature in present}

    def judge_name(self, name: str, place: str = "field") -> Fault:
        """Return the fault of a name that is no feature's."""
        if name in self.refusals:
            return Fault(self.refusals[name], category="refused field")
        return Fault(f"unknown {place}", ", ".join(self._by_name), category=UNKNOWN)

    def describe_fault(self, name: str, fault: Fault) -> tuple[str, str]:
        """Return the field and kind to count a fault by; neither repeats what the caller wrote."""
        return (UNKNOWN, "unknown field") if fault.category == UNKNOWN else (name, fault.category)

    def encode_table(
        self, columns: Mapping[str, Sequence[object]], features: Sequence[Feature] | None = None
    ) -> tuple[np.ndarray, list[tuple[int, str, Fault]]]:
        """Return (n, k) float64 over `features` (by default the scored ones) and each (row, feature, fault).

        columns: the n values of each feature; a monitored one may be absent.
        """
        features, columns = self.scored if features is None else features, self.count_days(columns)
        n = len(next(iter(columns.values()), ()))
        X = np.full((n, len(features)), np.nan)
        problems = []
        for column, feature in enumerate(features):
            if feature.scored or feature.name in columns:
                X[:, column], faults = encode_column(feature, columns.get(feature.name, [None] * n))
                problems += [(row, feature.name, fault) for row, fault in faults.items()]
        return X, problems

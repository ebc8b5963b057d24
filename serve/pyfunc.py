"""The model as an MLflow `python_function`: `mlflow.pyfunc.load_model` calls `_load_pyfunc` of this module.

It imports neither mlflow nor pandas, though it is handed frames: a version in the registry holds it with the packages
it needs, so that the scorer which answers there is the server's own.
Source: MLflow 3.17.2, mlflow/pyfunc/__init__.py ("loader_module").
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from serve.contract.tables import encode_columns
from serve.errors import ApplicationError
from serve.model.reasons import reason_codes
from serve.model.scorer import MODEL_FILE, Scorer, name_band
from serve.model.shapley import Explainer

# What this module imports of its package.
PACKAGED = ("__init__.py", "contract", "errors.py", "json_pieces.py", "model", "pyfunc.py", "settings.py")
PACKAGED += ("strict_json.py",)
COLUMNS = ("code", "label", "probability", "band")  # of an answer


class Model:
    """Decides the rows of a frame as the server does."""

    def __init__(self, scorer: Scorer, column: str = "") -> None:
        """column: the one column to return, for tools that take a single one, such as `mlflow.models.evaluate`."""
        self._scorer, self._column = scorer, column

    @cached_property
    def _explainer(self) -> Explainer:
        return Explainer(self._scorer)

    def predict(self, frame: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return a frame with a row for each row: code, label, probability and band.

        frame: a pandas frame with a column for each feature; None, NaN and pandas.NA are missing values.
        params: {"reasons": True} adds the codes of the principal reasons, a list for each row.
        Raises ValueError that names row and feature of each value that breaks the contract, without the value.
        """
        contract, scorer = self._scorer.contract, self._scorer
        known = [feature.name for feature in contract.features if feature.name in frame.columns]
        columns = {name: _read_column(frame[name]) for name in known}
        columns |= {name: [] for name in frame.columns if name not in columns}  # the contract names what it lacks
        try:
            X = encode_columns(contract, columns)
        except ApplicationError as err:
            problems = "; ".join(f"{place}: {problem}" if place else problem for place, problem in err.fields.items())
            raise ValueError(f"the application breaks the contract: {problems}") from None
        p = scorer.score(X)
        codes = scorer.decide(p)
        answer = {"code": codes, "label": [contract.label(int(code)) for code in codes], "probability": p}
        answer["band"] = [name_band(float(value), *scorer.review_band) for value in p]
        if (params or {}).get("reasons"):
            answer["reasons"] = reason_codes(scorer, self._explainer, X)
        answers = type(frame)(answer, index=frame.index)
        return answers[self._column] if self._column else answers


def _read_column(column: Any) -> list[Any]:
    values = column.astype(object).where(column.notna(), None).tolist()
    # pandas' own types with gaps leave numpy's scalars, of which an int64 is no int to Python.
    return [value.item() if isinstance(value, np.generic) else value for value in values]


def _load_pyfunc(path: str, model_config: Mapping[str, str]) -> Model:
    """Return the verified model of a version's folder. Raises ModelFileError, and ValueError for an unknown column."""
    if model_config["column"] and model_config["column"] not in COLUMNS:
        raise ValueError(f"column: unknown, expected {', '.join(COLUMNS)}, or nothing for all of them")
    return Model(Scorer((Path(path) / MODEL_FILE).read_bytes()), model_config["column"])

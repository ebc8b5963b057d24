"""From a fitted pipeline to the model file: an ONNX graph with contract, rule, provenance, background and golden rows.

The same commit, data, lock and recipe give the same bytes: nothing depends on the clock or the machine.
"""

import json
import warnings
from dataclasses import asdict
from typing import Any

import numpy as np
import onnx
from onnx.utils import Extractor
from skl2onnx import to_onnx, update_registered_converter
from skl2onnx.common.data_types import DoubleTensorType
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline

from loan_approval.errors import ExportError
from loan_approval.training.fit import Recipe
from serve.contract.contract import Contract
from serve.contract.feature import Feature
from serve.errors import ModelFileError
from serve.model.documents import FORMAT
from serve.model.scorer import Scorer, open_session

GOLDEN_ROWS = 32
_OPSETS = {"": 21, "ai.onnx.ml": 3}


def export(
    pipeline: Pipeline,
    recipe: Recipe,
    contract: Contract,
    decision: dict[str, Any],
    provenance: dict[str, Any],
    background: tuple[np.ndarray, np.ndarray],
) -> bytes:
    """Return the bytes of the model file. Raises ExportError when it can't be made or does not verify.

    background: (B, F) encoded rows that reasons are against and (B,) their weights, as `make_background` gives them.
    """
    graph = _convert(pipeline, recipe, contract)
    rows = golden_rows(contract)
    session = open_session(graph.SerializeToString())
    scores = session.run(["probabilities"], {"X": rows})[0][:, 1].astype(np.float64).tolist()
    documents = {
        "contract": contract.to_dict(),
        "decision": decision,
        "provenance": provenance | {"recipe": asdict(recipe)},
        "background": {"rows": _with_nulls(background[0]), "weights": background[1].tolist()},
        # The graph's own scores: that they are the pipeline's is for `parity` to prove.
        "golden": {
            "rows": _with_nulls(rows),
            "scores": scores,
            "codes": [int(score >= decision["threshold"]) for score in scores],
        },
    }
    props = {"format": str(FORMAT)} | {name: _dump(document) for name, document in documents.items()}
    onnx.helper.set_model_props(graph, props)
    data = graph.SerializeToString(deterministic=True)
    try:
        Scorer(data)
    except ModelFileError as err:
        raise ExportError(f"the exported file does not verify: {err}") from err
    return data


def _convert(pipeline: Pipeline, recipe: Recipe, contract: Contract) -> onnx.ModelProto:
    # ONNX's own Imputer takes no double input in onnxruntime.
    update_registered_converter(SimpleImputer, "SklearnSimpleImputer", _imputer_shape, _convert_imputer, overwrite=True)
    recipe.model_factory().register_converter()
    input_type = [("X", DoubleTensorType([None, len(contract.scored)]))]
    try:
        with warnings.catch_warnings():
            # skl2onnx writes False into an attribute of integers; protobuf 6 warns, 7 refuses: hence the pin below 7.
            warnings.filterwarnings("ignore", "Field onnx.AttributeProto.ints: Expected an int, got a boolean")
            graph = to_onnx(pipeline, initial_types=input_type, options={"zipmap": False}, target_opset=_OPSETS)
    except (RuntimeError, NotImplementedError) as err:
        raise ExportError(f"{recipe.model_name} with {recipe.preprocessor_name} has no ONNX form: {err}") from err
    # Without the label, which no one asks for: a third of a logistic graph's nodes, and a sixth of its time.
    graph = Extractor(graph).extract_model(["X"], ["probabilities"])
    # skl2onnx lists the operator sets in the order of a Python set, which changes with the process's hash seed.
    operator_sets = sorted(graph.opset_import, key=lambda operator_set: operator_set.domain)
    del graph.opset_import[:]
    graph.opset_import.extend(operator_sets)
    return graph


def golden_rows(contract: Contract) -> np.ndarray:
    """Return (GOLDEN_ROWS, F) rows made from the contract alone: no person's data."""
    features = contract.scored
    fixed = [
        [f.encode(f.example) for f in features],
        *zip(*map(bounds, features), strict=True),
        [np.nan if f.missing else f.encode(f.example) for f in features],
    ]
    rng = np.random.default_rng(0)
    drawn = np.column_stack([draw_from_range(f, GOLDEN_ROWS - len(fixed), rng) for f in features])
    return np.concatenate([np.array(fixed), drawn])


def draw_from_range(feature: Feature, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return (rows,) encoded values over a feature's whole range, a tenth of them missing if allowed."""
    low, high = bounds(feature)
    drawn = rng.uniform(low, high, rows)
    if feature.is_category or feature.is_whole:
        drawn = rng.integers(int(low), int(high), rows, endpoint=True).astype(float)
    if feature.missing:
        drawn[rng.random(rows) < 0.1] = np.nan
    return drawn


def bounds(feature: Feature) -> tuple[float, float]:
    """Return the lowest and the highest encoded value of a feature."""
    return (0.0, len(feature.values) - 1.0) if feature.is_category else (float(feature.min), float(feature.max))


def _with_nulls(rows: np.ndarray) -> list[list[float | None]]:
    return [[None if np.isnan(x) else x for x in row] for row in rows.tolist()]


def _dump(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _imputer_shape(operator: Any) -> None:
    operator.outputs[0].type = type(operator.inputs[0].type)([None, len(operator.raw_operator.statistics_)])


def _convert_imputer(scope: Any, operator: Any, container: Any) -> None:
    statistics = operator.raw_operator.statistics_.astype(np.float64)
    source, result = operator.inputs[0].full_name, operator.outputs[0].full_name
    is_missing, fill = scope.get_unique_variable_name("is_missing"), scope.get_unique_variable_name("fill")
    container.add_initializer(fill, onnx.TensorProto.DOUBLE, [1, len(statistics)], statistics.tolist())
    names = {operator_type: scope.get_unique_operator_name(operator_type) for operator_type in ("IsNaN", "Where")}
    container.add_node("IsNaN", [source], [is_missing], op_version=13, name=names["IsNaN"])
    container.add_node("Where", [is_missing, fill, source], [result], op_version=16, name=names["Where"])

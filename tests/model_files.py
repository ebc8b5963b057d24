"""Small model files for the serving side's tests, written with onnx alone: good ones, and one for each fault.

`python -m tests.model_files FOLDER` writes them all: FOLDER/<name>.onnx, FOLDER/broken/<name>.onnx, and FOLDER/bombs/,
which exhaust memory or time. Environments that have no onnx read them from there.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

from serve.contract.contract import Contract
from serve.contract.feature import Feature
from serve.settings import LARGEST_FILE
from tests.graph_faults import BOMBS, GRAPH_FAULTS, spoil

ROOT = Path(__file__).parents[1]
THRESHOLD = 0.55
PROVENANCE = {"commit": "0" * 40, "data_sha256": "1" * 64, "lock_sha256": "2" * 64, "model": "logistic", "seed": 7}
LOANS = Contract.load(ROOT / "data/loans/contract.toml").to_dict()
# Two scored features and a monitored one: what the loans contract has none of.
MIXED = {
    **{"format": 1, "model_name": "mixed_model", "experiment": "mixed", "split_salt": "mixed-1"},
    "target": {"name": "granted", "meaning": "repaid", "positive": "yes", "labels": {"no": "Denied", "yes": "Granted"}},
    "feature": [
        {"name": "amount", "type": "number", "min": 0, "max": 100, "example": 10},
        {"name": "home", "type": "category", "values": ["own", "rent"], "missing": True, "example": "own"},
        {"name": "region", "type": "category", "values": ["north", "south"], "use": "monitor", "example": "north"},
    ],
}
# Days that are counted from another date of the application.
COUNTING = MIXED | {
    **{"model_name": "counting_model", "experiment": "counting"},
    "feature": [
        {
            "name": "asked",
            "type": "date",
            "range": ["2015-01-01", "2026-12-31"],
            "missing": True,
            "example": "2020-02-29",
        },
        {"name": "amount", "type": "number", "min": 0, "max": 100, "example": 10},
        {"name": "hired", "type": "date", "since": "asked", "min": -9, "max": 0, "missing": True, "example": -1},
    ],
}
# In contract order: what a missing value becomes, what a standard deviation is, and the weight of one.
LOANS_SCALING = {
    "center": [45, 85_000, 650, 25_000, 10, 5, 0],
    "scale": [15, 40_000, 80, 20_000, 6, 4, 1],
    "weight": [0.1, 0.8, 1.2, -0.7, 0.0, 0.1, -1.5],
}
# More features than are explained exactly, one of them a category.
WIDE = MIXED | {
    **{"model_name": "wide_model", "experiment": "wide"},
    "feature": [
        *(
            {"name": f"x{i}", "type": "number", "min": -9, "max": 9, "example": 1, "missing": i % 3 == 0}
            for i in range(9)
        ),
        {"name": "months", "type": "integer", "min": -9, "max": 9, "example": 1, "actionable": True},
        {"name": "amount", "type": "number", "min": -9, "max": 9, "example": 1, "missing": True, "actionable": True},
        {"name": "home", "type": "category", "values": ["own", "rent", "other"], "example": "rent", "actionable": True},
    ],
}
WIDE_SCALING = {"center": [0.5] * 11 + [1], "scale": [2.5] * 12}
# Dates as days from a fixed date, as a part, and as days from another date, which is monitored.
DAY = {"type": "date", "range": ["2000-01-01", "2030-12-31"], "example": "2020-02-29"}
DATED = MIXED | {
    **{"model_name": "dated_model", "experiment": "dated"},
    "feature": [
        DAY | {"name": "opened", "actionable": True},
        DAY | {"name": "due", "as": "month", "missing": True},
        DAY | {"name": "asked", "use": "monitor"},
        {"name": "hired", "type": "date", "since": "asked", "min": -15000, "max": 0, "example": -900, "missing": True},
    ],
}
DATED_SCALING = {"center": [5000, 6, -1000], "scale": [2000, 3, 1000], "weight": [-1, 0.1, -1]}
MIXED_SCALING = {"center": [50, 0], "scale": [50, 1], "weight": [-1, -1]}
COUNTING_SCALING = {"center": [1000, 50, -4], "scale": [1000, 30, 3], "weight": [0.1, 0.8, 0.5]}


def make_model(
    contract: Mapping[str, Any],
    scaling: Mapping[str, Sequence[float]],
    bias: float = 1.0,
    kind: int = TensorProto.DOUBLE,
    output: str = "probabilities",
) -> onnx.ModelProto:
    """Return a logistic graph: missing values become the center, then `sigmoid(bias + sum(weight * distance))`."""
    numbers = onnx.helper.tensor_dtype_to_np_dtype(kind)
    center, scale, weight = (np.array(scaling[key], numbers) for key in ("center", "scale", "weight"))
    slope = weight / scale
    constants = {"center": center, "slope": slope[:, None], "bias": np.array([bias - center @ slope], numbers)}
    nodes = [
        helper.make_node("IsNaN", ["X"], ["missing"]),
        helper.make_node("Where", ["missing", "center", "X"], ["filled"]),
        helper.make_node("MatMul", ["filled", "slope"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["approval"]),
        helper.make_node("Sub", ["one", "approval"], ["denial"]),
        helper.make_node("Concat", ["denial", "approval"], [output], axis=1),
    ]
    constants["one"] = np.array([1], numbers)
    graph = helper.make_graph(
        nodes,
        contract["model_name"],
        [helper.make_tensor_value_info("X", kind, [None, len(center)])],
        [helper.make_tensor_value_info(output, kind, [None, 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def make_boosted_model(
    contract: Mapping[str, Any],
    scaling: Mapping[str, Sequence[float]],
    mode: str,
    trees: int,
    calibrated: bool = False,
    mixing: bool = False,
) -> onnx.ModelProto:
    """Return a graph of small trees with random splits and weights, each with four leaves.

    Missing values become the center; every value is scaled and cast to float32, as scikit-learn's exports do. The
    trees themselves end in a sigmoid, or with `calibrated` nodes after them do. With `mixing` the trees see some of
    every value in each.
    """
    center, scale = (np.array(scaling[key], np.float64) for key in ("center", "scale"))
    rng = np.random.default_rng(len(center))
    splits = {0: (1, 2), 1: (3, 4), 2: (5, 6)}  # the nodes of each tree: three splits, then four leaves
    numbers, every = list(range(7)), range(trees)
    nodes = {
        "nodes_treeids": [tree for tree in every for _ in numbers],
        "nodes_nodeids": numbers * trees,
        "nodes_featureids": [int(rng.integers(len(center))) if n in splits else 0 for _ in every for n in numbers],
        "nodes_values": [float(rng.normal(0, 0.7)) if n in splits else 0.0 for _ in every for n in numbers],
        "nodes_modes": [mode if n in splits else "LEAF" for n in numbers] * trees,
        "nodes_truenodeids": [splits.get(n, (0, 0))[0] for n in numbers] * trees,
        "nodes_falsenodeids": [splits.get(n, (0, 0))[1] for n in numbers] * trees,
    }
    leaves = {
        "class_treeids": [tree for tree in range(trees) for _ in range(4)],
        "class_nodeids": [3, 4, 5, 6] * trees,
        "class_ids": [0] * 4 * trees,
        "class_weights": rng.normal(0, 1.5 / np.sqrt(trees), 4 * trees).astype(np.float32).tolist(),
        "classlabels_int64s": [0, 1],
        "base_values": [0.1],
        "post_transform": "NONE" if calibrated else "LOGISTIC",
    }
    sums = "sums" if calibrated else "probabilities"
    steps = [
        helper.make_node("IsNaN", ["X"], ["missing"]),
        helper.make_node("Where", ["missing", "center", "X"], ["filled"]),
        helper.make_node("Sub", ["filled", "center"], ["moved"]),
        helper.make_node("Div", ["moved", "scale"], ["scaled"]),
        *([helper.make_node("MatMul", ["scaled", "shares"], ["mixed"])] if mixing else []),
        helper.make_node("Cast", ["mixed" if mixing else "scaled"], ["seen"], to=TensorProto.FLOAT),
        helper.make_node("TreeEnsembleClassifier", ["seen"], ["label", sums], domain="ai.onnx.ml", **nodes, **leaves),
    ]
    if calibrated:
        steps += [
            helper.make_node("Gather", ["sums", "second"], ["sum"], axis=1),
            helper.make_node("Mul", ["sum", "slope"], ["logit"]),
            helper.make_node("Sigmoid", ["logit"], ["approval"]),
            helper.make_node("Sub", ["one", "approval"], ["denial"]),
            helper.make_node("Concat", ["denial", "approval"], ["probabilities"], axis=1),
        ]
    constants = {"center": center, "scale": scale}
    if mixing:
        constants["shares"] = np.eye(len(center)) + 0.1
    if calibrated:
        constants |= {"slope": np.array([0.8], np.float32), "one": np.array([1], np.float32), "second": np.array([1])}
    graph = helper.make_graph(
        steps,
        "boosted",
        [helper.make_tensor_value_info("X", TensorProto.DOUBLE, [None, len(center)])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    operator_sets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=operator_sets, ir_version=10)


def make_documents(
    model: onnx.ModelProto, contract: Mapping[str, Any], bias: float, threshold: float = THRESHOLD
) -> dict[str, Any]:
    """Return the metadata documents; the golden scores are the graph's own."""
    rows = _golden_rows(Contract.from_dict(contract))
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    X = np.array(rows, helper.tensor_dtype_to_np_dtype(model.graph.input[0].type.tensor_type.elem_type))
    scores = session.run(None, {"X": X})[0][:, 1]
    return {
        "contract": contract,
        "decision": {"threshold": threshold, "review_band": [threshold, threshold]},
        "provenance": PROVENANCE | {"parameters": {"bias": bias}},
        "background": {"rows": _background_rows(Contract.from_dict(contract))},
        "golden": {"rows": rows, "scores": [float(s) for s in scores], "codes": [int(s >= threshold) for s in scores]},
    }


def _golden_rows(contract: Contract) -> list[list[float | None]]:
    """Return the example, and for each feature its lowest and highest value and none at all."""
    example = [feature.encode(feature.example) for feature in contract.scored]
    rows = [example]
    for column, feature in enumerate(contract.scored):
        ends = [0, len(feature.values) - 1] if feature.is_category else [feature.min, feature.max]
        rows += [[*example[:column], value, *example[column + 1 :]] for value in [*ends, None]]
    return rows


def _background_rows(contract: Contract) -> list[list[float | None]]:
    """Return two rows: a fifth above the example, and a fifth below with nothing where it may be."""

    def near(feature: Feature, factor: float) -> float:
        if feature.is_category:
            return len(feature.values) - 1 if factor > 1 else 0
        return min(feature.max, max(feature.min, round(feature.encode(feature.example) * factor)))

    return [
        [near(feature, 1.2) for feature in contract.scored],
        [None if feature.missing else near(feature, 0.8) for feature in contract.scored],
    ]


def to_bytes(model: onnx.ModelProto, documents: Mapping[str, Any], version: str = "2") -> bytes:
    """Return the model file: the graph with the documents in its metadata."""
    finished = onnx.ModelProto()
    finished.CopyFrom(model)
    texts = {name: text if isinstance(text, str) else json.dumps(text) for name, text in documents.items()}
    helper.set_model_props(finished, {"format": version} | texts)
    return finished.SerializeToString(deterministic=True)


def make_file(
    contract: Mapping[str, Any], scaling: Mapping[str, Sequence[float]], bias: float = 1.0, **decision: Any
) -> bytes:
    """Return a whole, right model file; `decision` replaces the decision rule."""
    model = make_model(contract, scaling, bias)
    documents = make_documents(model, contract, bias, decision.get("threshold", THRESHOLD))
    return to_bytes(model, documents | ({"decision": decision} if decision else {}))


def good_files() -> dict[str, bytes]:
    """Return the files that load: `loans` approves the contract's example, `loans_strict` denies it, `loans_reviewed`
    refers it to a person; `loans_bandless` declares no review band; `boosted…` are of trees.
    """
    boosted = {
        "boosted": (LOANS, make_boosted_model(LOANS, LOANS_SCALING, "BRANCH_LEQ", 60)),
        "boosted_calibrated": (LOANS, make_boosted_model(LOANS, LOANS_SCALING, "BRANCH_LT", 60, calibrated=True)),
        "boosted_wide": (WIDE, make_boosted_model(WIDE, WIDE_SCALING, "BRANCH_LEQ", 30)),
        "boosted_mixing": (WIDE, make_boosted_model(WIDE, WIDE_SCALING, "BRANCH_LEQ", 60, mixing=True)),
        "boosted_large": (LOANS, make_boosted_model(LOANS, LOANS_SCALING, "BRANCH_LEQ", 6_000)),
    }
    files = {name: to_bytes(model, make_documents(model, contract, 0.0)) for name, (contract, model) in boosted.items()}
    return files | {
        "loans": make_file(LOANS, LOANS_SCALING),
        "loans_strict": make_file(LOANS, LOANS_SCALING, bias=-1.0),
        "loans_reviewed": make_file(LOANS, LOANS_SCALING, threshold=THRESHOLD, review_band=[0.5, 0.75]),
        "loans_bandless": make_file(LOANS, LOANS_SCALING, threshold=THRESHOLD),
        "mixed": make_file(MIXED, MIXED_SCALING),
        "counting": make_file(COUNTING, COUNTING_SCALING),
    }


def broken_files() -> dict[str, bytes]:
    """Return one file for each fault, named by it."""
    model = make_model(LOANS, LOANS_SCALING)
    right = make_documents(model, LOANS, 1.0)
    rows = right["background"]["rows"]
    golden, scores = right["golden"], right["golden"]["scores"]
    nudged = [scores[0] + 1e-5, *scores[1:]]
    at_threshold = {"threshold": float(np.nextafter(scores[0], 0))}
    below = [float(np.nextafter(at_threshold["threshold"], 0)), *scores[1:]]
    changes: dict[str, dict[str, Any]] = {
        "golden_score_wrong": {"golden": golden | {"scores": nudged}},
        "golden_score_not_a_number": {"golden": golden | {"scores": [None, *scores[1:]]}},
        "golden_decided_otherwise": {"golden": golden | {"scores": below}, "decision": at_threshold},
        "golden_codes_absent": {"golden": {"rows": golden["rows"], "scores": scores}},
        "golden_codes_true": {"golden": golden | {"codes": [True, *golden["codes"][1:]]}},
        "golden_code_absent": {"golden": golden | {"codes": golden["codes"][1:]}},
        "golden_rows_few": {"golden": {key: values[:3] for key, values in golden.items()}},
        "threshold_moved": {"decision": {"threshold": 0.9}},
        "golden_score_absent": {"golden": golden | {"scores": scores[1:]}},
        "golden_rows_none": {"golden": {"rows": [], "scores": []}},
        "golden_rows_narrow": {"golden": golden | {"rows": [row[1:] for row in golden["rows"]]}},
        "golden_not_an_object": {"golden": [golden]},
        "background_rows_absent": {"background": {}},
        "background_rows_none": {"background": {"rows": []}},
        "background_rows_too_many": {"background": {"rows": rows[:1] * 65}},
        "background_row_narrow": {"background": {"rows": [*rows, rows[0][1:]]}},
        "background_row_not_a_list": {"background": {"rows": [*rows, 1]}},
        "background_of_text": {"background": {"rows": [[str(rows[0][0]), *rows[0][1:]]]}},
        "background_true": {"background": {"rows": [[*rows[0][:-1], True]]}},
        "background_out_of_range": {"background": {"rows": [[101, *rows[0][1:]]]}},
        "background_not_whole": {"background": {"rows": [[*rows[0][:-1], 0.5]]}},
        "background_missing": {"background": {"rows": [[*rows[0][:3], None, *rows[0][4:]]]}},
        "background_infinite": {"background": '{"rows": [[1e999]]}'},
        "background_weights_text": {"background": right["background"] | {"weights": "11"}},
        "background_weight_absent": {"background": right["background"] | {"weights": [1]}},
        "background_weight_true": {"background": right["background"] | {"weights": [1, True]}},
        "background_weight_zero": {"background": right["background"] | {"weights": [1, 0]}},
        "background_weight_null": {"background": right["background"] | {"weights": [1, None]}},
        "background_weight_huge": {"background": right["background"] | {"weights": [1, 10**400]}},
        "background_weight_infinite": {"background": json.dumps(right["background"])[:-1] + ', "weights": [1, 1e999]}'},
        "background_not_an_object": {"background": rows},
        "threshold_absent": {"decision": {}},
        "threshold_one": {"decision": {"threshold": 1.0}},
        "threshold_text": {"decision": {"threshold": "0.5"}},
        "threshold_not_a_number": {"decision": {"threshold": float("nan")}},
        "review_band_of_three": {"decision": right["decision"] | {"review_band": [0.5, 0.55, 0.6]}},
        "review_band_text": {"decision": right["decision"] | {"review_band": ["0.5", "0.6"]}},
        "review_band_true": {"decision": right["decision"] | {"review_band": [0.5, True]}},
        "review_band_null": {"decision": right["decision"] | {"review_band": None}},
        "review_band_turned": {"decision": right["decision"] | {"review_band": [0.6, 0.5]}},
        "review_band_above_the_threshold": {"decision": right["decision"] | {"review_band": [0.6, 0.7]}},
        "review_band_not_a_number": {"decision": right["decision"] | {"review_band": [0.5, float("nan")]}},
        "review_band_beyond_one": {"decision": right["decision"] | {"review_band": [0.5, 1.01]}},
        "contract_not_json": {"contract": "{"},
        "contract_of_lone_surrogates": {"contract": json.dumps(LOANS).replace('"Approved"', '"\\ud800"')},
        "provenance_not_a_number": {"provenance": right["provenance"] | {"seed": float("nan")}},
        "contract_nested_without_end": {"contract": "[" * 100_000},
        "contract_breaks_rules": {"contract": LOANS | {"feature": []}},
        "contract_newer": {"contract": LOANS | {"format": 2}},
        "contract_of_nulls": {"contract": dict.fromkeys(LOANS)},
        "contract_narrow": {"contract": LOANS | {"feature": LOANS["feature"][1:]}},
    }
    files = {name: to_bytes(model, right | change) for name, change in changes.items()}
    for name in right:
        files[f"{name}_absent"] = to_bytes(model, {k: v for k, v in right.items() if k != name})
    whole = to_bytes(model, right)
    graphs = {f"graph_{name}": data for name, data in spoil(whole, GRAPH_FAULTS).items()}
    return files | graphs | _broken_graphs(right) | _broken_bytes(whole)


def bomb_files() -> dict[str, bytes]:
    """Return the files that exhaust the memory or the time of whoever opens them."""
    return spoil(make_file(LOANS, LOANS_SCALING), BOMBS)


def _broken_graphs(right: Mapping[str, Any]) -> dict[str, bytes]:
    narrow = {key: values[1:] for key, values in LOANS_SCALING.items()}
    return {
        "format_newer": to_bytes(make_model(LOANS, LOANS_SCALING), right, version="9"),
        "format_older": to_bytes(make_model(LOANS, LOANS_SCALING), right, version="1"),
        "background_category_unknown": _with_background(MIXED, MIXED_SCALING, [[10, 2]]),
        "background_category_between": _with_background(MIXED, MIXED_SCALING, [[10, 0.5]]),
        "input_narrow": to_bytes(make_model(LOANS, narrow), right),
        "input_float": to_bytes(make_model(LOANS, LOANS_SCALING, kind=TensorProto.FLOAT), right),
        "output_renamed": to_bytes(make_model(LOANS, LOANS_SCALING, output="label"), right),
        "weight_changed": to_bytes(make_model(LOANS, LOANS_SCALING, bias=1.01), right),
        "graph_without_end": to_bytes(_without_end(make_model(LOANS, LOANS_SCALING)), right),
        "weights_outside": to_bytes(_with_weights_outside(make_model(LOANS, LOANS_SCALING)), right),
    }


def _with_background(
    contract: Mapping[str, Any], scaling: Mapping[str, Sequence[float]], rows: list[list[float]]
) -> bytes:
    model = make_model(contract, scaling)
    return to_bytes(model, make_documents(model, contract, 1.0) | {"background": {"rows": rows}})


def _with_weights_outside(model: onnx.ModelProto) -> onnx.ModelProto:
    slope = next(tensor for tensor in model.graph.initializer if tensor.name == "slope")
    set_external_data(slope, "weights.bin")
    slope.ClearField("raw_data")
    return model


def _without_end(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with a loop before its output that never comes to an end."""
    kept = helper.make_tensor_value_info("kept", TensorProto.DOUBLE, None)
    going, still = (helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("going", "still"))
    count, before = (
        helper.make_tensor_value_info("count", TensorProto.INT64, []),
        helper.make_tensor_value_info("before", TensorProto.DOUBLE, None),
    )
    steps = [helper.make_node("Identity", ["going"], ["still"]), helper.make_node("Identity", ["before"], ["kept"])]
    body = helper.make_graph(steps, "body", [count, going, before], [still, kept])
    model.graph.node[-1].output[0] = "done"
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "for_ever"))
    model.graph.node.append(helper.make_node("Loop", ["", "for_ever", "done"], ["probabilities"], body=body))
    return model


def _broken_bytes(right: bytes) -> dict[str, bytes]:
    return {
        "bytes_truncated": right[: len(right) // 2],
        "bytes_none": b"",
        "bytes_random": np.random.default_rng(1).bytes(4096),
        "bytes_too_many": bytes(LARGEST_FILE + 1),
    }


def write_files(folder: Path) -> Path:
    """Write every file below a folder and return it."""
    broken, bombs = folder / "broken", folder / "bombs"
    for kind in (broken, bombs):
        kind.mkdir(parents=True, exist_ok=True)
    for name, data in good_files().items():
        (folder / f"{name}.onnx").write_bytes(data)
    for name, data in broken_files().items():
        (broken / f"{name}.onnx").write_bytes(data)
    for name, data in bomb_files().items():
        (bombs / f"{name}.onnx").write_bytes(data)
    return folder


if __name__ == "__main__":
    write_files(Path(sys.argv[1]))

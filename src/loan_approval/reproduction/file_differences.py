"""Describes the differences between two model files that should be the same: graph, weights, documents, scores."""

from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from serve import strict_json
from serve.errors import JSONError, ModelFileError
from serve.model.scorer import OUTPUTS, open_session


def describe_differences(recorded: bytes, rebuilt: bytes) -> list[str]:
    """Return one line for each part that differs, and one with the largest difference of scores; none if equal."""
    if recorded == rebuilt:
        return []
    try:
        old, new = onnx.load_from_string(recorded), onnx.load_from_string(rebuilt)
    except DecodeError:
        return ["bytes: one of the two is not an ONNX model"]
    before, after = read_documents(old), read_documents(new)
    lines = [*_compare_graphs(old, new), *_compare_weights(old, new), *_compare_documents(before, after)]
    return [*lines, _compare_scores(before.get("golden"), rebuilt)]


def read_documents(model: onnx.ModelProto) -> dict[str, Any]:
    """Return a file's metadata by name, as documents where they are JSON."""
    return {prop.key: _parse(prop.value) for prop in model.metadata_props}


def _parse(text: str) -> Any:
    try:
        return strict_json.loads(text.encode())
    except JSONError:
        return text


def _compare_graphs(old: onnx.ModelProto, new: onnx.ModelProto) -> list[str]:
    before, after = _properties(old), _properties(new)
    lines = [f"{name}: {before[name]!r}, now {after[name]!r}" for name in before if before[name] != after[name]]
    changed = [b.name or b.op_type for b, a in zip(old.graph.node, new.graph.node, strict=False) if b != a]
    return [*lines, *([f"nodes that differ: {name_some(changed)}"] if changed else [])]


def _properties(model: onnx.ModelProto) -> dict[str, Any]:
    return {
        **{name: getattr(model, name) for name in ("ir_version", "producer_name", "producer_version")},
        "operator sets": [f"{known.domain or 'ai.onnx'} {known.version}" for known in model.opset_import],
        "nodes": len(model.graph.node),
    }


def _compare_weights(old: onnx.ModelProto, new: onnx.ModelProto) -> list[str]:
    before, after = ({tensor.name: tensor for tensor in model.graph.initializer} for model in (old, new))
    lines = []
    if before.keys() != after.keys():
        lines.append(f"weights on one side only: {name_some(sorted(before.keys() ^ after.keys()))}")
    for name in sorted(before.keys() & after.keys()):
        if before[name] != after[name]:
            lines.append(f"weights {name}: {_apart(before[name], after[name])}")
    return lines


def _apart(old: onnx.TensorProto, new: onnx.TensorProto) -> str:
    if onnx.TensorProto.EXTERNAL in (old.data_location, new.data_location):  # not opened, as it may name any file
        return "kept outside the file"
    before, after = onnx.numpy_helper.to_array(old), onnx.numpy_helper.to_array(new)
    if before.shape != after.shape:
        return f"shape {before.shape}, now {after.shape}"
    numeric = np.issubdtype(before.dtype, np.number)
    most = f", at most by {np.max(np.abs(after - before)):.3g}" if numeric else ""
    return f"{np.sum(before != after)} of {before.size} differ{most}"


def _compare_documents(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    lines = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            keys = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
            lines.append(f"document {name}: {name_some(keys)}")
        else:
            lines.append(f"document {name}: {'there on one side only' if old is None or new is None else 'differs'}")
    return lines


def _compare_scores(golden: Any, rebuilt: bytes) -> str:
    try:
        session = open_session(rebuilt)
        rows, recorded = (np.array(golden[name], dtype=np.float64) for name in ("rows", "scores"))
        p = session.run(OUTPUTS, {"X": rows})[0][:, 1].astype(np.float64)
        return f"golden rows: scores differ at most by {np.max(np.abs(p - recorded)):.3g}"
    except ModelFileError as err:
        return f"golden rows: {err}"
    except Exception as err:  # noqa: BLE001 (wrong width, no output, no rows: each has another class of error)
        return f"golden rows: the rebuilt file can't score the recorded ones: {type(err).__name__}"


def name_some(names: list[str], most: int = 5, separator: str = ", ") -> str:
    """Return the first names, and the number of the others."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return separator.join(names[:most]) + more

"""What differs between two model files that should be the same: graph, weights, each document, scores."""

from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from serve import strict_json
from serve.errors import JSONError, ModelFileError
from serve.model.scorer import OUTPUTS, open_session

_SHOWN = 5  # names in one line


def describe_differences(recorded: bytes, rebuilt: bytes) -> list[str]:
    """Return one line for each part that differs, and the largest difference of scores; none for equal files."""
    if recorded == rebuilt:
        return []
    try:
        old, new = onnx.load_from_string(recorded), onnx.load_from_string(rebuilt)
    except DecodeError:
        return ["bytes: one of the two is not an ONNX model"]
    before, after = read_documents(old), read_documents(new)
    lines = [*_compare_graphs(old, new), *_compare_weights(old, new), *_compare_documents(before, after)]
    lines += _compare_scores(before.get("golden"), rebuilt)
    return lines or ["bytes: both say the same in another order or encoding"]


def read_documents(model: onnx.ModelProto) -> dict[str, Any]:
    """Return a file's metadata by name, as documents where they are JSON."""
    return {prop.key: _parse(prop.value) for prop in model.metadata_props}


def _parse(text: str) -> Any:
    try:
        return strict_json.loads(text.encode())
    except JSONError:
        return text


def _compare_graphs(old: onnx.ModelProto, new: onnx.ModelProto) -> list[str]:
    lines = []
    for name in ("ir_version", "producer_name", "producer_version"):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            lines.append(f"{name}: {before!r}, now {after!r}")
    if _operator_sets(old) != _operator_sets(new):
        lines.append(f"operator sets: {_operator_sets(old)}, now {_operator_sets(new)}")
    before, after = list(old.graph.node), list(new.graph.node)
    if len(before) != len(after):
        lines.append(f"nodes: {len(before)}, now {len(after)}")
    changed = [b.name or b.op_type for b, a in zip(before, after, strict=False) if b != a]
    return [*lines, *([f"nodes that differ: {_some(changed)}"] if changed else [])]


def _operator_sets(model: onnx.ModelProto) -> list[str]:
    return [f"{known.domain or 'ai.onnx'} {known.version}" for known in model.opset_import]


def _compare_weights(old: onnx.ModelProto, new: onnx.ModelProto) -> list[str]:
    before, after = ({tensor.name: tensor for tensor in model.graph.initializer} for model in (old, new))
    lines = []
    if before.keys() != after.keys():
        lines.append(f"weights on one side only: {_some(sorted(before.keys() ^ after.keys()))}")
    for name in sorted(before.keys() & after.keys()):
        if before[name] != after[name]:
            lines.append(f"weights {name}: {_apart(before[name], after[name])}")
    return lines


def _apart(old: onnx.TensorProto, new: onnx.TensorProto) -> str:
    if onnx.TensorProto.EXTERNAL in (old.data_location, new.data_location):  # never opened: it names any file
        return "kept outside the file"
    before, after = onnx.numpy_helper.to_array(old), onnx.numpy_helper.to_array(new)
    if before.shape != after.shape:
        return f"shape {before.shape}, now {after.shape}"
    if not np.issubdtype(before.dtype, np.number):
        return f"{np.sum(before != after)} of {before.size} differ"
    return f"{np.sum(before != after)} of {before.size} differ, at most by {np.max(np.abs(after - before)):.3g}"


def _compare_documents(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    lines = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            keys = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
            lines.append(f"document {name}: {_some(keys)}")
        else:
            lines.append(f"document {name}: {'there on one side only' if old is None or new is None else 'differs'}")
    return lines


def _compare_scores(golden: Any, rebuilt: bytes) -> list[str]:
    try:
        return [f"golden rows: scores differ at most by {_largest_difference(golden, rebuilt):.3g}"]
    except ModelFileError as err:
        return [f"golden rows: {err}"]


def _largest_difference(golden: Any, rebuilt: bytes) -> float:
    session = open_session(rebuilt)
    try:
        rows, recorded = (np.array(golden[name], dtype=np.float64) for name in ("rows", "scores"))
        p = session.run(OUTPUTS, {"X": rows})[0][:, 1].astype(np.float64)
        return float(np.max(np.abs(p - recorded)))
    except Exception as err:  # another width, no such output, no rows: onnxruntime and numpy have a class for each
        raise ModelFileError(f"the rebuilt file can't score the recorded ones: {type(err).__name__}") from err


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more

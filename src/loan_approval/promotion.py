"""Promote and roll back: the only ways in which what production answers can change.

The file goes into the store, the intent into the record, then the alias moves (the commit point), then the pointer.
Killed at any point, the old or the new model answers; the next promote or rollback completes what was left.
"""

import getpass
import hashlib
from datetime import UTC, datetime
from typing import Any

import onnx
from google.protobuf.message import DecodeError

from loan_approval import tracking
from loan_approval.errors import PromotionError, TrackingError
from loan_approval.tracking import Version
from serve.errors import ModelFileError, StoreError
from serve.scorer import Scorer
from serve.store import TRUSTED_VERDICTS, Pointer, Store

ALIAS = "production"
# What graphs of tabular models are made of: arithmetic and trees; nothing that reads a file, loops or holds state.
# fmt: off
OPERATORS = frozenset({
    "Abs", "Add", "ArgMax", "ArrayFeatureExtractor", "Cast", "Clip", "Concat", "Div", "Exp", "Flatten",
    "Gather", "Identity", "IsNaN", "Less", "LinearClassifier", "Log", "MatMul", "Max", "Min", "Mul", "Neg",
    "Normalizer", "Not", "OneHotEncoder", "ReduceSum", "Reshape", "Scaler", "Sigmoid", "Softmax", "Squeeze", "Sub",
    "Sum", "TreeEnsembleClassifier", "TreeEnsembleRegressor", "Unsqueeze", "Where",
})
# fmt: on


def promote(name: str, version: str, store: Store, force_reason: str | None = None) -> Version:
    """Make a version (number or alias) the one in production. Raises PromotionError, TrackingError, ModelFileError.

    A version without a passed verdict needs `force_reason`, which is recorded with who forced it.
    """
    with store.locked():
        chosen = tracking.find_version(name, version)
        data = tracking.load_model_file(chosen)
        check_file(data, chosen.sha256)
        complete_interrupted(name, store)
        facts = _judge(chosen, force_reason)
        return _switch(chosen, data, facts, store, "promote", force_reason or facts["verdict"].get("reason"))


def rollback(name: str, store: Store) -> Version:
    """Step back to the version that was in production before. Raises PromotionError when there is none."""
    with store.locked():
        complete_interrupted(name, store)
        stack = promoted_versions(name)
        if len(stack) < 2:
            raise PromotionError(f"{name}: no version was in production before this one")
        previous = _newest_trusted(name, stack[:-1])
        data = tracking.load_model_file(previous)
        check_file(data, previous.sha256)
        return _switch(previous, data, tracking.load_facts(previous), store, "rollback", None)


def complete_interrupted(name: str, store: Store) -> None:
    """Bring record and pointer in step with the alias, the truth, after a kill or a move by hand."""
    current = tracking.version_of_alias(name, ALIAS)
    before, after = _last_step(name)
    behind_alias = [current.number] if current else []
    if behind_alias != after[-1:]:
        if behind_alias == before[-1:]:
            _record(name, {"event": "not carried out", "version": after[-1]})
        elif current:
            _record(name, {"event": "moved by hand", "version": current.number, "sha256": current.sha256})
    if current and current.verdict in TRUSTED_VERDICTS and _pointed_version(store) != current.number:
        data = tracking.load_model_file(current)
        check_file(data, current.sha256)
        facts = tracking.load_facts(current)
        _install(current, data, facts, store)
        store.point(_pointer(current, facts))


def promoted_versions(name: str) -> list[str]:
    """Return the stack of versions in production, the current one last: a rollback takes the top off."""
    return _last_step(name)[1]


def _last_step(name: str) -> tuple[list[str], list[str]]:
    """Return the stack before and after the last event of the record."""
    before: list[str] = []
    after: list[str] = []
    for event in tracking.read_history(name):
        match event["event"]:
            case "not carried out":
                after = before
            case "rollback":
                before, after = after, _down_to(after[:-1], event["version"])
            case _:
                before, after = after, [*after, event["version"]]
    return before, after


def uncommitted_code(store: Store) -> str:
    """Return the hash of the uncommitted code that the file in production was made with, "" if there was none."""
    pointer = store.pointer()
    return store.load(pointer)[0].provenance.get("changes", "") if pointer else ""


def _down_to(stack: list[str], version: str) -> list[str]:
    while stack and stack[-1] != version:
        stack = stack[:-1]
    return stack


def _newest_trusted(name: str, stack: list[str]) -> Version:
    """Return the newest of these versions that is still there with a trusted verdict. Raises PromotionError."""
    for number in reversed(stack):
        try:
            version = tracking.find_version(name, number)
        except TrackingError:
            continue
        if version.verdict in TRUSTED_VERDICTS:
            return version
    raise PromotionError(f"{name}: none of the versions {', '.join(stack)} is there with a verdict passed or forced")


def check_file(data: bytes, sha256: str) -> None:
    """Raise ModelFileError unless a file has the recorded hash, plain operators, no data outside it, and replays its
    golden rows.
    """
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ModelFileError(f"the file has sha256 {found}, expected {sha256}")
    try:
        model = onnx.load_from_string(data)
    except DecodeError as err:
        raise ModelFileError("the file is not an ONNX model") from err
    if model.functions or model.graph.sparse_initializer:
        raise ModelFileError("the model brings functions or sparse data of its own")
    _check_graph(model.graph)
    Scorer(data, sha256)  # runs the graph, so it comes last


def _check_graph(graph: onnx.GraphProto) -> None:
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in graph.initializer):
        raise ModelFileError("the graph keeps data outside the file")
    for node in graph.node:
        if node.op_type not in OPERATORS or node.domain not in ("", "ai.onnx.ml"):
            raise ModelFileError(f"the graph uses the operator {node.domain or 'ai.onnx'}:{node.op_type}")
        for attribute in node.attribute:
            tensors = [attribute.t, *attribute.tensors]
            if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in tensors):
                raise ModelFileError("the graph keeps data outside the file")
            if attribute.HasField("g") or attribute.graphs:
                raise ModelFileError(f"the operator {node.op_type} holds a graph of its own")


def _judge(version: Version, force_reason: str | None) -> dict[str, Any]:
    if version.verdict in TRUSTED_VERDICTS:
        return tracking.load_facts(version)
    which = f"{version.name} version {version.number}"
    if not (force_reason or "").strip():
        raise PromotionError(f"{which} has the verdict {version.verdict!r}, expected passed; or force it with a reason")
    facts = tracking.load_facts(version) if version.verdict != "none" else {"metrics": {}, "gates": []}
    by = {"verdict": "forced", "by": getpass.getuser(), "reason": force_reason, "at": _now(), "was": version.verdict}
    facts = facts | {"verdict": by}
    tracking.record_verdict(version, "forced", facts)
    return facts


def _pointed_version(store: Store) -> str | None:
    try:
        pointer = store.pointer()
    except StoreError:  # a damaged pointer is replaced like a missing one
        return None
    return pointer.version if pointer else None


def _install(version: Version, data: bytes, facts: dict[str, Any], store: Store) -> None:
    store.install(data, facts | {"name": version.name, "version": version.number, "run": version.run})


def _switch(
    version: Version, data: bytes, facts: dict[str, Any], store: Store, event: str, reason: str | None
) -> Version:
    _install(version, data, facts, store)
    pointer = _pointer(version, facts)
    if promoted_versions(version.name)[-1:] != [version.number]:
        # The record comes before the alias, so that it holds who and when even if all that follows is left to others.
        entry = {"event": event, "version": version.number, "sha256": version.sha256, "verdict": pointer.verdict}
        _record(version.name, entry | ({"reason": reason} if reason else {}))
    current = tracking.version_of_alias(version.name, ALIAS)
    if current is None or current.number != version.number:
        tracking.set_alias(version.name, ALIAS, version.number)
    store.point(pointer)
    return version


def _pointer(version: Version, facts: dict[str, Any]) -> Pointer:
    verdict = facts["verdict"]["verdict"]
    return Pointer(version.sha256, version.name, ALIAS, version.number, version.run, verdict)


def _record(name: str, event: dict[str, str]) -> None:
    tracking.append_history(name, event | {"by": getpass.getuser(), "at": _now()})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

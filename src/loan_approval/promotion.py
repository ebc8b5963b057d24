"""Promote and roll back: the only ways in which what production answers can change.

The file goes into the store, then the alias moves (the commit point), then the pointer. Killed at any point, the old
or the new model answers; the next promote or rollback completes what was left.
"""

import getpass
from datetime import UTC, datetime
from typing import Any

import onnx

from loan_approval import tracking
from loan_approval.errors import PromotionError
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
    "Normalizer", "Not", "OneHotEncoder", "Reshape", "Scaler", "Sigmoid", "Softmax", "Squeeze", "Sub", "Sum",
    "TreeEnsembleClassifier", "TreeEnsembleRegressor", "Unsqueeze", "Where",
})
# fmt: on


def promote(name: str, version: str, store: Store, force_reason: str | None = None) -> Version:
    """Make a version (number or alias) the one in production. Raises PromotionError, TrackingError, ModelFileError.

    A version without a passed verdict needs `force_reason`, which is recorded with who forced it.
    """
    chosen = tracking.find_version(name, version)
    data = tracking.load_model_file(chosen)
    check_file(data, chosen.sha256)
    facts = _judge(chosen, force_reason)
    complete_interrupted(name, store)
    _install(chosen, data, facts, store)
    return _switch(chosen, facts, store, "promote")


def rollback(name: str, store: Store) -> Version:
    """Step back to the version that was in production before. Raises PromotionError when there is none."""
    complete_interrupted(name, store)
    stack = promoted_versions(name)
    if len(stack) < 2:
        raise PromotionError(f"{name}: no version was in production before this one")
    previous = tracking.find_version(name, stack[-2])
    data = tracking.load_model_file(previous)
    check_file(data, previous.sha256)
    facts = tracking.load_facts(previous)
    _install(previous, data, facts, store)
    return _switch(previous, facts, store, "rollback")


def complete_interrupted(name: str, store: Store) -> None:
    """Bring record and pointer in step with the alias, where an earlier promotion was killed in between."""
    current = tracking.version_of_alias(name, ALIAS)
    if current is None:
        return
    stack = promoted_versions(name)
    if not stack or stack[-1] != current.number:
        stepped_back = len(stack) > 1 and stack[-2] == current.number
        _record(current, "rollback" if stepped_back else "promote", "completed later")
    if current.verdict in TRUSTED_VERDICTS and _pointed_version(store) != current.number:
        data = tracking.load_model_file(current)
        check_file(data, current.sha256)
        facts = tracking.load_facts(current)
        _install(current, data, facts, store)
        store.point(_pointer(current, facts))


def promoted_versions(name: str) -> list[str]:
    """Return the stack of versions in production, the current one last: a rollback takes the top off."""
    stack: list[str] = []
    for event in tracking.read_history(name):
        if event["event"] == "rollback" and len(stack) > 1:
            stack.pop()
        elif not stack or stack[-1] != event["version"]:
            stack.append(event["version"])
    return stack


def check_file(data: bytes, sha256: str) -> None:
    """Raise ModelFileError unless a file has the recorded hash, plain operators, no data outside it, and replays its
    golden rows.
    """
    Scorer(data, sha256)
    graph = onnx.load_from_string(data).graph
    _check_graph(graph)


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


def _switch(version: Version, facts: dict[str, Any], store: Store, event: str) -> Version:
    tracking.set_alias(version.name, ALIAS, version.number)
    store.point(_pointer(version, facts))
    if not (event == "promote" and promoted_versions(version.name)[-1:] == [version.number]):
        _record(version, event, "")
    return version


def _pointer(version: Version, facts: dict[str, Any]) -> Pointer:
    verdict = facts["verdict"]["verdict"]
    return Pointer(version.sha256, version.name, ALIAS, version.number, version.run, verdict)


def _record(version: Version, event: str, note: str) -> None:
    entry = {"event": event, "version": version.number, "sha256": version.sha256, "by": getpass.getuser(), "at": _now()}
    tracking.append_history(version.name, entry | ({"note": note} if note else {}))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

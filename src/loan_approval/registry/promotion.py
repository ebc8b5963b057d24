"""Promote and roll back: nothing else changes the version in production.

The order: file into the store, event into the record, alias (the commit point), pointer. If the process is killed in
between, the old or the new version answers, and the next promote or rollback completes the rest.
"""

import logging
from collections.abc import Mapping
from typing import Any

from loan_approval.errors import PromotionError, TrackingError
from loan_approval.registry import history, tracking
from loan_approval.registry.card import add_card
from loan_approval.registry.stores import install, pointed_version, signed
from loan_approval.registry.tracking import Version
from serve.model.scorer import Scorer
from serve.model.verify import verify
from serve.store.pointer import TRUSTED_VERDICTS, Pointer
from serve.store.store import Store

log = logging.getLogger(__name__)

ALIAS = "production"


def promote(name: str, version: str, store: Store, force_reason: str | None = None) -> Version:
    """Make a version (number or alias) the one in production. Raises PromotionError, TrackingError, ModelFileError.

    A version that has not passed, or that was compared with another version than the one in production, needs
    `force_reason`; the reason and the user are recorded. The file is signed if a key is configured.
    """
    with store.locked():
        chosen = signed(tracking.find_version(name, version))
        data = tracking.load_model_file(chosen)
        verify(data, chosen.sha256)
        complete_interrupted(name, store)
        metadata = _judge(chosen, force_reason)
        return _switch(chosen, data, metadata, store, "promote", force_reason or metadata["verdict"].get("reason"))


def rollback(name: str, store: Store) -> Version:
    """Step back to the version that was in production before. Raises PromotionError when there is none."""
    with store.locked():
        complete_interrupted(name, store)
        stack = history.promoted_versions(name)
        if len(stack) < 2:
            raise PromotionError(f"{name}: no version was in production before this one")
        previous = signed(_newest_trusted(name, stack[:-1]))
        data = tracking.load_model_file(previous)
        verify(data, previous.sha256)
        return _switch(previous, data, tracking.load_metadata(previous), store, "rollback", None)


def complete_interrupted(name: str, store: Store) -> None:
    """Make record and pointer agree with the alias after a killed process or after the alias was moved by hand."""
    current = tracking.version_of_alias(name, ALIAS)
    before, after = history.last_step(name)
    behind_alias = [current.number] if current else []
    if behind_alias != after[-1:]:
        if behind_alias == before[-1:]:
            history.append(name, history.stamp({"event": "not carried out", "version": after[-1]}))
        elif current:
            history.append(name, history.stamp({"event": "moved by hand", **identify(current)}))
    if current and current.verdict in TRUSTED_VERDICTS and pointed_version(store) != current.number:
        data = tracking.load_model_file(current)
        verify(data, current.sha256)
        metadata = tracking.load_metadata(current)
        install(current, data, _renew_card(current, data, metadata, history.read(name)), store)
        store.point(_pointer(current, metadata))


def uncommitted_code(store: Store) -> str:
    """Return the hash of the uncommitted changes in the code that made the file in production, "" without any."""
    pointer = store.pointer()
    return store.load(pointer)[0].provenance.get("changes", "") if pointer else ""


def _newest_trusted(name: str, stack: list[str]) -> Version:
    """Return the newest of these versions that still exists and is trusted. Raises PromotionError."""
    for number in reversed(stack):
        try:
            version = tracking.find_version(name, number)
        except TrackingError:
            continue
        if version.verdict in TRUSTED_VERDICTS:
            return version
    raise PromotionError(f"{name}: none of the versions {', '.join(stack)} is there with a verdict passed or forced")


def _judge(version: Version, force_reason: str | None) -> dict[str, Any]:
    why = f"has the verdict {version.verdict!r}, expected passed; or force it with a reason (FORCE=…)"
    if version.verdict in TRUSTED_VERDICTS:
        metadata = tracking.load_metadata(version)
        why = _outdated(version, metadata)
        if not why:
            return metadata
    if not (force_reason or "").strip():
        raise PromotionError(f"{version.name} version {version.number} {why}")
    metadata = tracking.load_metadata(version) if version.verdict != "none" else {"metrics": {}, "gates": []}
    metadata["verdict"] = history.stamp({"verdict": "forced", "reason": force_reason, "was": version.verdict})
    tracking.record_verdict(version, "forced", metadata)
    return metadata


def _outdated(version: Version, metadata: Mapping[str, Any]) -> str:
    """Return why a passed verdict does not hold against the version in production, "" if it does.

    It holds if there was no comparison, or if the version is itself in production or nothing is.
    """
    gate = next((gate for gate in metadata.get("gates") or [] if gate.get("name") == "not_worse"), None)
    current = tracking.version_of_alias(version.name, ALIAS)
    if version.verdict != "passed" or not gate or not current or current.number == version.number:
        return ""
    if "cost_before" in gate.get("numbers", {}):  # passed until another ratio became a change of policy
        return "was judged by other costs than production's: validate again, or force with a reason"
    against = gate.get("against") or {"version": "unknown"}
    if against == identify(current):
        return ""
    number, now = against["version"], f"production is version {current.number} now"
    other = "nothing" if number == "none" else f"version {number}"
    return f"was compared with {other}, {now}: validate again, or force with a reason"


def identify(version: Version | None) -> dict[str, str]:
    """Return number and hash of a version as comparisons record them, "none" without a version."""
    return {"version": version.number, "sha256": version.sha256} if version else {"version": "none", "sha256": "none"}


def _switch(
    version: Version, data: bytes, metadata: dict[str, Any], store: Store, event: str, reason: str | None
) -> Version:
    tracking.record_signature(version)
    pointer = _pointer(version, metadata)
    entry = {"event": event, "version": version.number, "sha256": version.sha256, "verdict": pointer.verdict}
    entry = history.stamp(entry | ({"reason": reason} if reason else {}))
    new = [entry] if history.promoted_versions(version.name)[-1:] != [version.number] else []
    install(version, data, _renew_card(version, data, metadata, [*history.read(version.name), *new]), store)
    if new:
        # Before the alias, so that user and time are recorded even if another process completes the rest.
        history.append(version.name, entry)
    tracking.set_alias(version.name, ALIAS, version.number)
    if event == "rollback":  # a server that finds the pointer damaged must not go back to what is taken back here
        store.keep(pointer)
    store.point(pointer)
    return version


def _pointer(version: Version, metadata: dict[str, Any]) -> Pointer:
    verdict = metadata["verdict"]["verdict"]
    return Pointer(version.sha256, version.name, ALIAS, version.number, version.run, verdict)


def _renew_card(
    version: Version, data: bytes, metadata: dict[str, Any], events: list[dict[str, str]]
) -> dict[str, Any]:
    """Return the metadata with a card that shows this history; servers that follow the alias read it from MLflow."""
    try:
        metadata = add_card(metadata, Scorer(data, version.sha256), version.identity(), events)
    except Exception:  # old evidence may have any shape, and a rollback must not fail for a card
        log.exception("%s version %s goes without a model card", version.name, version.number)
        return {key: value for key, value in metadata.items() if key != "card"}
    tracking.record_metadata(version, metadata)
    return metadata

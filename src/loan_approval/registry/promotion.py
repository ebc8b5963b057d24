"""Promote and roll back: the only ways in which what production answers can change.

The file goes into the store, the intent into the record, then the alias moves (the commit point), then the pointer.
Killed at any point, the old or the new model answers; the next promote or rollback completes what was left.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from loan_approval.errors import PromotionError, TrackingError
from loan_approval.registry import history, tracking
from loan_approval.registry.card import add_card
from loan_approval.registry.file_check import check_file
from loan_approval.registry.signing import load_signing_key, sign
from loan_approval.registry.tracking import Version
from serve.errors import StoreError
from serve.model.scorer import Scorer
from serve.store.pointer import TRUSTED_VERDICTS, Pointer
from serve.store.store import Store

log = logging.getLogger(__name__)

ALIAS = "production"


def promote(name: str, version: str, store: Store, force_reason: str | None = None) -> Version:
    """Make a version (number or alias) the one in production. Raises PromotionError, TrackingError, ModelFileError.

    A version without a passed verdict, or with one against what is in production no longer, needs `force_reason`, which
    is recorded with who forced it. Its file is signed where there is a key to sign with.
    """
    with store.locked():
        chosen = signed(tracking.find_version(name, version))
        data = tracking.load_model_file(chosen)
        check_file(data, chosen.sha256)
        complete_interrupted(name, store)
        metadata = _judge(chosen, force_reason)
        tracking.record_signature(chosen)
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
        check_file(data, previous.sha256)
        tracking.record_signature(previous)
        return _switch(previous, data, tracking.load_metadata(previous), store, "rollback", None)


def complete_interrupted(name: str, store: Store) -> None:
    """Bring record and pointer in step with the alias, the truth, after a kill or a move by hand."""
    current = tracking.version_of_alias(name, ALIAS)
    before, after = history.last_step(name)
    behind_alias = [current.number] if current else []
    if behind_alias != after[-1:]:
        if behind_alias == before[-1:]:
            history.record(name, {"event": "not carried out", "version": after[-1]})
        elif current:
            history.record(name, {"event": "moved by hand", "version": current.number, "sha256": current.sha256})
    if current and current.verdict in TRUSTED_VERDICTS and pointed_version(store) != current.number:
        data = tracking.load_model_file(current)
        check_file(data, current.sha256)
        metadata = tracking.load_metadata(current)
        install(current, data, _renew_card(current, data, metadata, history.read(name)), store)
        store.point(_pointer(current, metadata))


def signed(version: Version) -> Version:
    """Return a version with its file signed, as it is without a key: what somebody chose is signed, nothing else."""
    key = load_signing_key()
    return replace(version, signature=sign(key, version.name, version.sha256)) if key else version


def uncommitted_code(store: Store) -> str:
    """Return the hash of the uncommitted code that the file in production was made with, "" if there was none."""
    pointer = store.pointer()
    return store.load(pointer)[0].provenance.get("changes", "") if pointer else ""


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
    by = {"verdict": "forced", "reason": force_reason, "was": version.verdict}
    metadata = metadata | {"verdict": history.stamp(by)}
    tracking.record_verdict(version, "forced", metadata)
    return metadata


def _outdated(version: Version, metadata: Mapping[str, Any]) -> str:
    """Return why a passed verdict says nothing of what is in production now, "" where it does.

    Nothing can be worse than nothing, or than itself. A record of `not_worse` that doesn't say what it was against is
    of earlier code; one without that gate compares nothing.
    """
    gate = next((gate for gate in metadata.get("gates") or [] if gate.get("name") == "not_worse"), None)
    current = tracking.version_of_alias(version.name, ALIAS)
    if version.verdict != "passed" or not gate or not current or current.number == version.number:
        return ""
    against = gate.get("against") or {"version": "unknown"}
    if against == identify(current):
        return ""
    other = {"none": "nothing", "unknown": "an unknown version"}.get(
        against["version"], f"version {against['version']}"
    )
    return (
        f"was compared with {other}, production is version {current.number} now: validate again, or force with a reason"
    )


def identify(version: Version | None) -> dict[str, str]:
    """Return what a comparison records of the version in production, "none" where there is none."""
    return {"version": version.number, "sha256": version.sha256} if version else {"version": "none", "sha256": "none"}


def pointed_version(store: Store) -> str | None:
    """Return the version that the pointer names, None without one that can be read."""
    try:
        pointer = store.pointer()
    except StoreError:  # a damaged pointer is replaced like a missing one
        return None
    return pointer.version if pointer else None


def install(version: Version, data: bytes, metadata: dict[str, Any], store: Store) -> None:
    """Put a version's file, metadata and signature into the store; the pointer stays."""
    store.install(data, metadata | version.identity(), version.signature)


def _switch(
    version: Version, data: bytes, metadata: dict[str, Any], store: Store, event: str, reason: str | None
) -> Version:
    pointer = _pointer(version, metadata)
    entry = {"event": event, "version": version.number, "sha256": version.sha256, "verdict": pointer.verdict}
    entry = history.stamp(entry | ({"reason": reason} if reason else {}))
    new = [entry] if history.promoted_versions(version.name)[-1:] != [version.number] else []
    metadata = _renew_card(version, data, metadata, [*history.read(version.name), *new])
    install(version, data, metadata, store)
    if new:
        # The record comes before the alias, so that it holds who and when even if all that follows is left to others.
        history.append(version.name, entry)
    current = tracking.version_of_alias(version.name, ALIAS)
    if current is None or current.number != version.number:
        tracking.set_alias(version.name, ALIAS, version.number)
    store.point(pointer)
    return version


def _pointer(version: Version, metadata: dict[str, Any]) -> Pointer:
    verdict = metadata["verdict"]["verdict"]
    return Pointer(version.sha256, version.name, ALIAS, version.number, version.run, verdict)


def _renew_card(
    version: Version, data: bytes, metadata: dict[str, Any], events: list[dict[str, str]]
) -> dict[str, Any]:
    """Return the metadata with a card that knows this history, recorded for the servers that follow the alias."""
    try:
        metadata = add_card(metadata, Scorer(data, version.sha256), version.identity(), events)
    except Exception:  # evidence may be of any age and shape, and a rollback must not wait for a document
        log.exception("%s version %s goes without a model card", version.name, version.number)
        return {key: value for key, value in metadata.items() if key != "card"}
    tracking.record_metadata(version, metadata)
    return metadata

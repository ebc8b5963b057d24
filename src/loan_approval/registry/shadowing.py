"""Start and stop the shadow: a challenger that scores each application beside production and changes no answer.

The order is that of a promotion: file into the store, alias, pointer.
"""

from loan_approval.errors import PromotionError
from loan_approval.registry import history, tracking
from loan_approval.registry.promotion import ALIAS
from loan_approval.registry.stores import install, pointed_version, signed
from loan_approval.registry.tracking import Version
from loan_approval.registry.tracking_server import is_server, tracking_uri
from serve.model.verify import verify
from serve.store.pointer import TRUSTED_VERDICTS, Pointer
from serve.store.store import Store

CHALLENGER = "challenger"


def start_shadow(name: str, version: str, store: Store, alias: str = CHALLENGER) -> Version:
    """Have a version (number or alias) score in the shadow. Raises PromotionError, TrackingError, ModelFileError.

    store: a store with any pointer; the pointer of `alias` is set. The file is signed if a key is configured.
    """
    shadow = _shadow_store(store, alias)
    with shadow.locked():
        chosen = signed(tracking.find_version(name, version))
        if chosen.verdict not in TRUSTED_VERDICTS:
            which = f"{name} version {chosen.number}"
            raise PromotionError(f"{which} has the verdict {chosen.verdict!r}, expected passed: validate it first")
        data = tracking.load_model_file(chosen)
        verify(data, chosen.sha256)
        tracking.record_signature(chosen)
        install(chosen, data, tracking.load_metadata(chosen), shadow)
        if pointed_version(shadow) != chosen.number:
            event = {"event": "shadow", "version": chosen.number, "sha256": chosen.sha256, "verdict": chosen.verdict}
            history.append(name, history.stamp(event))
        tracking.set_alias(name, alias, chosen.number)
        shadow.point(Pointer(chosen.sha256, name, alias, chosen.number, chosen.run, chosen.verdict))
    return chosen


def stop_shadow(name: str, store: Store, alias: str = CHALLENGER) -> str:
    """End the shadow and return its version. Raises PromotionError when there was none.

    With an MLflow server the alias is removed too, or the servers that follow it would load the challenger again.
    """
    shadow = _shadow_store(store, alias)
    with shadow.locked():
        version = pointed_version(shadow)
        behind_alias = tracking.version_of_alias(name, alias) if is_server(tracking_uri()) else None
        if behind_alias:
            tracking.connect().delete_registered_model_alias(name, alias)
        if not shadow.unpoint() and not behind_alias:
            raise PromotionError(f"{name}: nothing is scored in the shadow")
        version = version or (behind_alias.number if behind_alias else "")
        history.append(name, history.stamp({"event": "shadow ended", "version": version}))
    return version


def _shadow_store(store: Store, alias: str) -> Store:
    if alias == ALIAS:
        raise PromotionError(f"the alias {ALIAS} names what answers, expected another one")
    return Store(store.path, alias)

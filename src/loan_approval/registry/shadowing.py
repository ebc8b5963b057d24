"""Put a challenger into the shadow of what answers, and take it out again; no answer changes by it.

The order is that of a promotion: file into the store, alias, pointer. Servers take nothing that is not validated, so
neither does this.
"""

from loan_approval.errors import PromotionError
from loan_approval.registry import history, tracking
from loan_approval.registry.file_check import check_file
from loan_approval.registry.promotion import ALIAS, install, pointed_version, signed
from loan_approval.registry.tracking import Version
from loan_approval.registry.tracking_server import is_server, tracking_uri
from serve.store.pointer import TRUSTED_VERDICTS, Pointer
from serve.store.store import Store

CHALLENGER = "challenger"


def start_shadow(name: str, version: str, store: Store, alias: str = CHALLENGER) -> Version:
    """Have a version (number or alias) score what is answered. Raises PromotionError, TrackingError, ModelFileError.

    store: any pointer's; the one of `alias` is set. Its file is signed where there is a key to sign with.
    """
    shadow = _shadow_store(store, alias)
    with shadow.locked():
        chosen = signed(tracking.find_version(name, version))
        if chosen.verdict not in TRUSTED_VERDICTS:
            which = f"{name} version {chosen.number}"
            raise PromotionError(f"{which} has the verdict {chosen.verdict!r}, expected passed: validate it first")
        data = tracking.load_model_file(chosen)
        check_file(data, chosen.sha256)
        tracking.record_signature(chosen)
        install(chosen, data, tracking.load_metadata(chosen), shadow)
        if pointed_version(shadow) != chosen.number:
            event = {"event": "shadow", "version": chosen.number, "sha256": chosen.sha256, "verdict": chosen.verdict}
            history.record(name, event)
        behind_alias = tracking.version_of_alias(name, alias)
        if behind_alias is None or behind_alias.number != chosen.number:
            tracking.set_alias(name, alias, chosen.number)
        shadow.point(Pointer(chosen.sha256, name, alias, chosen.number, chosen.run, chosen.verdict))
    return chosen


def stop_shadow(name: str, store: Store, alias: str = CHALLENGER) -> str:
    """Have nothing scored any more; return the version that was. Raises PromotionError when there was none.

    Where servers follow MLflow over http(s) the alias goes too, or they would take the challenger again.
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
        history.record(name, {"event": "shadow ended", "version": version})
    return version


def _shadow_store(store: Store, alias: str) -> Store:
    if alias == ALIAS:
        raise PromotionError(f"the alias {ALIAS} names what answers, expected another one")
    return Store(store.path, alias)

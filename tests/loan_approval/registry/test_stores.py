"""Signing at promotion, against a real MLflow and a store whose server asks for signatures."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from loan_approval.errors import PromotionError
from loan_approval.registry import tracking
from loan_approval.registry.promotion import complete_interrupted, promote, rollback
from loan_approval.registry.stores import SETTING, signed
from loan_approval.registry.tracking import Version
from serve.errors import SignatureError
from serve.store.signature import Verifier
from serve.store.store import Store
from tests import registered
from tests.registered import register
from tests.signing_keys import Keys, make_keys


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keys:
    keys = make_keys(tmp_path)
    monkeypatch.setenv(SETTING, str(keys.private))
    return keys


def answering(store: Store, keys: Keys, name: str) -> str | None:
    """Return the version that a server answers with that asks for signatures."""
    return registered.answering(Store(store.path, verifier=Verifier(keys.public, name)))


def promote_two(name: str, store: Store) -> None:
    """Promote versions 1 and 2, one after the other."""
    for bias in (1.0, 0.5):
        promote(name, register(name, bias).number, store)


def test_a_promoted_file_is_signed_beside_it_and_in_the_registry(name: str, store: Store, keys: Keys) -> None:
    version = promote(name, register(name, 1.0).number, store)
    assert (store.path / f"{version.sha256}.sig").read_text() == keys.sign(name, version.sha256)
    assert tracking.find_version(name, "1").signature == keys.sign(name, version.sha256)
    assert answering(store, keys, name) == "1"


def test_without_a_key_nothing_is_signed_and_a_server_that_asks_takes_nothing(
    name: str, store: Store, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SETTING)
    version = promote(name, register(name, 1.0).number, store)
    assert version.signature == ""
    assert not list(store.path.glob("*.sig"))
    assert answering(store, keys, name) is None


def test_promoting_again_with_a_key_signs_what_was_promoted_without(
    name: str, store: Store, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SETTING)
    promote(name, register(name, 1.0).number, store)
    monkeypatch.setenv(SETTING, str(keys.private))
    promote(name, "1", store)
    assert answering(store, keys, name) == "1"


def test_a_rollback_without_the_key_takes_the_signature_along(
    name: str, store: Store, keys: Keys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    promote_two(name, store)
    monkeypatch.delenv(SETTING)
    fresh = Store(tmp_path / "another store")
    rollback(name, fresh)
    assert answering(fresh, keys, name) == "1"


def test_a_rollback_with_another_key_signs_with_it(
    name: str, store: Store, keys: Keys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    promote_two(name, store)
    other = make_keys(tmp_path, "other")
    monkeypatch.setenv(SETTING, str(other.private))
    rollback(name, store)
    assert (answering(store, other, name), answering(store, keys, name)) == ("1", None)


def test_a_completed_promotion_has_the_signature_it_was_begun_with(
    name: str, store: Store, keys: Keys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    promote(name, register(name, 1.0).number, store)
    monkeypatch.delenv(SETTING)
    fresh = Store(tmp_path / "another store")
    complete_interrupted(name, fresh)
    assert answering(fresh, keys, name) == "1"


def test_a_version_that_somebody_moved_the_alias_to_is_not_signed_along(name: str, store: Store, keys: Keys) -> None:
    promote(name, register(name, 1.0).number, store)
    register(name, 0.5)
    tracking.set_alias(name, "production", "2")
    complete_interrupted(name, store)
    assert store.pointer().version == "2"
    assert tracking.find_version(name, "2").signature == ""
    assert answering(store, keys, name) is None


def test_a_signature_for_one_model_does_not_count_for_another(name: str, keys: Keys) -> None:
    other = signed(Version("another", "1", "run", "a" * 64, "passed"))
    with pytest.raises(SignatureError):
        Verifier(keys.public, name).check("a" * 64, other.signature)


def encrypted(keys: Keys) -> bytes:
    return keys.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


def of_another_kind(keys: Keys) -> bytes:
    key = generate_private_key(SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public(keys: Keys) -> bytes:
    return keys.public.read_bytes()


def no_key(keys: Keys) -> bytes:
    return b"secret"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (encrypted, "the key is encrypted, expected one without a password"),
        (of_another_kind, "expected an Ed25519 private key in PEM"),
        (public, "expected an Ed25519 private key in PEM"),
        (no_key, "expected an Ed25519 private key in PEM"),
    ],
)
def test_a_key_that_cannot_sign_stops_the_promotion_before_anything_changes(
    name: str, store: Store, keys: Keys, content, reason: str
) -> None:
    register(name, 1.0)
    keys.private.write_bytes(content(keys))
    with pytest.raises(PromotionError, match=reason) as refused:
        promote(name, "1", store)
    assert "secret" not in str(refused.value)
    assert tracking.version_of_alias(name, "production") is None
    assert store.pointer() is None


def test_a_key_that_is_not_there_is_named(name: str, store: Store, keys: Keys) -> None:
    register(name, 1.0)
    keys.private.unlink()
    with pytest.raises(PromotionError, match=f"{SETTING}='.*': can't be read: No such file or directory"):
        promote(name, "1", store)

"""Whatever somebody puts in the place of a signed model file: it is refused with a reason, and the old one goes on."""

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest

from serve.errors import ModelFileError, SettingsError, SignatureError
from serve.settings import Settings
from serve.store.live import LiveModel
from serve.store.pointer import Pointer
from serve.store.signature import Verifier
from serve.store.store import Store, open_store
from tests.signing_keys import Keys, make_keys

NAME = "loan_approval_model"
METADATA = {"verdict": {"verdict": "passed"}}
LARGEST = 100_000


@dataclass(frozen=True)
class Sealed:
    """A store whose files must be signed, and what somebody who can write there may do."""

    store: Store
    keys: Keys
    model_file: Callable[[str], bytes]

    def promote(self, name: str) -> Pointer:
        """Install, sign and point, as a promotion does."""
        data = self.model_file(name)
        sha256 = hashlib.sha256(data).hexdigest()
        self.store.install(data, METADATA, self.keys.sign(NAME, sha256))
        return self.point(sha256)

    def point(self, sha256: str) -> Pointer:
        """Write a pointer, past all checks."""
        pointer = Pointer(sha256, NAME, "production", "2", "run-2", "passed")
        self.store.pointer_path.write_text(json.dumps(asdict(pointer)))
        return pointer

    def put(self, data: bytes, signature: str | None = None) -> None:
        """Put any bytes in, signed like a promotion would, and point at them."""
        sha256 = hashlib.sha256(data).hexdigest()
        self.path(sha256, "onnx").write_bytes(data)
        self.path(sha256, "json").write_text(json.dumps(METADATA))
        self.path(sha256, "sig").write_text(self.keys.sign(NAME, sha256) if signature is None else signature)
        self.point(sha256)

    def path(self, sha256: str, kind: str) -> Path:
        return self.store.path / f"{sha256}.{kind}"


@pytest.fixture
def sealed(tmp_path, model_file) -> Sealed:
    keys = make_keys(tmp_path)
    verifier = Verifier(keys.public, NAME)
    return Sealed(Store(tmp_path / "store", largest=LARGEST, verifier=verifier), keys, model_file)


@pytest.fixture
def live(sealed, caplog) -> LiveModel:
    caplog.set_level(logging.INFO, logger="serve")
    sealed.promote("loans")
    live = LiveModel(sealed.store)
    live.refresh()
    assert live.current
    return live


def broken(fault: str) -> Callable[[Sealed], None]:
    return lambda sealed: sealed.put(sealed.model_file(f"broken/{fault}"))


def too_large(sealed: Sealed) -> None:
    sealed.put(bytes(LARGEST + 1))


def not_signed(sealed: Sealed) -> None:
    pointer = sealed.promote("loans_strict")
    sealed.path(pointer.sha256, "sig").unlink()


def signed_by_another(sealed: Sealed) -> None:
    data = sealed.model_file("loans_strict")
    other = make_keys(sealed.store.path, "other")
    sealed.put(data, other.sign(NAME, hashlib.sha256(data).hexdigest()))


def signature_of_another_file(sealed: Sealed) -> None:
    old = hashlib.sha256(sealed.model_file("loans")).hexdigest()
    sealed.put(sealed.model_file("loans_strict"), sealed.path(old, "sig").read_text())


def signed_for_another_model(sealed: Sealed) -> None:
    data = sealed.model_file("mixed")
    sealed.put(data, sealed.keys.sign("mixed_model", hashlib.sha256(data).hexdigest()))


def signature_of_noise(sealed: Sealed) -> None:
    sealed.put(sealed.model_file("loans_strict"), "\x00" * 88)


def signature_without_end(sealed: Sealed) -> None:
    sealed.put(sealed.model_file("loans_strict"), "A" * 10_000)


def changed_at(place: float) -> Callable[[Sealed], None]:
    def change(sealed: Sealed) -> None:
        pointer = sealed.promote("loans_strict")
        path = sealed.path(pointer.sha256, "onnx")
        data = bytearray(path.read_bytes())
        data[int(place * (len(data) - 1))] ^= 1
        path.write_bytes(data)

    return change


def weight_changed_and_signed_for_before(sealed: Sealed) -> None:
    """One weight changed, the hash of the pointer made right: the signature is of the old bytes."""
    pointer = sealed.promote("loans_strict")
    signature = sealed.path(pointer.sha256, "sig").read_text()
    sealed.put(sealed.path(pointer.sha256, "onnx").read_bytes()[:-1] + b"\n", signature)


def other_file_of_the_name(sealed: Sealed) -> None:
    pointer = sealed.promote("loans_strict")
    sealed.path(pointer.sha256, "onnx").write_bytes(sealed.model_file("loans"))


def pointer_to_what_is_not_there(sealed: Sealed) -> None:
    sealed.path("0" * 64, "sig").write_text(sealed.keys.sign(NAME, "0" * 64))
    sealed.point("0" * 64)


def file_is_a_folder(sealed: Sealed) -> None:
    pointer = sealed.promote("loans_strict")
    sealed.path(pointer.sha256, "onnx").unlink()
    sealed.path(pointer.sha256, "onnx").mkdir()


TAMPERED = [
    (broken("bytes_truncated"), "onnxruntime can't load the file"),
    (broken("bytes_none"), "onnxruntime can't load the file"),
    (broken("bytes_random"), "onnxruntime can't load the file"),
    (broken("weights_outside"), "onnxruntime can't load the file"),
    (broken("weight_changed"), "golden row 0 scores otherwise than recorded"),
    (broken("golden_score_wrong"), "golden row 0 scores otherwise than recorded"),
    (broken("golden_decided_otherwise"), "a golden row is decided otherwise than recorded"),
    (broken("format_newer"), "the file has format '9', expected "),
    (broken("contract_newer"), "the contract in the file: format 2 is not known here"),
    (broken("contract_breaks_rules"), "no feature is scored"),
    (broken("threshold_one"), "no threshold between 0 and 1"),
    (broken("threshold_not_a_number"), "the metadata document 'decision' is missing or not JSON"),
    (too_large, "the file has more than the 100,000 bytes that SERVE_MAX_MODEL_BYTES allows"),
    (not_signed, "the file is not signed"),
    (signed_by_another, "wrong signature"),
    (signature_of_another_file, "wrong signature"),
    (signed_for_another_model, "wrong signature, expected one for loan_approval_model"),
    (signature_of_noise, "wrong signature"),
    (signature_without_end, "the file is not signed"),
    (weight_changed_and_signed_for_before, "wrong signature"),
    *[(changed_at(place), "the file has another hash") for place in (0, 0.1, 0.5, 0.9, 1)],
    (other_file_of_the_name, "the file has another hash"),
    (pointer_to_what_is_not_there, "the metadata can't be read: No such file"),
    (file_is_a_folder, "the file can't be read: Is a directory"),
]


@pytest.mark.parametrize(("tamper", "reason"), TAMPERED)
def test_a_tampered_file_is_refused_with_a_reason_and_the_old_one_goes_on(live, sealed, caplog, tamper, reason):
    old = live.current
    tamper(sealed)
    caplog.clear()
    for _ in range(3):
        live.refresh()
    assert live.current is old
    (line,) = caplog.messages
    assert line.startswith("model refused, the old one goes on: ")
    assert reason in line


def test_a_signed_file_is_followed(live, sealed):
    pointer = sealed.promote("loans_strict")
    live.refresh()
    assert live.current.pointer == pointer


@pytest.mark.parametrize("spoil", [not_signed, signed_by_another])
def test_a_signature_that_is_put_right_afterwards_counts(live, sealed, spoil):
    spoil(sealed)
    live.refresh()
    sha256 = sealed.store.pointer().sha256
    sealed.path(sha256, "sig").write_text(sealed.keys.sign(NAME, sha256) + "\n")
    live.refresh()
    assert live.current.pointer.sha256 == sha256


def test_a_signature_keeps_a_file_apart_from_who_may_point_at_it(live, sealed, tmp_path):
    """What the key holder once signed may answer again: the signature says who, the pointer says which."""
    first = live.current.pointer
    sealed.promote("loans_strict")
    live.refresh()
    sealed.point(first.sha256)
    live.refresh()
    assert live.current.pointer.sha256 == first.sha256


@pytest.mark.parametrize("signature", ["", "AAAA"])
def test_a_store_that_asks_for_signatures_installs_nothing_without(sealed, signature):
    with pytest.raises(SignatureError):
        sealed.store.install(sealed.model_file("loans"), METADATA, signature)
    assert not list(sealed.store.path.glob("*.onnx"))


def test_a_store_installs_nothing_larger_than_told(tmp_path, model_file):
    data = model_file("loans")
    assert Store(tmp_path / "right", largest=len(data)).install(data, METADATA)
    with pytest.raises(ModelFileError, match="SERVE_MAX_MODEL_BYTES"):
        Store(tmp_path / "small", largest=len(data) - 1).install(data, METADATA)


def test_without_a_key_signatures_are_kept_and_not_looked_at(tmp_path, model_file):
    store = Store(tmp_path / "store")
    scorer = store.install(model_file("loans"), METADATA, "no signature at all")
    pointer = Pointer(scorer.sha256, NAME, "production", "1", "run-1", "passed")
    assert store.load(pointer)[0].sha256 == scorer.sha256
    assert (store.path / f"{scorer.sha256}.sig").read_text() == "no signature at all"


def test_the_settings_make_the_store(sealed, tmp_path):
    settings = Settings(store=sealed.store.path, public_key_file=sealed.keys.public, max_model_bytes=LARGEST)
    pointer = sealed.promote("loans")
    assert open_store(settings).load(pointer)
    with pytest.raises(SignatureError, match="expected one for other_model"):
        open_store(replace(settings, model_name="other_model")).load(pointer)
    with pytest.raises(ModelFileError, match="more than the 10 bytes"):
        open_store(replace(settings, max_model_bytes=10)).load(pointer)
    sealed.keys.public.write_text("no key")
    with pytest.raises(SettingsError, match="SERVE_PUBLIC_KEY_FILE"):
        open_store(settings)

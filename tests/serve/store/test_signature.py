import base64
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from serve.errors import SettingsError, SignatureError
from serve.store.signature import LARGEST_KEY, Verifier, text_to_sign
from tests.signing_keys import Keys, make_keys

NAME, SHA256 = "loan_approval_model", "a" * 64


@pytest.fixture
def keys(tmp_path) -> Keys:
    return make_keys(tmp_path)


def test_a_signature_of_the_name_and_the_hash_is_right(keys):
    Verifier(keys.public, NAME).check(SHA256, keys.sign(NAME, SHA256))


@pytest.mark.parametrize(
    ("name", "sha256"), [("boston_model", SHA256), (NAME, "b" * 64), (NAME, SHA256.upper()), ("", SHA256)]
)
def test_a_signature_of_something_else_is_wrong(keys, name, sha256):
    with pytest.raises(SignatureError, match=f"{SHA256}: wrong signature, expected one for {NAME}"):
        Verifier(keys.public, NAME).check(SHA256, keys.sign(name, sha256))


def test_a_signature_by_another_key_is_wrong(keys, tmp_path):
    other = make_keys(tmp_path, "other")
    with pytest.raises(SignatureError, match="wrong signature"):
        Verifier(keys.public, NAME).check(SHA256, other.sign(NAME, SHA256))


def test_a_signature_of_the_plain_hash_does_not_count(keys):
    with pytest.raises(SignatureError, match="wrong signature"):
        Verifier(keys.public, NAME).check(SHA256, base64.b64encode(keys.key.sign(SHA256.encode())).decode())


@pytest.mark.parametrize("text", ["=", "AAAA", "ö" * 88, "\ud800", "A" * 88, "\0"])
def test_text_that_is_no_signature_is_wrong(keys, text):
    with pytest.raises(SignatureError, match="wrong signature"):
        Verifier(keys.public, NAME).check(SHA256, text)


@pytest.mark.parametrize("bit", range(0, 512, 37))
def test_a_signature_with_one_bit_changed_is_wrong(keys, bit):
    signature = bytearray(base64.b64decode(keys.sign(NAME, SHA256)))
    signature[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SignatureError, match="wrong signature"):
        Verifier(keys.public, NAME).check(SHA256, base64.b64encode(signature).decode())


def test_a_missing_signature_is_named(keys):
    with pytest.raises(SignatureError, match="the file is not signed"):
        Verifier(keys.public, NAME).check(SHA256, "")


def not_a_key(keys: Keys) -> bytes:
    return b"a key, honestly"


def a_private_key(keys: Keys) -> bytes:
    return keys.private.read_bytes()


def a_key_of_another_kind(keys: Keys) -> bytes:
    return generate_private_key(SECP256R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def a_truncated_key(keys: Keys) -> bytes:
    return keys.public.read_bytes()[:60]


def nothing(keys: Keys) -> bytes:
    return b""


@pytest.mark.parametrize("content", [not_a_key, a_private_key, a_key_of_another_kind, a_truncated_key, nothing])
def test_a_file_that_is_no_public_ed25519_key_is_refused_by_its_settings_name(keys, content):
    keys.public.write_bytes(content(keys))
    with pytest.raises(SettingsError, match=r"SERVE_PUBLIC_KEY_FILE='.*': expected an Ed25519 public key in PEM"):
        Verifier(keys.public, NAME)


def test_a_file_too_large_for_a_key_is_not_read(keys):
    keys.public.write_bytes(bytes(LARGEST_KEY + 1))
    with pytest.raises(SettingsError, match="can't be read: File too large"):
        Verifier(keys.public, NAME)


def test_the_error_never_shows_the_key(keys):
    keys.public.write_bytes(keys.private.read_bytes())
    with pytest.raises(SettingsError) as refused:
        Verifier(keys.public, NAME)
    assert "PRIVATE" not in str(refused.value)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
def test_signatures_by_openssl_are_right(tmp_path):
    private, public, text, signature = (tmp_path / name for name in ("key.pem", "pub.pem", "text", "signature"))
    text.write_bytes(text_to_sign(NAME, SHA256))
    for command in (
        ["genpkey", "-algorithm", "ed25519", "-out", private],
        ["pkey", "-in", private, "-pubout", "-out", public],
        ["pkeyutl", "-sign", "-rawin", "-inkey", private, "-in", text, "-out", signature],
    ):
        subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True)
    Verifier(public, NAME).check(SHA256, base64.b64encode(signature.read_bytes()).decode())

"""The registry over HTTPS: whom it is believed, and until when."""

import datetime
import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from serve.errors import RegistryError
from serve.registry.mlflow_client import RegistryClient
from serve.settings import Settings
from tests.fake_registry import NAME, FakeRegistry, Handler, fake_registry


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key and its own certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "registry of a test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(key.private_bytes(*form) + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def registry(certificate: Path) -> Iterator[FakeRegistry]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with fake_registry(lambda sock: context.wrap_socket(sock, server_side=True)) as registry:
        registry.register("1", b"any bytes" * 100_000)
        yield registry


@pytest.fixture
def settings(registry: FakeRegistry, certificate: Path) -> Settings:
    return Settings(tracking_uri=registry.address, tracking_ca_file=str(certificate), registry_timeout_seconds=10)


def test_a_registry_with_the_given_certificate_is_believed(registry: FakeRegistry, settings: Settings) -> None:
    client = RegistryClient(settings)
    version = client.version_of_alias(NAME, "production")
    assert client.model_file(version) == registry.versions["1"].data


def test_a_registry_with_another_certificate_is_not(settings: Settings) -> None:
    with pytest.raises(RegistryError, match="can't be reached") as refused:
        RegistryClient(replace(settings, tracking_ca_file="")).version_of_alias(NAME, "production")
    assert refused.value.kind == "unreachable"


def test_a_registry_with_another_certificate_is_believed_by_who_insists(settings: Settings) -> None:
    insisting = replace(settings, tracking_ca_file="", tracking_insecure_tls=True)
    assert RegistryClient(insisting).version_of_alias(NAME, "production").number == "1"


def test_a_body_that_drips_through_tls_is_cut(registry: FakeRegistry, settings: Settings) -> None:
    def drip(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.drip(b" ")

    registry.faults["alias"] = drip
    with pytest.raises(RegistryError, match="in time") as cut:
        RegistryClient(replace(settings, registry_timeout_seconds=0.5)).version_of_alias(NAME, "production")
    assert cut.value.kind == "timeout"


def test_a_redirect_from_https_to_http_is_not_followed(registry: FakeRegistry, settings: Settings) -> None:
    with fake_registry() as plain:
        registry.faults["alias"] = lambda handler: handler.send(302, b"", Location=plain.address + handler.path)
        with pytest.raises(RegistryError, match="and not by HTTPS"):
            RegistryClient(settings).version_of_alias(NAME, "production")
        assert plain.asked == []


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_from_http_to_a_place_with_a_right_certificate_is_followed_without_the_credentials(
    registry: FakeRegistry, settings: Settings, code: int
) -> None:
    with fake_registry() as first:
        first.faults["alias"] = lambda handler: handler.send(code, b"", Location=registry.address + handler.path)
        client = RegistryClient(replace(settings, tracking_uri=first.address, tracking_authorization="Basic secret"))
        assert client.version_of_alias(NAME, "production").number == "1"
    assert (first.authorizations, registry.authorizations) == (["Basic secret"], [None])

import socket

import pytest

from serve.errors import SettingsError
from serve.http.listening import listen, make_context
from serve.settings import Settings


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_a_host_is_listened_on_in_its_family(host, family):
    if family == socket.AF_INET6 and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with listen(host, 0) as listening:
        assert listening.family == family
        socket.create_connection(listening.getsockname()[:2], timeout=60).close()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
@pytest.mark.parametrize("host", ["::", "0::0"])
def test_every_address_of_ipv6_takes_ipv4_too(host):
    with listen(host, 0) as listening:
        port = listening.getsockname()[1]
        for client in ("127.0.0.1", "::1"):
            socket.create_connection((client, port), timeout=60).close()


@pytest.mark.parametrize("host", ["::", "::1"])
def test_where_there_is_no_ipv6_its_addresses_are_refused_with_the_reason(monkeypatch, host):
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with pytest.raises(SettingsError, match=rf"^can't listen on \[{host}\]:8000: this machine has no IPv6$"):
        listen(host, 8000)


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_that_is_not_ours_is_refused_by_name(host):
    with pytest.raises(SettingsError, match=f"^can't listen on {host}:8000: "):
        listen(host, 8000)


def test_without_a_certificate_there_is_no_tls():
    assert make_context(Settings()) is None


def test_a_file_that_holds_no_pair_is_refused(tmp_path):
    path = tmp_path / "certificate.pem"
    path.write_text("none")
    with pytest.raises(SettingsError, match=r"^SERVE_TLS_CERTIFICATE, SERVE_TLS_KEY: .*PEM lib"):
        make_context(Settings(tls_certificate=path))
    with pytest.raises(SettingsError, match=r"^SERVE_TLS_CERTIFICATE, SERVE_TLS_KEY: No such file or directory$"):
        make_context(Settings(tls_certificate=tmp_path / "none.pem"))

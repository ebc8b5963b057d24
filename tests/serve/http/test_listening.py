import asyncio
import os
import socket
import stat
from pathlib import Path

import pytest
import uvloop

from serve.errors import SettingsError
from serve.files import try_lock
from serve.http.listening import has_arrived, listen, listen_on_path, make_context, remove_path
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


def leave_stale(path: Path) -> None:
    """Leave a socket behind as a killed server does."""
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "serve.sock"


def can_connect(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as caller:
        return caller.connect_ex(str(path)) == 0


@pytest.mark.parametrize("is_stale", [False, True])
def test_a_path_is_listened_on_for_user_and_group_also_where_a_killed_server_left_its_socket(path, is_stale):
    if is_stale:
        leave_stale(path)
    umask = os.umask(0o777)
    try:
        listening = listen_on_path(path)
    finally:
        os.umask(umask)
    with listening:
        assert can_connect(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_a_path_on_which_another_server_listens_is_refused_and_kept(path):
    with listen_on_path(path):
        with pytest.raises(SettingsError, match=f"^can't listen on {path}: another server does$"):
            listen_on_path(path)
        assert can_connect(path)


def test_a_server_with_a_full_backlog_is_alive(path):
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as waiting:
        busy.bind(str(path))
        busy.listen(0)
        waiting.connect(str(path))
        with pytest.raises(SettingsError, match=r"another server does$"):
            listen_on_path(path)


def test_a_file_that_is_no_socket_is_refused_and_kept(path):
    path.write_text("mine")
    with pytest.raises(SettingsError, match=f"^can't listen on {path}: Address already in use$"):
        listen_on_path(path)
    assert path.read_text() == "mine"


def test_a_path_that_can_not_be_is_refused_with_the_reason(tmp_path, path):
    with pytest.raises(SettingsError, match=r"nothing.sock: expected a folder in which no other server is starting"):
        listen_on_path(tmp_path / "none/nothing.sock")
    with pytest.raises(SettingsError, match=r"x: AF_UNIX path too long$"):
        listen_on_path(tmp_path / ("x" * 120))


def test_two_servers_that_start_at_once_do_not_replace_each_other(path):
    leave_stale(path)
    lock = try_lock(path.parent)  # the other one's, between its look at the socket and its own
    with pytest.raises(SettingsError, match=r"no other server is starting just now$"):
        listen_on_path(path)
    os.close(lock)
    listen_on_path(path).close()


def test_at_its_end_a_server_removes_its_socket_and_not_that_of_another_one(path):
    listening = listen_on_path(path)
    listening.close()
    remove_path(path)
    assert not path.exists()
    remove_path(path)
    with listen_on_path(path):
        remove_path(path)
        assert can_connect(path)


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET])
def test_bytes_that_were_not_read_are_seen_on_each_kind_of_socket(family):
    async def check() -> list[bool]:
        ours, theirs = socket.socketpair(socket.AF_UNIX) if family == socket.AF_UNIX else connected_pair()
        with theirs:
            loop = asyncio.get_running_loop()
            transport, _ = await loop.connect_accepted_socket(asyncio.Protocol, ours)
            transport.pause_reading()
            seen = [has_arrived(transport)]
            theirs.sendall(b"x")
            seen.append(has_arrived(transport))
            transport.abort()
            await asyncio.sleep(0)
            return seen

    assert uvloop.run(check()) == [False, True]


def connected_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        theirs = socket.create_connection(listening.getsockname())
        return listening.accept()[0], theirs

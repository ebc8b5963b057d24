"""Sockets: those that listen and their TLS context, where a fault stops the start; and what waits in an open one."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
import termios
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from serve.errors import SettingsError
from serve.files import try_lock
from serve.settings import BACKLOG, Settings

if TYPE_CHECKING:
    import asyncio
    import ssl

SOCKET_MODE = 0o660  # of a Unix socket: to connect is to write


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; on `::` it takes IPv4 as well. Raises SettingsError."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        if family == socket.AF_INET6 and not socket.has_dualstack_ipv6():
            raise OSError(errno.EAFNOSUPPORT, "this machine has no IPv6")
        both = address[0] == "::"
        return socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except OSError as err:
        raise SettingsError(f"can't listen on {write_address(host, port)}: {err.strerror}") from err


def listen_on_path(path: Path) -> socket.socket:
    """Return a listening Unix socket that this user and its group may connect to. Raises SettingsError.

    A socket that a killed server has left is replaced.
    """
    lock = try_lock(path.parent)
    if lock is None:
        raise SettingsError(f"can't listen on {path}: expected a folder in which no other server is starting just now")
    listening = socket.socket(socket.AF_UNIX)
    try:
        if path.is_socket() and not _remove_stale(path):
            raise OSError(errno.EADDRINUSE, "another server does")
        listening.bind(str(path))
        path.chmod(SOCKET_MODE)  # nobody can connect before it listens
        listening.listen(BACKLOG)
    except OSError as err:
        listening.close()
        raise SettingsError(f"can't listen on {path}: {err.strerror or err}") from err
    finally:
        os.close(lock)
    return listening


def remove_path(path: Path) -> None:
    """Remove a Unix socket at the end of its server, unless another server listens on it now."""
    lock = try_lock(path.parent)
    if lock is not None:
        with suppress(OSError):
            _remove_stale(path)
        os.close(lock)


def _remove_stale(path: Path) -> bool:
    """Remove a Unix socket if nothing listens on it; return whether."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return True
        except BlockingIOError:  # so many are waiting to be accepted that no more may
            return False
    return False


def write_address(host: str, port: int) -> str:
    """Return an address as it stands in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def make_context(settings: Settings) -> ssl.SSLContext | None:
    """Return the context of the configured certificate, None without one. Raises SettingsError."""
    if settings.tls_certificate is None:
        return None
    import ssl  # here: 4 MB that the parent does without where nothing is configured

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except OSError as err:  # ssl.SSLError is one
        raise SettingsError(f"SERVE_TLS_CERTIFICATE, SERVE_TLS_KEY: {err.strerror}") from err
    return context


def has_arrived(transport: asyncio.BaseTransport) -> bool:
    """Whether the system holds bytes of the caller that were not read yet."""
    number = transport.get_extra_info("socket").fileno()
    return struct.unpack("i", fcntl.ioctl(number, termios.FIONREAD, bytes(4))) != (0,)

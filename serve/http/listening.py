"""Sockets: those that listen and their TLS context, where a fault stops the start; and what waits in an open one."""

import asyncio
import errno
import fcntl
import socket
import ssl
import struct
import termios

from serve.errors import SettingsError
from serve.settings import BACKLOG, Settings


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


def write_address(host: str, port: int) -> str:
    """Return an address as it stands in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def make_context(settings: Settings) -> ssl.SSLContext | None:
    """Return the context of the configured certificate, None without one. Raises SettingsError."""
    if settings.tls_certificate is None:
        return None
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

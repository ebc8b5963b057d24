"""TLS by the server itself."""

import ssl

from serve.errors import SettingsError
from serve.settings import Settings


def make_context(settings: Settings) -> ssl.SSLContext | None:
    """Return the context of the configured certificate, None without one. Raises SettingsError."""
    if settings.tls_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except OSError as err:  # ssl.SSLError is one
        raise SettingsError(f"SERVE_TLS_CERTIFICATE, SERVE_TLS_KEY: {err.strerror or 'not a PEM pair'}") from err
    return context

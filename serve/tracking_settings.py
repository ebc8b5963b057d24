"""How to reach MLflow's tracking server, by the names that its own client reads."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from serve.errors import SettingsError


def read_tracking(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of `Settings` that begin with `tracking_`; none unless the address is http(s). Raises
    SettingsError.
    """
    uri = environment.get("MLFLOW_TRACKING_URI", "").strip()
    if not uri.lower().startswith(("http://", "https://")):
        return {}
    try:
        place = urlsplit(uri)
        usable = bool(place.hostname) and (place.port is None or place.port > 0)
    except ValueError:
        usable = False
    if not usable:  # not quoted: a password may stand in it
        raise SettingsError("MLFLOW_TRACKING_URI: expected http(s)://host[:port][/path]")
    host = place.netloc.rpartition("@")[2]
    return {
        "tracking_uri": f"{place.scheme}://{host}{place.path.rstrip('/')}",
        "tracking_authorization": _authorization(environment, place.username, place.password),
        "tracking_ca_file": environment.get("MLFLOW_TRACKING_SERVER_CERT_PATH", ""),
        "tracking_insecure_tls": environment.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("1", "true"),
    }


def _authorization(environment: Mapping[str, str], uri_username: str | None, uri_password: str | None) -> str:
    username, password = environment.get("MLFLOW_TRACKING_USERNAME"), environment.get("MLFLOW_TRACKING_PASSWORD")
    token = environment.get("MLFLOW_TRACKING_TOKEN", "")
    if not (username and password) and not token:
        username, password = unquote(uri_username or ""), unquote(uri_password or "")
    if username and password:
        return "Basic " + b64encode(f"{username}:{password}".encode()).decode()
    if not (token.isascii() and token.isprintable()):
        raise SettingsError("MLFLOW_TRACKING_TOKEN: expected printable ASCII")
    return f"Bearer {token}" if token else ""

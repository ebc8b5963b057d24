"""The settings of the server, read once from the environment."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from serve.errors import SettingsError


@dataclass(frozen=True)
class Settings:
    """What the server was told. Times in seconds, sizes in bytes."""

    model_name: str = "loan_approval_model"
    model_alias: str = "production"
    store: Path = Path("store/loan_approval_model")
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    threads: int = 4
    poll_seconds: float = 1.0
    drain_seconds: int = 20
    max_body_bytes: int = 65_536
    registry_poll_seconds: float = 10.0
    registry_timeout_seconds: float = 10.0
    tracking_uri: str = ""  # without credentials; empty where MLFLOW_TRACKING_URI is not http or https
    tracking_authorization: str = field(default="", repr=False)  # the header's value
    tracking_ca_file: str = ""
    tracking_insecure_tls: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read `SERVE_…` and `PORT`. Raises SettingsError that names the variable, what stood there and what may."""
        name = environment.get("SERVE_MODEL_NAME") or cls.model_name
        read = _Reader(environment)
        return cls(
            model_name=name,
            model_alias=environment.get("SERVE_MODEL_ALIAS") or cls.model_alias,
            store=Path(environment.get("SERVE_STORE") or f"store/{name}"),
            host=environment.get("SERVE_HOST") or cls.host,
            port=read("PORT", int, cls.port, 0, 65_535),
            workers=read("SERVE_WORKERS", int, cls.workers, 1, 256),
            threads=read("SERVE_THREADS", int, cls.threads, 1, 256),
            poll_seconds=read("SERVE_POLL_SECONDS", float, cls.poll_seconds, 0.05, 3600),
            drain_seconds=read("SERVE_DRAIN_SECONDS", int, cls.drain_seconds, 1, 3600),
            max_body_bytes=read("SERVE_MAX_BODY_BYTES", int, cls.max_body_bytes, 1, 2**30),
            registry_poll_seconds=read("SERVE_REGISTRY_POLL_SECONDS", float, cls.registry_poll_seconds, 0.05, 3600),
            registry_timeout_seconds=read(
                "SERVE_REGISTRY_TIMEOUT_SECONDS", float, cls.registry_timeout_seconds, 0.05, 25
            ),
            **_read_tracking(environment),
        )


def _read_tracking(environment: Mapping[str, str]) -> dict[str, Any]:
    """Read how to reach the tracking server, by the names that MLflow's own client reads."""
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


@dataclass(frozen=True)
class _Reader:
    environment: Mapping[str, str]

    def __call__(self, name: str, kind: Callable[[str], Any], default: Any, low: float, high: float) -> Any:
        text = self.environment.get(name, "")
        if not text:
            return default
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise SettingsError(f"{name}={text!r}: expected {kind.__name__} from {low:g} to {high:g}")
        return value

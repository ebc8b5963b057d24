"""The settings of the server, read once from the environment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serve.errors import SettingsError


@dataclass(frozen=True)
class Settings:
    """What the server was told. Times in seconds, sizes in bytes; connections and queues a worker."""

    model_name: str = "loan_approval_model"
    model_alias: str = "production"
    store: Path = Path("store/loan_approval_model")
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    threads: int = 4
    poll_seconds: float = 1.0
    drain_seconds: float = 20.0
    receive_seconds: float = 10.0
    send_seconds: float = 10.0
    idle_seconds: float = 75.0
    max_connections: int = 4096
    max_queue: int = 64
    max_body_bytes: int = 65_536
    metrics_address: tuple[str, int] | None = None
    request_log: float = 0.0
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    api_keys_file: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read `SERVE_…` and `PORT`. Raises SettingsError that names the variable, what stood there and what may."""
        name = environment.get("SERVE_MODEL_NAME") or cls.model_name
        read = _Reader(environment)
        settings = cls(
            model_name=name,
            model_alias=environment.get("SERVE_MODEL_ALIAS") or cls.model_alias,
            store=Path(environment.get("SERVE_STORE") or f"store/{name}"),
            host=environment.get("SERVE_HOST") or cls.host,
            port=read("PORT", int, cls.port, 0, 65_535),
            workers=read("SERVE_WORKERS", int, cls.workers, 1, 256),
            threads=read("SERVE_THREADS", int, cls.threads, 1, 256),
            poll_seconds=read("SERVE_POLL_SECONDS", float, cls.poll_seconds, 0.05, 3600),
            drain_seconds=read("SERVE_DRAIN_SECONDS", float, cls.drain_seconds, 0.1, 3600),
            receive_seconds=read("SERVE_RECEIVE_SECONDS", float, cls.receive_seconds, 0.1, 3600),
            send_seconds=read("SERVE_SEND_SECONDS", float, cls.send_seconds, 0.1, 3600),
            idle_seconds=read("SERVE_IDLE_SECONDS", float, cls.idle_seconds, 0.1, 3600),
            max_connections=read("SERVE_MAX_CONNECTIONS", int, cls.max_connections, 1, 1_000_000),
            max_queue=read("SERVE_MAX_QUEUE", int, cls.max_queue, 1, 100_000),
            max_body_bytes=read("SERVE_MAX_BODY_BYTES", int, cls.max_body_bytes, 1, 2**30),
            metrics_address=_address("SERVE_METRICS_ADDRESS", environment.get("SERVE_METRICS_ADDRESS", "")),
            request_log=read("SERVE_REQUEST_LOG", float, cls.request_log, 0, 1),
            tls_certificate=_path(environment, "SERVE_TLS_CERTIFICATE"),
            tls_key=_path(environment, "SERVE_TLS_KEY"),
            api_keys_file=_path(environment, "SERVE_API_KEYS_FILE"),
        )
        if settings.tls_key and not settings.tls_certificate:
            raise SettingsError("SERVE_TLS_KEY: expected SERVE_TLS_CERTIFICATE beside it")
        return settings


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    text = environment.get(name, "")
    if not text:
        return None
    if not Path(text).is_file():
        raise SettingsError(f"{name}={text!r}: expected a file")
    return Path(text)


def _address(name: str, text: str) -> tuple[str, int] | None:
    if not text:
        return None
    host, colon, port = text.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit() and int(port) <= 65_535):
        raise SettingsError(f"{name}={text!r}: expected host:port")
    return host.strip("[]"), int(port)


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

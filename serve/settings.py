"""The settings of the server, read once from the environment."""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from serve.errors import SettingsError

PORTS = ("AIP_HTTP_PORT", "SAGEMAKER_BIND_TO_PORT", "PORT")  # variables, the first that is set counts
BACKLOG = 2048  # connections that wait to be accepted
# A browser writes an origin in lower case, and without its scheme's own port.
_match_origin = re.compile(
    r"(https://(?!.*:443$)|http://(?!.*:80$))([a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:]+\])(:[1-9][0-9]{0,4})?"
).fullmatch
LARGEST_FILE = 40_000_000  # bytes of a model file; a deep forest beyond that takes seconds and gigabytes to load


def _setting(default: Any, read: Callable[[str], Any], *variables: str) -> Any:
    """Return a field of `Settings`; `read` parses its variable, or raises ValueError(what was expected).

    variables: its names instead of `SERVE_` and its own; the first that is set counts.
    """
    return field(default=default, metadata={"read": read, "variables": variables})


def _number(default: float, low: float, high: float, *variables: str) -> Any:
    kind = type(default)

    def read(text: str) -> float:
        with suppress(ValueError):
            if low <= (value := kind(text)) <= high:
                return value
        raise ValueError(f"{kind.__name__} from {low:g} to {high:g}")

    return _setting(default, read, *variables)


def _read_file(text: str) -> Path:
    if not Path(text).is_file():
        raise ValueError("a file")
    return Path(text)


def _read_address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit() and int(port) <= 65_535):
        raise ValueError("host:port")
    return host.strip("[]"), int(port)


def _read_path(text: str) -> str:
    if not re.fullmatch(r"/[A-Za-z0-9._~:@/-]{1,200}", text) or "//" in text:
        raise ValueError("a path such as /predict")
    return text


def _read_origins(text: str) -> tuple[str, ...]:
    origins = tuple(each.strip() for each in text.split(","))
    if not all(map(_match_origin, origins)):
        raise ValueError("origins as browsers write them, such as https://bank.example, with commas between; no *")
    return origins


def _read_mode(text: str) -> str:
    if text not in ("drop", "required"):
        raise ValueError("drop or required")
    return text


@dataclass(frozen=True)
class Settings:
    """The variable of each is `SERVE_` and its name in capitals, but for `PORT`, MLflow's own (`tracking_…`) and those
    by which a host tells its containers where to listen, which go before `PORT`: an image may have set that.

    Times are in seconds, sizes in bytes; connections and queues are limits of one worker.
    """

    model_name: str = _setting("loan_approval_model", str)
    model_alias: str = _setting("production", str)
    store: Path = _setting(Path("store/loan_approval_model"), Path)  # its default follows the model's name
    host: str = _setting("127.0.0.1", str)
    port: int = _number(8000, 0, 65_535, *PORTS)
    socket: Path | None = _setting(None, Path)  # a Unix socket to listen on instead of host and port
    public_name: str | None = _setting(None, str)  # by which KServe and Triton's clients ask, beside the registry's
    vertex_health: str | None = _setting(None, _read_path, "AIP_HEALTH_ROUTE")
    vertex_predict: str | None = _setting(None, _read_path, "AIP_PREDICT_ROUTE")
    workers: int = _number(1, 1, 256)
    threads: int = _number(2, 1, 256)  # more would only wait for the interpreter, which runs one at a time
    poll_seconds: float = _number(1.0, 0.05, 3600)
    drain_seconds: float = _number(20.0, 0.1, 3600)
    receive_seconds: float = _number(10.0, 0.1, 3600)
    send_seconds: float = _number(10.0, 0.1, 3600)
    idle_seconds: float = _number(75.0, 0.1, 3600)
    max_connections: int = _number(4096, 1, 1_000_000)
    max_queue: int = _number(64, 1, 100_000)
    max_body_bytes: int = _number(65_536, 1, 2**30)
    max_buffered_bytes: int = _number(64 * 2**20, 65_536, 2**40)
    metrics_address: tuple[str, int] | None = _setting(None, _read_address)
    request_log: float = _number(0.0, 0, 1)
    tls_certificate: Path | None = _setting(None, _read_file)
    tls_key: Path | None = _setting(None, _read_file)
    max_batch_bytes: int = _number(16 * 2**20, 1, 2**30)
    max_batch_rows: int = _number(100_000, 1, 10_000_000)
    registry_poll_seconds: float = _number(10.0, 0.05, 3600)
    registry_timeout_seconds: float = _number(10.0, 0.05, 25)
    api_keys_file: Path | None = _setting(None, _read_file)
    cors_origins: tuple[str, ...] | None = _setting(None, _read_origins)  # whose pages may read responses
    max_model_bytes: int = _number(LARGEST_FILE, 1, LARGEST_FILE)
    public_key_file: Path | None = _setting(None, _read_file)
    prediction_log: Path | None = _setting(None, Path)
    prediction_log_mode: str = _setting("drop", _read_mode)  # or "required": a decision that can't be logged is refused
    prediction_log_bytes: int = _number(64 * 2**20, 4096, 2**40)  # of one file of the log
    applicant_secret_file: Path | None = _setting(None, _read_file)
    shadow_alias: str | None = _setting(None, str)
    tracking_uri: str = ""  # without credentials; empty where MLFLOW_TRACKING_URI is not http or https
    tracking_authorization: str = field(default="", repr=False)  # the header's value
    tracking_ca_file: str = ""
    tracking_insecure_tls: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Return the settings. Raises SettingsError that names the variable, its value and what was expected."""
        values: dict[str, Any] = {}
        for name, variables in VARIABLES.items():
            variable = next((each for each in variables if environment.get(each)), "")
            if text := environment.get(variable, ""):
                try:
                    values[name] = cls.__dataclass_fields__[name].metadata["read"](text)
                except ValueError as err:
                    raise SettingsError(f"{variable}={text!r}: expected {err}") from None
        values.setdefault("store", Path(f"store/{values.get('model_name', cls.model_name)}"))
        settings = cls(**values, **_read_tracking(environment))
        if settings.tls_key and not settings.tls_certificate:
            raise SettingsError("SERVE_TLS_KEY: expected SERVE_TLS_CERTIFICATE beside it")
        if settings.socket and settings.tls_certificate:
            raise SettingsError(
                "SERVE_SOCKET: expected no SERVE_TLS_CERTIFICATE beside it, a proxy speaks plain HTTP to it"
            )
        if settings.shadow_alias == settings.model_alias:
            raise SettingsError("SERVE_SHADOW_ALIAS: expected another alias than SERVE_MODEL_ALIAS")
        return settings


# The environment variables of each setting.
VARIABLES = {
    each.name: each.metadata["variables"] or (f"SERVE_{each.name.upper()}",)
    for each in fields(Settings)
    if "read" in each.metadata
}


def _read_tracking(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return how to reach the MLflow server, from the variables of its own client; {} unless the URI is http(s)."""
    uri = environment.get("MLFLOW_TRACKING_URI", "").strip()
    if not uri.lower().startswith(("http://", "https://")):
        return {}
    try:
        address = urlsplit(uri)
        if not address.hostname or address.port == 0:
            raise ValueError
    except ValueError:  # the URI is not quoted: it may hold a password
        raise SettingsError("MLFLOW_TRACKING_URI: expected http(s)://host[:port][/path]") from None
    host = address.netloc.rpartition("@")[2]
    return {
        "tracking_uri": f"{address.scheme}://{host}{address.path.rstrip('/')}",
        "tracking_authorization": _authorization(environment, address.username, address.password),
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

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


def _setting(default: Any, read: Callable[[str], Any], meaning: str, *variables: str) -> Any:
    """Return a field of `Settings`; `read` parses its variable, or raises ValueError(what was expected).

    meaning: what the setting does, for `python -m serve --help`.
    variables: its names instead of `SERVE_` and its own; the first that is set counts.
    """
    return field(default=default, metadata={"read": read, "meaning": meaning, "variables": variables})


def _tracking(default: Any, meaning: str, *variables: str) -> Any:
    """Return a field of `Settings` that `_read_tracking` reads; it is not shown, as it may be a secret."""
    return field(default=default, repr=False, metadata={"meaning": meaning, "variables": variables})


def _number(default: float, low: float, high: float, meaning: str, *variables: str) -> Any:
    kind = type(default)

    def read(text: str) -> float:
        with suppress(ValueError):
            if low <= (value := kind(text)) <= high:
                return value
        raise ValueError(f"{kind.__name__} from {low:g} to {high:g}")

    return _setting(default, read, meaning, *variables)


def _read_file(text: str) -> Path:
    if not Path(text).is_file():
        raise ValueError("a file")
    return Path(text)


def _read_address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit() and int(port) <= 65_535):
        raise ValueError("host:port")
    return host.strip("[]"), int(port)


def _read_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}", text):
        raise ValueError("a name as in a URL, of letters, digits, dots, hyphens and underscores")
    return text


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

    model_name: str = _setting("loan_approval_model", str, "registered model; by default that of the store")
    model_alias: str = _setting("production", str, "alias that names the version to serve")
    store: Path = _setting(Path("store/loan_approval_model"), Path, "folder of the model; by default store/NAME")
    host: str = _setting("127.0.0.1", str, "address to listen on")
    port: int = _number(8000, 0, 65_535, "port to listen on; the first that is set counts", *PORTS)
    socket: Path | None = _setting(None, Path, "Unix socket to listen on instead of host and port")
    public_name: str | None = _setting(None, _read_name, "another name that KServe's and Triton's clients may ask for")
    vertex_health: str | None = _setting(None, _read_path, "Vertex AI's path for health checks", "AIP_HEALTH_ROUTE")
    vertex_predict: str | None = _setting(None, _read_path, "Vertex AI's path for predictions", "AIP_PREDICT_ROUTE")
    workers: int = _number(1, 1, 256, "worker processes")
    # More threads would only wait for the interpreter, which runs one at a time.
    threads: int = _number(2, 1, 256, "threads for Flask in each worker")
    poll_seconds: float = _number(1.0, 0.05, 3600, "between two reads of the pointer in the store")
    drain_seconds: float = _number(20.0, 0.1, 3600, "for requests in flight at SIGTERM")
    receive_seconds: float = _number(10.0, 0.1, 3600, "limit for receiving a request")
    send_seconds: float = _number(10.0, 0.1, 3600, "limit for the client to read a response")
    idle_seconds: float = _number(75.0, 0.1, 3600, "limit for an idle connection")
    max_connections: int = _number(4096, 1, 1_000_000, "connections of a worker; beyond: 503")
    max_queue: int = _number(64, 1, 100_000, "waiting requests of a worker; beyond: 503")
    max_body_bytes: int = _number(65_536, 1, 2**30, "largest body of a request; beyond: 413")
    max_buffered_bytes: int = _number(64 * 2**20, 65_536, 2**40, "bytes of all bodies in a worker; beyond: 503")
    metrics_address: tuple[str, int] | None = _setting(None, _read_address, "host:port of Prometheus' /metrics")
    request_log: float = _number(0.0, 0, 1, "share of requests that are logged")
    tls_certificate: Path | None = _setting(None, _read_file, "certificate in PEM; then the server speaks TLS")
    tls_key: Path | None = _setting(None, _read_file, "key of the certificate in PEM")
    max_batch_bytes: int = _number(16 * 2**20, 1, 2**30, "largest body of a batch; beyond: 413")
    max_batch_rows: int = _number(100_000, 1, 10_000_000, "most rows of a batch; beyond: 413")
    registry_poll_seconds: float = _number(10.0, 0.05, 3600, "between two reads of the alias in MLflow")
    registry_timeout_seconds: float = _number(10.0, 0.05, 25, "limit for one response of MLflow")
    api_keys_file: Path | None = _setting(None, _read_file, "API keys, one name:sha256 a line; then one is required")
    cors_origins: tuple[str, ...] | None = _setting(None, _read_origins, "origins whose pages may read responses")
    max_model_bytes: int = _number(LARGEST_FILE, 1, LARGEST_FILE, "largest model file that is loaded")
    public_key_file: Path | None = _setting(None, _read_file, "Ed25519 key in PEM; then models must be signed with it")
    prediction_log: Path | None = _setting(None, Path, "folder of the prediction log")
    prediction_log_mode: str = _setting("drop", _read_mode, "drop; or required: what can't be logged is refused")
    prediction_log_bytes: int = _number(64 * 2**20, 4096, 2**40, "size of one file of the prediction log")
    applicant_secret_file: Path | None = _setting(None, _read_file, "secret of the keyed hash of X-Applicant-Key")
    shadow_alias: str | None = _setting(None, str, "alias of a challenger that scores what was answered")
    revision: str = _setting("unknown", str, "commit of this build, for the metrics; the image sets it")
    tracking_uri: str = _tracking("", "MLflow whose alias is followed, by http or https", "MLFLOW_TRACKING_URI")
    tracking_authorization: str = _tracking(
        "",
        "credentials for MLflow: name and password, or a token",
        *("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"),
    )
    tracking_ca_file: str = _tracking("", "CA certificates to verify MLflow", "MLFLOW_TRACKING_SERVER_CERT_PATH")
    tracking_insecure_tls: bool = _tracking(False, "true: don't verify MLflow", "MLFLOW_TRACKING_INSECURE_TLS")
    is_named: bool = False  # a store of another model than `model_name` is refused

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
        # A signature is of a name: with the name of whatever is in the store, any signed model would do.
        values["is_named"] = not values.keys().isdisjoint({"model_name", "public_key_file"})
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

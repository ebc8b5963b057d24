"""The settings of the server, read once from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from serve.errors import SettingsError
from serve.setting_readers import Reader, read_address, read_choice, read_path
from serve.tracking_settings import read_tracking

BACKLOG = 2048  # connections that the system keeps until they are accepted
LARGEST_FILE = 40_000_000  # bytes of a model file; a deep forest beyond that takes seconds and gigabytes to load


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
    max_buffered_bytes: int = 256 * 2**20
    metrics_address: tuple[str, int] | None = None
    request_log: float = 0.0
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    max_batch_bytes: int = 16 * 2**20
    max_batch_rows: int = 100_000
    registry_poll_seconds: float = 10.0
    registry_timeout_seconds: float = 10.0
    tracking_uri: str = ""  # without credentials; empty where MLFLOW_TRACKING_URI is not http or https
    tracking_authorization: str = field(default="", repr=False)  # the header's value
    tracking_ca_file: str = ""
    tracking_insecure_tls: bool = False
    api_keys_file: Path | None = None
    max_model_bytes: int = LARGEST_FILE
    public_key_file: Path | None = None
    prediction_log: Path | None = None
    prediction_log_mode: str = "drop"  # or "required": no answer that is not in the log
    prediction_log_bytes: int = 64 * 2**20  # of one file of the log, then the next one begins
    applicant_secret_file: Path | None = None
    shadow_alias: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read `SERVE_…` and `PORT`. Raises SettingsError that names the variable, what stood there and what may."""
        name = environment.get("SERVE_MODEL_NAME") or cls.model_name
        read = Reader(environment)
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
            max_buffered_bytes=read("SERVE_MAX_BUFFERED_BYTES", int, cls.max_buffered_bytes, 65_536, 2**40),
            metrics_address=read_address(environment, "SERVE_METRICS_ADDRESS"),
            request_log=read("SERVE_REQUEST_LOG", float, cls.request_log, 0, 1),
            tls_certificate=read_path(environment, "SERVE_TLS_CERTIFICATE"),
            tls_key=read_path(environment, "SERVE_TLS_KEY"),
            api_keys_file=read_path(environment, "SERVE_API_KEYS_FILE"),
            max_model_bytes=read("SERVE_MAX_MODEL_BYTES", int, cls.max_model_bytes, 1, LARGEST_FILE),
            public_key_file=read_path(environment, "SERVE_PUBLIC_KEY_FILE"),
            prediction_log=Path(log) if (log := environment.get("SERVE_PREDICTION_LOG")) else None,
            prediction_log_mode=read_choice(environment, "SERVE_PREDICTION_LOG_MODE", "drop", "required"),
            prediction_log_bytes=read("SERVE_PREDICTION_LOG_BYTES", int, cls.prediction_log_bytes, 4096, 2**40),
            applicant_secret_file=read_path(environment, "SERVE_APPLICANT_SECRET_FILE"),
            shadow_alias=environment.get("SERVE_SHADOW_ALIAS") or cls.shadow_alias,
            max_batch_bytes=read("SERVE_MAX_BATCH_BYTES", int, cls.max_batch_bytes, 1, 2**30),
            max_batch_rows=read("SERVE_MAX_BATCH_ROWS", int, cls.max_batch_rows, 1, 10_000_000),
            registry_poll_seconds=read("SERVE_REGISTRY_POLL_SECONDS", float, cls.registry_poll_seconds, 0.05, 3600),
            registry_timeout_seconds=read(
                "SERVE_REGISTRY_TIMEOUT_SECONDS", float, cls.registry_timeout_seconds, 0.05, 25
            ),
            **read_tracking(environment),
        )
        if settings.tls_key and not settings.tls_certificate:
            raise SettingsError("SERVE_TLS_KEY: expected SERVE_TLS_CERTIFICATE beside it")
        if settings.shadow_alias == settings.model_alias:
            raise SettingsError("SERVE_SHADOW_ALIAS: expected another alias than SERVE_MODEL_ALIAS")
        return settings

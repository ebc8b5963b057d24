"""The servers that are compared, and how each is started. All on loopback, each with one worker process."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks import wire
from tests.benchmarks.model import Made
from tests.benchmarks.wire import Wire
from tests.server_process import ROOT, find_free_port

LOGISTIC, BOOSTING = "logistic_regression", "hist_gradient_boosting"
PEERS = Path(__file__).parent / "peers"
PYTHON = Path(sys.executable)
# The peers' environments lie beside the project's own.
BENCH, MLSERVER = (Path(f"{sys.prefix}-{name}") / "bin" for name in ("bench", "bench-mlserver"))
BARE_HEAD = ("--no-server-header", "--no-date-header")  # an answer's: no more than it must have
# One worker gets one core: no library may start more threads than it can use. And none may call home.
FOR_ALL = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
FOR_ALL |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "ORT_DISABLE_TELEMETRY": "1"}


@dataclass(frozen=True)
class Start:
    """A command line, and what it finds in the environment."""

    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)


Starter = Callable[[Made, int, Path], Start]  # from the model, a free port and an empty folder


@dataclass(frozen=True)
class Server:
    """A row of the table."""

    name: str
    start: Starter
    wire: Wire = wire.APPLICATION
    model: str = LOGISTIC
    checked: bool = True  # whether it decides at all
    batches: tuple[Wire, ...] = ()
    cores: int = 1


def _uvicorn(module: str, model: str, *options: str) -> Starter:
    def start(made: Made, port: int, _: Path) -> Start:
        command = [BENCH / "uvicorn", f"{module}:app", "--app-dir", PEERS, "--host", "127.0.0.1", "--port", port]
        usual = ["--no-access-log", "--log-level", "warning"]
        return Start([*map(str, command), *usual, *options], _model(made, model))

    return start


def _model(made: Made, file: str) -> dict[str, str]:
    threshold = made.uncalibrated_threshold if file == "uncalibrated.joblib" else made.threshold
    return {"MODEL": str(made.folder / file), "THRESHOLD": repr(threshold)}


def ours(**settings: str) -> Starter:
    """Return the start of this server with settings of its own; a relative path lies in its empty folder."""

    def start(made: Made, port: int, _: Path) -> Start:
        return Start([str(PYTHON), "-m", "serve"], _store(made) | {"PORT": str(port)} | settings)

    return start


def _store(made: Made) -> dict[str, str]:
    return {"SERVE_STORE": str(made.folder / "store"), "PYTHONPATH": str(ROOT)}


def _flask_form(made: Made, port: int, _: Path) -> Start:
    command = [BENCH / "gunicorn", "serve.api.app:create_app()", "--bind", f"127.0.0.1:{port}", "--workers", 1]
    options = ["--worker-class", "gthread", "--threads", 4, "--log-level", "warning", "--no-control-socket"]
    return Start([*map(str, command), *map(str, options)], _store(made))


def _mlflow(made: Made, port: int, folder: Path) -> Start:
    command = [PYTHON.parent / "mlflow", "models", "serve", "-m", made.folder / "mlflow", "--env-manager", "local"]
    options = ["--host", "127.0.0.1", "--port", port, "--workers", 1]
    # It starts its server by name.
    environment = {"PATH": f"{PYTHON.parent}:/usr/bin:/bin", "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
    return Start([*map(str, command), *map(str, options)], environment)


def _mlserver(made: Made, port: int, folder: Path) -> Start:
    settings = {
        "name": "loans",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(made.folder / "unnamed.joblib")},
    }
    (folder / "model-settings.json").write_text(json.dumps(settings))
    told = {"HOST": "127.0.0.1", "HTTP_PORT": port, "GRPC_PORT": find_free_port(), "METRICS_PORT": find_free_port()}
    told |= {"PARALLEL_WORKERS": 0, "DEBUG": "false"}
    environment = {f"MLSERVER_{name}": str(value) for name, value in told.items()}
    return Start([str(MLSERVER / "mlserver"), "start", str(folder)], environment)


def _lane_under_uvicorn(made: Made, port: int, folder: Path) -> Start:
    start = _uvicorn("lane_under_uvicorn", "model.onnx", *BARE_HEAD)(made, port, folder)
    return Start(start.command, _store(made))


def _short_cut(made: Made, port: int, _: Path) -> Start:
    command = [BENCH / "granian", "short_cut:app", "--working-dir", PEERS, "--interface", "wsgi", "--http", 1]
    options = ["--host", "127.0.0.1", "--port", port, "--workers", 1, "--blocking-threads", 1, "--log-level", "warning"]
    return Start([*map(str, command), "--no-ws", *map(str, options)], _model(made, "model.onnx"))


NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000000;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port}; default_type application/json;
        location / {{ return 200 '{{"prediction":"Approved","prediction_code":1}}'; }}
    }}
}}
"""


def _nginx(_: Made, port: int, folder: Path) -> Start:
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
    return Start(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"])


USUAL = Server("the usual design: FastAPI, scikit-learn, a one-row DataFrame", _uvicorn("usual_design", "named.joblib"))
UNCALIBRATED = Server("the usual design without a calibrator", _uvicorn("usual_design", "uncalibrated.joblib"))
USUAL_BOOSTING = Server("the usual design, boosting", USUAL.start, model=BOOSTING)
MLFLOW = Server("`mlflow models serve`, scikit-learn", _mlflow, wire.SPLIT, batches=(wire.SPLIT, wire.MLFLOW_RECORDS))
RAW_ASGI = Server(
    "raw ASGI + onnxruntime under uvicorn, no checks",
    _uvicorn("raw_asgi", "model.onnx", "--loop", "uvloop", "--http", "httptools", *BARE_HEAD),
)
THIS = Server("**this server**", ours(), batches=(wire.RECORDS, wire.COLUMNS, wire.CSV))
SERVERS = (
    USUAL,
    UNCALIBRATED,
    MLFLOW,
    Server("MLServer, scikit-learn", _mlserver, wire.TENSOR, batches=(wire.TENSOR,)),
    Server("FastAPI + onnxruntime by an expert", _uvicorn("expert", "model.onnx")),
    RAW_ASGI,
    Server("Flask under granian with a short cut, no checks", _short_cut),
    Server("this server, its Flask application alone under gunicorn", _flask_form),
    Server("this server's lane and Flask under uvicorn with a2wsgi", _lane_under_uvicorn),
    THIS,
    Server("this server with metrics", ours(SERVE_METRICS_ADDRESS="127.0.0.1:0")),
    Server("this server, two workers on both cores", ours(SERVE_WORKERS="2"), cores=2),
    Server("constant answer: bare ASGI under uvicorn", _uvicorn("constant", "model.onnx"), checked=False),
    Server("constant answer: nginx", _nginx, checked=False),
    USUAL_BOOSTING,
    Server("this server, boosting", ours(), model=BOOSTING),
)

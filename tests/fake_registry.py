"""A registry on loopback that answers as MLflow does, and misbehaves as it is told."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

NAME = "loan_approval_model"
REST = "/api/2.0/mlflow/"
PROXIED = "/api/2.0/mlflow-artifacts/artifacts/"
Fault = Callable[["Handler"], None]


@dataclass
class Kept:
    """A registered version: what is recorded, which may differ from what is there."""

    data: bytes
    sha256: str
    verdict: str = "passed"
    signature: str | None = None
    metadata: Any = None
    name: str = NAME


@dataclass
class FakeRegistry:
    """What the registry holds, who asked, and what is wrong with its answers, by the kind of question."""

    address: str = ""
    alias: str | None = None
    challenger: str | None = None  # the alias of that name
    versions: dict[str, Kept] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    proxied: bool = True  # artifacts are handed out by address
    closing: threading.Event = field(default_factory=threading.Event)

    def register(self, number: str, data: bytes, **recorded: Any) -> Kept:
        """Add a version with what is recorded of it, and point the alias at it."""
        kept = Kept(data, **({"sha256": sha256(data).hexdigest()} | recorded))
        if kept.metadata is None:
            kept.metadata = {"metrics": {"roc_auc": 0.8}, "gates": [], "verdict": {"verdict": kept.verdict}}
        self.versions[number] = kept
        self.alias = number
        return kept

    def answer(self, handler: "Handler") -> None:
        """Answer one question."""
        place = urlsplit(handler.path)
        query = {key: values[0] for key, values in parse_qs(place.query).items()}
        kind, number = self._classify(place.path, query)
        self.asked.append(kind)
        self.authorizations.append(handler.headers.get("Authorization"))
        if kind in self.faults:
            self.faults[kind](handler)
        elif kind == "alias" and not number:
            handler.send(400, b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "alias not found"}')
        elif number not in self.versions:
            handler.send(404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST"}')
        else:
            handler.send(200, self._document(kind, number))

    def _classify(self, path: str, query: dict[str, str]) -> tuple[str, str]:
        if path == REST + "registered-models/alias":
            alias = self.challenger if query["alias"] == "challenger" else self.alias
            return "alias", (alias or "") if query["name"] == NAME else "unknown"
        if path == REST + "model-versions/get-download-uri":
            return "uri", query["version"]
        if path == REST + "runs/get":
            return "run", query["run_id"].removeprefix("run")
        if path == "/model-versions/get-artifact":
            return "file", query["version"]
        if path == "/get-artifact":
            return "metadata", query["run_id"].removeprefix("run")
        number = path.removeprefix(PROXIED).split("/")[0]
        return ("file" if path.endswith("/model/model.onnx") else "metadata"), number

    def _document(self, kind: str, number: str) -> bytes:
        kept = self.versions[number]
        scheme = "mlflow-artifacts" if self.proxied else "s3"
        folder = f"{scheme}:/{number}/artifacts"
        tags = [{"key": "sha256", "value": kept.sha256}, {"key": "verdict", "value": kept.verdict}]
        tags += [{"key": "signature", "value": kept.signature}] if kept.signature is not None else []
        version = {"name": kept.name, "version": number, "run_id": f"run{number}", "tags": tags}
        documents = {
            "alias": {"model_version": version},
            "uri": {"artifact_uri": f"{folder}/model"},
            "run": {"run": {"info": {"artifact_uri": folder}}},
            "metadata": kept.metadata,
        }
        return kept.data if kind == "file" else json.dumps(documents[kind]).encode()


class Handler(BaseHTTPRequestHandler):
    """One exchange; faults use what is here."""

    protocol_version = "HTTP/1.1"
    registry: FakeRegistry

    def do_GET(self) -> None:
        with suppress(OSError):  # the caller may give up
            self.registry.answer(self)

    def send(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        """Send an answer, whole unless it says to be longer."""
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body) if length is None else length)} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def drip(self, unit: bytes) -> None:
        """Send a little again and again, as long as anybody listens."""
        while not self.registry.closing.wait(0.02):
            self.wfile.write(unit)
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def fake_registry(wrap: Callable[[Any], Any] | None = None) -> Iterator[FakeRegistry]:
    """Run a registry until the block ends; `wrap` puts its socket into TLS."""
    registry = FakeRegistry()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"registry": registry}))
    server.daemon_threads = True
    if wrap:
        server.socket = wrap(server.socket)
    registry.address = f"{'https' if wrap else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield registry
    finally:
        registry.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()

"""What the tracking server says over HTTP: the version behind an alias, its model file, its recorded metadata.

Plain requests to MLflow's REST interface with the standard library. The server is not trusted to be well: every body
has a limit, every exchange a moment by which it must be over, and credentials go to the configured origin alone.
"""

import json
import re
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit
from urllib.request import OpenerDirector, ProxyHandler, Request

from serve.errors import RegistryError, SettingsError
from serve.registry.deadline_http import DeadlineHandler
from serve.settings import Settings

LARGEST_DOCUMENT = 1_000_000  # bytes of JSON
DOWNLOAD_TIMEOUTS = 12  # a model file may take this many times as long as an answer
MODEL_FILE = "model.onnx"
_REST = "api/2.0/mlflow"
_PROXIED = "api/2.0/mlflow-artifacts/artifacts"
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 3


@dataclass(frozen=True)
class Version:
    """A version of a registered model as the registry describes it."""

    name: str
    number: str
    run: str
    sha256: str
    verdict: str
    signature: str = ""  # of its file, in base64


class RegistryClient:
    """Asks one tracking server. Every method raises RegistryError."""

    def __init__(self, settings: Settings, beat: Callable[[], None] = lambda: None) -> None:
        """A beat tells that something arrives. Raises SettingsError."""
        self._uri = settings.tracking_uri.rstrip("/") + "/"
        self._authorization = settings.tracking_authorization
        self._timeout = settings.registry_timeout_seconds
        self._largest = settings.max_model_bytes
        self._context = _make_context(settings)
        self._beat = beat

    def version_of_alias(self, name: str, alias: str) -> Version:
        """Return the version behind an alias; RegistryError of kind "alias" when there is none."""
        document = self._get_json(f"{_REST}/registered-models/alias", name=name, alias=alias)
        version = _describe(document.get("model_version"))
        if version.name != name:
            raise RegistryError("answer", "the registry answered about another model")
        return version

    def model_file(self, version: Version) -> bytes:
        """Return the bytes of a version's model file; what they are is for the caller to check."""
        asked = {"name": version.name, "version": version.number}
        folder = self._get_json(f"{_REST}/model-versions/get-download-uri", **asked).get("artifact_uri")
        path = _proxied_path(folder, MODEL_FILE)
        if path:
            return self._get(path, self._largest, DOWNLOAD_TIMEOUTS)
        # The server hands out no such address of its artifacts, but reads them itself for its UI.
        return self._get("model-versions/get-artifact", self._largest, DOWNLOAD_TIMEOUTS, **asked, path=MODEL_FILE)

    def metadata(self, version: Version) -> dict[str, Any]:
        """Return metrics, gates and verdict, recorded in the version's run under the file's sha256."""
        run = self._get_json(f"{_REST}/runs/get", run_id=version.run).get("run")
        folder = run.get("info", {}).get("artifact_uri") if isinstance(run, dict) else None
        file = f"verdict/{version.sha256}.json"
        path = _proxied_path(folder, file)
        return self._get_json(path) if path else self._get_json("get-artifact", run_id=version.run, path=file)

    def _get_json(self, path: str, /, **query: str) -> dict[str, Any]:
        try:
            document = json.loads(self._get(path, LARGEST_DOCUMENT, **query))
        except (ValueError, RecursionError) as err:
            raise RegistryError("answer", "the registry's answer is not JSON") from err
        if not isinstance(document, dict):
            raise RegistryError("answer", "the registry's answer is not a JSON object")
        return document

    def _get(self, path: str, limit: int, timeouts: int = 1, /, **query: str) -> bytes:
        """Return a body of at most `limit` bytes, following a few redirects."""
        deadline = time.monotonic() + timeouts * self._timeout
        url = self._uri + path + ("?" + urlencode(query) if query else "")
        try:
            for _ in range(1 + _MOST_REDIRECTS):
                with self._open(url, deadline) as response:
                    if response.status not in _REDIRECTS:
                        return _read(response, limit)
                    url = _redirected(url, response.headers.get("Location", ""))
        except TimeoutError as err:
            raise RegistryError("timeout", "the registry did not answer in time") from err
        except (OSError, HTTPException, ValueError) as err:
            if isinstance(getattr(err, "reason", None), TimeoutError):  # urllib wraps what happens while connecting
                raise RegistryError("timeout", "the registry did not accept a connection in time") from err
            raise RegistryError("unreachable", f"the registry can't be reached: {_reason(err)}") from err
        raise RegistryError("answer", "the registry redirects without end")

    def _open(self, url: str, deadline: float) -> HTTPResponse:
        self._beat()
        opener = OpenerDirector()  # no more than these: no files, no FTP, and redirects are for us to judge
        opener.add_handler(ProxyHandler())
        opener.add_handler(DeadlineHandler(deadline, self._timeout, self._context, self._beat))
        request = Request(url, headers={"User-Agent": "loan-approval-server"})  # noqa: S310 (http or https, see Settings)
        if self._authorization and _origin(url) == _origin(self._uri):
            request.add_header("Authorization", self._authorization)
        return opener.open(request, timeout=max(min(deadline - time.monotonic(), self._timeout), 0.001))


def _make_context(settings: Settings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.tracking_ca_file or None)
    except OSError as err:
        raise SettingsError(f"MLFLOW_TRACKING_SERVER_CERT_PATH={settings.tracking_ca_file!r}: no certificates") from err
    if settings.tracking_insecure_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _describe(found: object) -> Version:
    """Return what we need of MLflow's ModelVersion."""
    try:
        tags = {tag["key"]: tag["value"] for tag in found.get("tags", [])}
        described = (found["name"], found["version"], found.get("run_id", ""))
        recorded = (tags.get("sha256", ""), tags.get("verdict", "none"), tags.get("signature", ""))
        version = Version(*described, *recorded)
    except (AttributeError, KeyError, TypeError) as err:
        raise RegistryError("answer", "the registry's answer describes no version") from err
    texts = all(isinstance(text, str) for text in vars(version).values())
    if not texts or not re.fullmatch(r"[0-9]{1,18}", version.number) or not re.fullmatch(r"\w{0,64}", version.run):
        raise RegistryError("answer", "the registry's answer describes no version")
    return version


def _proxied_path(folder: object, file: str) -> str:
    """Return where the server hands out an artifact, "" when it does not."""
    if not isinstance(folder, str):
        raise RegistryError("answer", "the registry's answer names no artifacts")
    place = urlsplit(folder)
    return f"{_PROXIED}/{quote(place.path.strip('/'))}/{file}" if place.scheme == "mlflow-artifacts" else ""


def _redirected(url: str, location: str) -> str:
    target = urljoin(url, location)
    if urlsplit(target).scheme not in ("http", "https") or (url.startswith("https:") and target.startswith("http:")):
        raise RegistryError("answer", "the registry redirects to what is not HTTP, or no longer HTTPS")
    return target


def _read(response: HTTPResponse, limit: int) -> bytes:
    status = response.status
    if status in (401, 403):
        raise RegistryError(
            "denied", f"the registry answered {status}: see MLFLOW_TRACKING_USERNAME, _PASSWORD, _TOKEN"
        )
    if status in (400, 404):  # MLflow says 400 where a model has no such alias
        raise RegistryError("missing", f"the registry answered {status}: it has no such thing")
    if status != 200:
        raise RegistryError("answer", f"the registry answered {status}")
    data = response.read(limit + 1)
    if len(data) > limit:
        raise RegistryError("answer", f"the registry sent more than {limit:,} bytes")
    if response.length:
        raise RegistryError("answer", "the registry's answer ended early")
    return data


def _origin(url: str) -> tuple[str, str | None, int | None]:
    place = urlsplit(url)
    return place.scheme, place.hostname, place.port or {"http": 80, "https": 443}.get(place.scheme)


def _reason(err: Exception) -> str:
    """Return the kind of the error: its text may quote an address, or what a server sent."""
    reason = getattr(err, "reason", err)
    return getattr(reason, "strerror", None) or type(reason).__name__

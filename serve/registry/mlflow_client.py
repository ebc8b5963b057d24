"""MLflow's REST interface: the version behind an alias, its model file, its recorded metadata.

Written with the standard library, so that the server needs no mlflow. Every answer has a size limit and a deadline.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from serve.errors import RegistryError
from serve.model.scorer import MODEL_FILE
from serve.registry.deadline_http import DeadlineHTTP
from serve.settings import Settings

LARGEST_DOCUMENT = 1_000_000  # bytes of JSON
DOWNLOAD_TIMEOUTS = 12  # a model file may take this many times as long as an answer
_REST = "api/2.0/mlflow"


@dataclass(frozen=True)
class Version:
    """A version of a registered model: its number, run, and the sha256, verdict and signature recorded for it."""

    name: str
    number: str
    run: str
    sha256: str
    verdict: str
    signature: str = ""  # of its file, in base64

    def identity(self) -> dict[str, str]:
        """Return name, number and run as the metadata of a version hold them."""
        return {"name": self.name, "version": self.number, "run": self.run}


class _Tag(msgspec.Struct):
    key: str
    value: str


class _ModelVersion(msgspec.Struct):
    name: str
    version: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,18}\Z")]
    run_id: Annotated[str, msgspec.Meta(pattern=r"^\w{0,64}\Z")] = ""
    tags: list[_Tag] = []


class RegistryClient:
    """Asks one tracking server. Every method raises RegistryError."""

    def __init__(self, settings: Settings, beat: Callable[[], None] = lambda: None) -> None:
        """beat: called when data arrives. Raises SettingsError."""
        self._uri = settings.tracking_uri.rstrip("/") + "/"
        self._largest = settings.max_model_bytes
        self._http = DeadlineHTTP(settings, beat)

    def version_of_alias(self, name: str, alias: str) -> Version:
        """Return the version behind an alias; RegistryError of kind "alias" if there is none."""
        url = self._url(f"{_REST}/registered-models/alias", name=name, alias=alias)
        try:
            answer = self._get_json(url, _ModelVersion, "model_version")
        except RegistryError as err:
            if err.kind == "missing":
                raise RegistryError("alias", f"{name} has no alias {alias}") from err
            raise
        if answer.name != name:
            raise RegistryError("answer", "the registry answered about another model")
        tags = {tag.key: tag.value for tag in answer.tags}
        recorded = (tags.get("sha256", ""), tags.get("verdict", "none"), tags.get("signature", ""))
        return Version(name, answer.version, answer.run_id, *recorded)

    def model_file(self, version: Version) -> bytes:
        """Return the bytes of a version's model file, unchecked."""
        query = {"name": version.name, "version": version.number}
        folder = self._get_json(self._url(f"{_REST}/model-versions/get-download-uri", **query), str, "artifact_uri")
        url = self._artifact_url(folder, MODEL_FILE, "model-versions/get-artifact", **query)
        return self._http.get(url, self._largest, DOWNLOAD_TIMEOUTS)

    def metadata(self, version: Version) -> dict[str, Any]:
        """Return metrics, gates and verdict, recorded in the version's run under the file's sha256."""
        query = {"run_id": version.run}
        folder = self._get_json(self._url(f"{_REST}/runs/get", **query), str, "run", "info", "artifact_uri")
        url = self._artifact_url(folder, f"verdict/{version.sha256}.json", "get-artifact", **query)
        return self._get_json(url, dict[str, Any])

    def _get_json(self, url: str, kind: Any, *keys: str) -> Any:
        """Return what stands at the keys of a JSON answer, as an instance of `kind`."""
        try:
            document = json.loads(self._http.get(url, LARGEST_DOCUMENT))
            for key in keys:
                document = document[key]
            return msgspec.convert(document, kind)
        except (ValueError, LookupError, TypeError, RecursionError, msgspec.ValidationError) as err:
            raise RegistryError("answer", "the registry's answer is not the expected JSON") from err

    def _artifact_url(self, folder: str, file: str, endpoint: str, **query: str) -> str:
        """Return the address of an artifact: served directly, or read by the endpoint that MLflow's UI uses."""
        place = urlsplit(folder)
        if place.scheme == "mlflow-artifacts":
            return self._url(f"{_REST}-artifacts/artifacts/{quote(place.path.strip('/'))}/{file}")
        return self._url(endpoint, **query, path=file)

    def _url(self, path: str, /, **query: str) -> str:
        return self._uri + path + ("?" + urlencode(query) if query else "")

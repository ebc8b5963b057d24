"""Records runs and versions of the registered model in MLflow, and reads them: aliases, metadata, verdicts, files."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow.entities import SourceType
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT, MLFLOW_RUN_NOTE, MLFLOW_SOURCE_NAME, MLFLOW_SOURCE_TYPE

from loan_approval.errors import TrackingError
from loan_approval.project import platform_state
from loan_approval.registry import mlflow_model
from loan_approval.registry.tracking_server import connect, tracking_uri
from serve.contract.contract import Contract
from serve.model.scorer import MODEL_FILE
from serve.registry.mlflow_client import Version

if TYPE_CHECKING:  # slow to import, and most commands need no pipeline
    from matplotlib.figure import Figure
    from sklearn.pipeline import Pipeline

_MODEL = "model"
_PIPELINE = "pipeline.skops"
_TEST_ROWS = "test_rows"  # the tag of a version, SHA-256 of the rows that it was judged on
TRUSTED_TYPES = (
    "numpy.dtype",
    "skl2onnx.sklapi.cast_transformer.CastTransformer",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
)


@contextmanager
def start_run(experiment: str, run_name: str) -> Iterator[str]:
    """Start a run in an experiment (made if it is new); yields the run's id."""
    find_experiment(experiment)
    mlflow.set_experiment(experiment)
    with mlflow.start_run(run_name=run_name) as run:
        yield run.info.run_id


def find_experiment(experiment: str) -> str:
    """Return the id of an experiment, made if it is new."""
    client = connect()
    found = client.get_experiment_by_name(experiment)
    if found is not None:
        return found.experiment_id
    uri, location = tracking_uri(), None  # a server decides itself where artifacts go
    if uri.startswith("sqlite:///"):
        location = (Path(uri.removeprefix("sqlite:///")).resolve().parent / "mlartifacts" / experiment).as_uri()
    return client.create_experiment(experiment, location)


def log_training(
    parameters: Mapping[str, Any],
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
    figures: "Mapping[str, Figure]",
    pipeline: "Pipeline",
) -> None:
    """Log a training and its platform into the current run. The pipeline is stored with skops, not pickle.

    tags: with `dataset`, `data_sha256` and `commit`, which MLflow also gets where its own tools look for them.
    """
    mlflow.log_params(dict(parameters))
    mlflow.log_metrics(dict(metrics))
    dataset, data = tags["dataset"], tags["data_sha256"]
    shown = {
        MLFLOW_GIT_COMMIT: tags["commit"],
        MLFLOW_RUN_NOTE: f"Trained on {dataset} (sha256 {data[:12]}) by the code of commit {tags['commit'][:12]}.",
        MLFLOW_SOURCE_NAME: "notebooks/02_train.ipynb",
        MLFLOW_SOURCE_TYPE: SourceType.to_string(SourceType.NOTEBOOK),
    }
    mlflow.set_tags(dict(tags) | platform_state() | shown)
    mlflow.log_input(mlflow_model.describe_data(dataset, data), "training")
    for name, figure in figures.items():
        mlflow.log_figure(figure, f"figures/{name}.png")
    import skops.io  # slow to import

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _PIPELINE
        skops.io.dump(pipeline, path)
        mlflow.log_artifact(str(path))


def register(name: str, run: str, data: bytes, contract: Contract) -> Version:
    """Log the model file to its run, as a model of MLflow, and make it a new version of the registered model."""
    client = connect()
    sha256 = hashlib.sha256(data).hexdigest()
    made = {"data": data, "contract": contract, "validate_serving_input": False}  # it would be loaded into this process
    logged = Model.log(None, mlflow_model, name=_MODEL, run_id=run, **made)
    try:
        client.create_registered_model(name)
    except MlflowException as err:
        if err.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags = {"sha256": sha256}
    source = f"models:/{logged.model_id}"
    return _describe(client.create_model_version(name, source, run, tags=tags, model_id=logged.model_id))


def load_tags(run: str) -> dict[str, str]:
    """Return the tags of a run. Raises TrackingError when it is not there."""
    try:
        return dict(connect().get_run(run).data.tags)
    except MlflowException as err:
        raise TrackingError(f"run {run} is not there") from err


def set_alias(name: str, alias: str, number: str) -> None:
    """Point an alias at a version."""
    connect().set_registered_model_alias(name, alias, number)


def find_version(name: str, version: str) -> Version:
    """Return a version by number or alias. Raises TrackingError when there is none."""
    found = _find(connect().get_model_version, name, version) if version.isdigit() else version_of_alias(name, version)
    if found is None:
        raise TrackingError(f"{name} has no version {version!r}, expected a number or an alias such as challenger")
    return found


def version_of_alias(name: str, alias: str) -> Version | None:
    """Return the version behind an alias, None if there is none."""
    return _find(connect().get_model_version_by_alias, name, alias, "INVALID_PARAMETER_VALUE")


def _find(get: Callable[[str, str], ModelVersion], name: str, version: str, *missing: str) -> Version | None:
    try:
        return _describe(get(name, version))
    except MlflowException as err:
        if err.error_code in ("RESOURCE_DOES_NOT_EXIST", *missing):
            return None
        raise


def _describe(version: ModelVersion) -> Version:
    tags = version.tags or {}
    recorded = tags.get("sha256", ""), tags.get("verdict", "none"), tags.get("signature", "")
    return Version(version.name, str(version.version), version.run_id or "", *recorded)


def load_model_file(version: Version) -> bytes:
    """Return the bytes of a version's model file. Raises TrackingError when they are not there."""
    source = connect().get_model_version_download_uri(version.name, version.number)
    problem = f": no {MODEL_FILE} in its artifacts, or they can't be reached"
    return _download(version, f"{source}/{MODEL_FILE}", problem).read_bytes()


def load_pipeline(version: Version, trusted_types: tuple[str, ...]) -> "Pipeline":
    """Return the fitted pipeline of a version's run; skops refuses any type that is not trusted here."""
    import skops.io  # slow to import

    path = _download(version, f"runs:/{version.run}/{_PIPELINE}", f": no {_PIPELINE} in its run")
    return skops.io.load(path, trusted=[*TRUSTED_TYPES, *trusted_types])


def load_metadata(version: Version) -> dict[str, Any]:
    """Return the metadata recorded with the verdict. Raises TrackingError when there is none."""
    path = _download(version, f"runs:/{version.run}/verdict/{version.sha256}.json", " was not validated")
    return json.loads(path.read_bytes())


def _download(version: Version, uri: str, problem: str) -> Path:
    try:
        return Path(mlflow.artifacts.download_artifacts(uri))
    except (MlflowException, OSError) as err:
        raise TrackingError(f"{version.name} version {version.number}{problem}") from err


def record_verdict(version: Version, verdict: str, metadata: Mapping[str, Any]) -> None:
    """Record a version's metadata, and the verdict as its tag."""
    record_metadata(version, metadata)
    client = connect()
    client.update_model_version(version.name, version.number, mlflow_model.describe_verdict(verdict, metadata))
    client.set_model_version_tag(version.name, version.number, "verdict", verdict)


def note_test_rows(version: Version, digest: str) -> None:
    """Note on a version that it is judged on the test rows with this digest."""
    connect().set_model_version_tag(version.name, version.number, _TEST_ROWS, digest)


def judged_on_test_rows(name: str, digest: str) -> set[str]:
    """Return the numbers of the versions that were judged on the test rows with this digest."""
    found = connect().search_model_versions(f"tags.{_TEST_ROWS} = '{digest}'")  # a name may hold a quote
    return {str(version.version) for version in found if version.name == name}


def record_metadata(version: Version, metadata: Mapping[str, Any]) -> None:
    """Log a version's metadata as JSON named by the file's sha256, and the card in it as a separate page."""
    client = connect()
    client.log_dict(version.run, dict(metadata), f"verdict/{version.sha256}.json")
    if "card" in metadata:
        client.log_text(version.run, metadata["card"], f"card/{version.sha256}.html")


def record_signature(version: Version) -> None:
    """Record a version's signature, if it has one, as the tag that servers which follow the alias read."""
    if version.signature:
        connect().set_model_version_tag(version.name, version.number, "signature", version.signature)

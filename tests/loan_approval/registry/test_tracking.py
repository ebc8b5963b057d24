"""MLflow as it is: a real database and real artifacts."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from mlflow.environment_variables import MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD, MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD
from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from skops.io.exceptions import UntrustedTypesFoundException

from loan_approval.errors import TrackingError
from loan_approval.project import ROOT
from loan_approval.registry import tracking
from loan_approval.training.calibration import CHOICES
from loan_approval.training.factory import ModelFactory, factory_names, find_factory
from loan_approval.training.fit import score
from serve.contract.contract import Contract
from tests.model_files import LOANS

pytestmark = pytest.mark.usefixtures("mlflow_folder")

TAGS = {"commit": "abc", "dataset": "loans", "data_sha256": "d" * 64}
CONTRACT = Contract.from_dict(LOANS)


class Stranger(LogisticRegression):
    """A type nobody said to trust."""


def log(pipeline: Pipeline) -> str:
    with tracking.start_run("tracking_tests", "one") as run:
        figures = {"empty": Figure()}
        tracking.log_training({"seed": 7}, {"roc_auc": 0.8}, TAGS, figures, pipeline)
    return run


def fitted(estimator: LogisticRegression) -> Pipeline:
    return Pipeline([("model", estimator)]).fit(np.array([[0.0], [1.0]]), [0, 1])


def test_the_registry_is_read_without_what_only_pipelines_and_pictures_need() -> None:
    listed = "import sys, loan_approval.registry.tracking; print({'skops', 'sklearn', 'matplotlib'} & {*sys.modules})"
    run = subprocess.run([sys.executable, "-c", listed], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"


def test_a_training_run_holds_parameters_metrics_tags_figures_and_pipeline() -> None:
    run = tracking.connect().get_run(log(fitted(LogisticRegression())))
    assert run.data.params == {"seed": "7"}
    assert run.data.metrics == {"roc_auc": 0.8}
    assert run.data.tags["commit"] == run.data.tags["mlflow.source.git.commit"] == "abc"
    assert run.data.tags["mlflow.note.content"] == f"Trained on loans (sha256 {'d' * 12}) by the code of commit abc."
    assert run.data.tags["mlflow.source.name"] == "notebooks/02_train.ipynb"
    ((data, context),) = [(each.dataset, each.tags[0].value) for each in run.inputs.dataset_inputs]
    assert (data.name, data.digest, context) == ("loans", "d" * 36, "training")
    names = [artifact.path for artifact in tracking.connect().list_artifacts(run.info.run_id)]
    assert sorted(names) == ["figures", "pipeline.skops"]


def test_a_registered_file_comes_back_byte_for_byte_by_number_and_alias() -> None:
    data = b"any bytes"
    version = tracking.register("tracked_model", log(fitted(LogisticRegression())), data, CONTRACT)
    tracking.set_alias("tracked_model", "challenger", version.number)
    assert tracking.find_version("tracked_model", "challenger") == version
    assert tracking.load_model_file(tracking.find_version("tracked_model", version.number)) == data


def test_the_pipeline_comes_back_and_decides_the_same() -> None:
    pipeline = fitted(LogisticRegression())
    version = tracking.register("pipeline_model", log(pipeline), b"", CONTRACT)
    loaded = tracking.load_pipeline(version, ())
    assert np.array_equal(loaded.predict_proba([[0.3]]), pipeline.predict_proba([[0.3]]))


@pytest.mark.parametrize("calibration", CHOICES)
@pytest.mark.parametrize("model_name", factory_names(ModelFactory))
def test_the_pipeline_of_every_factory_comes_back(make_model: Callable, model_name: str, calibration: str) -> None:
    made = make_model("homes", model_name, calibration=calibration)
    version = tracking.register("factory_model", log(made.pipeline), b"", CONTRACT)
    loaded = tracking.load_pipeline(version, find_factory(ModelFactory, model_name).trusted_types)
    np.testing.assert_array_equal(score(loaded, made.dataset.X), score(made.pipeline, made.dataset.X))


def test_a_pipeline_with_a_type_that_is_not_trusted_is_not_loaded() -> None:
    version = tracking.register("stranger_model", log(fitted(Stranger())), b"", CONTRACT)
    with pytest.raises(UntrustedTypesFoundException, match="Stranger"):
        tracking.load_pipeline(version, ())


@pytest.mark.parametrize("version", ["99", "nobody"])
def test_a_version_that_is_not_there_is_named(version: str) -> None:
    tracking.register("short_model", log(fitted(LogisticRegression())), b"", CONTRACT)
    with pytest.raises(TrackingError, match=f"short_model has no version '{version}'"):
        tracking.find_version("short_model", version)


def test_a_model_that_is_not_there_is_named() -> None:
    with pytest.raises(TrackingError, match="no_such_model has no version 'challenger'"):
        tracking.find_version("no_such_model", "challenger")


def test_metadata_of_a_version_that_was_not_validated_are_refused() -> None:
    version = tracking.register("raw_model", log(fitted(LogisticRegression())), b"", CONTRACT)
    with pytest.raises(TrackingError, match="was not validated"):
        tracking.load_metadata(version)


def test_a_file_that_is_gone_is_named(mlflow_folder: Path) -> None:
    version = tracking.register("gone_model", log(fitted(LogisticRegression())), b"x", CONTRACT)
    source = tracking.connect().get_model_version_download_uri("gone_model", version.number)
    Path(source.removeprefix("file://"), tracking.MODEL_FILE).unlink()
    with pytest.raises(TrackingError, match=f"gone_model version {version.number}: no model.onnx"):
        tracking.load_model_file(version)


def test_files_go_through_mlflow_and_never_straight_to_the_storage_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for switch in (MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD, MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD):
        monkeypatch.delenv(switch.name, raising=False)
    tracking.connect()
    files = MlflowArtifactsRepository("mlflow-artifacts:/x", tracking_uri="http://127.0.0.1:9")
    says_yes = dict.fromkeys(("multipart_uploads_enabled", "multipart_downloads_enabled"), True)
    monkeypatch.setattr(files, "_fetch_server_capabilities", lambda: says_yes)
    assert not files._is_multipart_download_enabled()
    assert not files._is_multipart_upload_enabled()

"""What MLflow's own tools find: a version as an MLflow model, its verdict in words, the data of its training.

The folder of a version is the unchanged model file beside an `MLmodel` that names two flavors.

`python_function` answers with the server's own scorer, `serve.pyfunc`, whose code goes with it; `onnx` is the graph
alone. `save_model` is what `mlflow.models.Model.log` calls, as for MLflow's own flavors.
Source: MLflow 3.17.2, docs "MLflow Model Format" and "Model Signatures".
"""

import platform
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
import onnx
import pandas as pd
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import AnyType
from mlflow.utils.validation import MAX_DATASET_DIGEST_SIZE

from loan_approval.project import ROOT
from serve.contract.contract import Contract
from serve.contract.feature import Feature
from serve.model.scorer import MODEL_FILE
from serve.pyfunc import PACKAGED

REQUIREMENTS = ROOT / "locks" / "pyfunc.txt"
_LONGEST_DESCRIPTION = 5000  # characters, of MLflow's database
_OUTPUTS = {"code": DataType.long, "label": DataType.string, "probability": DataType.double, "band": DataType.string}
_CONDA = """\
name: mlflow-env
channels: [conda-forge]
dependencies: ["python={python}", pip, {{pip: ["-r requirements.txt"]}}]
"""


def save_model(path: str, mlflow_model: Model, data: bytes, contract: Contract, **_options: bool) -> None:
    """Write the folder of a version.   data: the model file.   options: those that `Model.log` reads itself."""
    mlflow_model.add_flavor("onnx", onnx_version=onnx.__version__, data=MODEL_FILE)
    with tempfile.TemporaryDirectory() as folder:
        code = Path(folder) / "serve"
        code.mkdir()
        for name in PACKAGED:
            source = ROOT / "serve" / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, code / name)
        mlflow.pyfunc.save_model(
            path,
            loader_module="serve.pyfunc",
            code_paths=[str(code)],
            mlflow_model=mlflow_model,
            model_config={"column": ""},  # may be set when the model is loaded
            signature=describe(contract),
            input_example=pd.DataFrame([{feature.name: feature.example for feature in contract.scored}]),
            pip_requirements=[],
        )
    # In MLflow's list it stands itself without a hash, which pip refuses beside hashes; the lock has the small mlflow.
    shutil.copy(REQUIREMENTS, Path(path) / "requirements.txt")
    (Path(path) / "conda.yaml").write_text(_CONDA.format(python=platform.python_version()))
    (Path(path) / MODEL_FILE).write_bytes(data)


def describe(contract: Contract) -> ModelSignature:
    """Return the signature: a column for each feature, optional where the contract allows null or only monitors it."""
    return ModelSignature(
        Schema([_describe_feature(feature) for feature in contract.features]),
        Schema([ColSpec(kind, name) for name, kind in _OUTPUTS.items()]),
        ParamSchema([ParamSpec("reasons", DataType.boolean, default=False)]),
    )


def _describe_feature(feature: Feature) -> ColSpec:
    # A frame's column of whole numbers is int64 without missing values and float64 with some. MLflow would refuse one
    # of the two whatever number type is declared (https://github.com/mlflow/mlflow/issues/25593), so the contract,
    # which knows both, is the only judge.
    kind: Any = DataType.string if feature.is_text and not feature.takes_number else AnyType()
    return ColSpec(kind, feature.name, required=feature.scored and not feature.missing)


def describe_data(name: str, sha256: str) -> MetaDataset:
    """Return the entry of a data set for a run. Its digest is as much of the CSV's SHA-256 as MLflow takes."""
    source = CodeDatasetSource({"path": f"data/{name}/dataset.csv", "sha256": sha256})
    return MetaDataset(source, name, sha256[:MAX_DATASET_DIGEST_SIZE])


def describe_verdict(verdict: str, metadata: Mapping[str, Any]) -> str:
    """Return the description of a version, in Markdown: the verdict, and what each gate found."""
    recorded = metadata["verdict"]
    forced = f" by {recorded['by']}: {recorded['reason']} (it was {recorded['was']})" if "reason" in recorded else ""
    found = [f"- {gate['name']}: {'' if gate['passed'] else 'FAILED, '}{gate['words']}" for gate in metadata["gates"]]
    return "\n".join([f"**{verdict}**{forced}\n", *found])[:_LONGEST_DESCRIPTION]

"""MLflow's own scoring server of the `loans` model file: `python -m tests.end_to_end.mlflow_scoring FOLDER PORT`."""

import sys
from pathlib import Path

import mlflow
import numpy as np
import uvicorn
from mlflow.models import ModelSignature
from mlflow.pyfunc import scoring_server
from mlflow.types import ColSpec, Schema

from serve.contract.contract import Contract
from serve.model.scorer import Scorer
from tests.model_files import LOANS, good_files

CONTRACT = Contract.from_dict(LOANS)


class Approval(mlflow.pyfunc.PythonModel):
    """The model file behind MLflow's own interface."""

    def __init__(self) -> None:
        self.data = good_files()["loans"]

    def predict(self, context, model_input, params=None):  # type hints would be taken for the signature
        scorer = Scorer(self.data)
        # MLflow leaves out what is absent and optional.
        X = model_input.reindex(columns=[feature.name for feature in CONTRACT.scored]).to_numpy(np.float64)
        return scorer.decide(scorer.score(X)).tolist() if len(X) else []


def main(folder: Path, port: int) -> None:
    """Save the model as MLflow does, load it as MLflow does, and serve it until killed."""
    columns = [ColSpec("double", feature.name, required=not feature.missing) for feature in CONTRACT.scored]
    signature = ModelSignature(inputs=Schema(columns), outputs=Schema([ColSpec("long")]))
    mlflow.pyfunc.save_model(folder / "model", python_model=Approval(), signature=signature, pip_requirements=[])
    uvicorn.run(scoring_server.init(mlflow.pyfunc.load_model(str(folder / "model"))), port=port, log_level="warning")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

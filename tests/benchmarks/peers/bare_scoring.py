"""What every peer with onnxruntime does with an application once it is decoded: a row, a score, a ready answer."""

import os
from collections.abc import Sequence

import msgspec
import numpy as np
import onnxruntime as ort

_options = ort.SessionOptions()
_options.intra_op_num_threads = _options.inter_op_num_threads = 1
_run = ort.InferenceSession(os.environ["MODEL"], _options, providers=["CPUExecutionProvider"]).run
_threshold = float(os.environ["THRESHOLD"])
_OUTPUTS = ["probabilities"]
_ANSWERS = [
    msgspec.json.encode({"prediction": "Não Aprovado", "prediction_code": 0}),
    msgspec.json.encode({"prediction": "Approved", "prediction_code": 1}),
]


class Unchecked(msgspec.Struct):
    """An application whose values may lie anywhere."""

    Age: float
    Annual_Income: float
    Credit_Score: float
    Loan_Amount: float
    Loan_Duration_Years: float
    Number_of_Open_Accounts: float
    Had_Past_Default: float


_decode = msgspec.json.Decoder(Unchecked).decode
_X = np.empty((1, len(Unchecked.__struct_fields__)))  # filled anew by each request: a peer decides on one thread


def decide(values: Sequence[float | None]) -> bytes:
    """Return the JSON answer to an application's values, in the order of the model's columns."""
    _X[0] = values
    p = _run(_OUTPUTS, {"X": _X})[0].item(1)
    return _ANSWERS[p >= _threshold]


def decide_unchecked(body: bytes) -> bytes:
    """Return the JSON answer to a body that is taken to be right."""
    return decide(msgspec.structs.astuple(_decode(body)))

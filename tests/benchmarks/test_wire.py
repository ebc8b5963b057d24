import json

import pytest

from tests.benchmarks import wire
from tests.benchmarks.wire import Wire

ROWS = [{"Age": 30, "Income": 1000.5}, {"Age": 40, "Income": 2000.0}]
ANSWERS = {
    wire.RECORDS: b'[{"prediction_code":0},{"prediction_code":1}]',
    wire.COLUMNS: b'{"prediction":["no","yes"],"prediction_code":[0,1]}',
    wire.CSV: b"prediction,prediction_code\r\nno,0\r\nyes,1\r\n",
    wire.SPLIT: b'{"predictions":[[0.6,0.4],[0.5,0.5]]}',
    wire.MLFLOW_RECORDS: b'{"predictions":[[0.6,0.4],[0.5,0.5]]}',
    wire.TENSOR: b'{"outputs":[{"name":"predict_proba","shape":[2,2],"data":[0.6,0.4,0.5,0.5]}]}',
}


@pytest.mark.parametrize(("kind", "answer"), ANSWERS.items(), ids=lambda value: getattr(value, "name", ""))
def test_every_answer_reads_as_codes_at_the_threshold(kind: Wire, answer: bytes) -> None:
    assert kind.decode(answer, 0.5) == [0, 1]


def test_a_csv_has_a_header_and_a_line_a_row() -> None:
    assert wire.CSV.encode(ROWS) == b"Age,Income\n30,1000.5\n40,2000.0\n"


def test_columns_hold_the_values_of_every_row() -> None:
    assert json.loads(wire.COLUMNS.encode(ROWS)) == {"Age": [30, 40], "Income": [1000.5, 2000.0]}


def test_a_tensor_says_its_shape_and_lies_row_by_row() -> None:
    (tensor,) = json.loads(wire.TENSOR.encode(ROWS))["inputs"]
    assert (tensor["shape"], tensor["data"]) == ([2, 2], [30, 1000.5, 40, 2000.0])

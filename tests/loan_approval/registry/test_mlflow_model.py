from typing import Any

import pandas as pd
import pytest
from mlflow.types import DataType
from mlflow.types.schema import AnyType
from mlflow.utils.validation import _validate_dataset

from loan_approval.registry.mlflow_model import describe, describe_data, describe_verdict
from serve.contract.contract import Contract
from serve.model.reasons import reason_codes
from serve.model.scorer import Scorer
from serve.model.shapley import Explainer
from serve.pyfunc import Model
from tests.model_files import DATED, MIXED, MIXED_SCALING, make_file

CONTRACT = Contract.from_dict(MIXED)
SCORER = Scorer(make_file(MIXED, MIXED_SCALING))
FRAME = pd.DataFrame({"amount": [10, 90], "home": ["own", None], "region": ["north", None]}, index=[7, 3])
GATE = {"name": "signal", "passed": True, "words": "better than chance"}


def test_the_signature_has_a_column_for_each_feature_and_each_part_of_an_answer() -> None:
    signature = describe(CONTRACT)
    assert signature.inputs.input_names() == ["amount", "home", "region"]
    assert signature.inputs.required_input_names() == ["amount"]
    assert [column.type for column in signature.inputs.inputs[1:]] == [DataType.string] * 2
    assert signature.outputs.input_names() == ["code", "label", "probability", "band"] == list(answer(FRAME))
    assert [(param.name, param.default) for param in signature.params.params] == [("reasons", False)]


def test_a_date_is_text_unless_its_number_is_taken_as_well() -> None:
    opened, due, asked, hired = describe(Contract.from_dict(DATED)).inputs.inputs
    assert [column.type for column in (opened, asked)] == [DataType.string] * 2
    assert [type(column.type) for column in (due, hired)] == [AnyType] * 2


def answer(frame: pd.DataFrame, column: str = "", **params: Any) -> Any:
    return Model(SCORER, column).predict(frame, params)


def test_an_answer_has_the_rows_of_its_frame() -> None:
    assert list(answer(FRAME).index) == [7, 3]
    assert list(answer(FRAME)["label"]) == [CONTRACT.label(code) for code in answer(FRAME, "code")]


def test_reasons_are_the_codes_of_the_server() -> None:
    X = CONTRACT.encode(FRAME[["amount", "home"]].iloc[0].to_dict())
    assert answer(FRAME, reasons=True)["reasons"].iloc[0] == reason_codes(SCORER, Explainer(SCORER), X)[0]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"amount": [10, 1234567]}, "1.amount: "),
        ({"amount": ["secret", 1]}, "0.amount: "),
        ({"home": ["secret", None]}, "0.home: "),
        ({"secret": [1, 2]}, "secret: unknown"),
    ],
)
def test_a_value_that_breaks_the_contract_is_named_by_row_and_feature_and_not_shown(
    changed: dict[str, list[Any]], words: str
) -> None:
    with pytest.raises(ValueError, match="breaks the contract: ") as refused:
        answer(FRAME.assign(**changed))
    assert words in str(refused.value)
    assert "1234567" not in str(refused.value)
    assert ("secret" in str(refused.value)) == ("secret" in changed)


def test_a_required_column_that_is_absent_is_named() -> None:
    with pytest.raises(ValueError, match="amount: missing column"):
        answer(FRAME[["home"]])


def test_the_digest_of_the_data_is_as_much_of_its_sha256_as_mlflow_takes() -> None:
    data = describe_data("loans", "d" * 64)
    _validate_dataset(data._to_mlflow_entity())
    assert data.digest == "d" * 36
    assert data.to_dict()["name"] == "loans"
    assert f'"sha256": "{"d" * 64}"' in data.to_dict()["source"]


def test_a_description_says_what_each_gate_found() -> None:
    failed = {"name": "parity", "passed": False, "words": "3 decisions differ"}
    said = describe_verdict("failed", {"verdict": {"verdict": "failed"}, "gates": [GATE, failed]})
    assert said == "**failed**\n\n- signal: better than chance\n- parity: FAILED, 3 decisions differ"


def test_a_description_says_who_forced_a_version_and_why() -> None:
    verdict = {"verdict": "forced", "by": "ana", "reason": "audit", "was": "failed"}
    assert describe_verdict("forced", {"verdict": verdict, "gates": []}) == "**forced** by ana: audit (it was failed)\n"


def test_a_description_is_no_longer_than_mlflow_s_database_takes() -> None:
    assert len(describe_verdict("passed", {"verdict": {}, "gates": [GATE | {"words": "x" * 9000}]})) == 5000

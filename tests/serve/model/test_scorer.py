import hashlib
import math

import numpy as np
import pytest

from serve.errors import ApplicationError, ModelFileError
from serve.model.scorer import CHUNK, Decision, Scorer, name_band

REASONS = {
    "background_absent": "document 'background' is missing or not JSON",
    "background_category_between": "background row 0 breaks the contract at home",
    "background_category_unknown": "background row 0 breaks the contract at home",
    "background_missing": "background row 0 breaks the contract at Loan_Amount",
    "background_infinite": "document 'background' is missing or not JSON",
    "background_not_an_object": "document 'background' is not an object",
    "background_not_whole": "background row 0 breaks the contract at Had_Past_Default",
    "background_of_text": "background row 0 breaks the contract at Age",
    "background_out_of_range": "background row 0 breaks the contract at Age",
    "background_row_narrow": "background row 2 is not a value for each of 7 features",
    "background_row_not_a_list": "background row 2 is not a value for each of 7 features",
    **dict.fromkeys(
        ("background_rows_absent", "background_rows_none", "background_rows_too_many"), "no list of 1 to 64 background"
    ),
    **dict.fromkeys(
        ("background_weights_text", "background_weight_absent"), "no list of a weight for each of 2 background rows"
    ),
    **dict.fromkeys(
        ("background_weight_true", "background_weight_zero", "background_weight_null", "background_weight_huge"),
        "weight of a background row is not a number above 0 and up to 1,000,000,000",
    ),
    "background_weight_infinite": "document 'background' is missing or not JSON",
    "background_true": "background row 0 breaks the contract at Had_Past_Default",
    "bytes_none": "onnxruntime can't load the file",
    "bytes_random": "the file is not an ONNX model",
    "bytes_too_many": "the file has 40,000,001 bytes, at most 40,000,000 are allowed",
    "bytes_truncated": "the file is not an ONNX model",
    "contract_absent": "document 'contract' is missing or not JSON",
    "contract_breaks_rules": "no feature is scored",
    "contract_newer": "the contract in the file: format 2 is not known here",
    "contract_narrow": r"the graph takes .*\[7\].*, expected .*\[6\]",
    "contract_nested_without_end": "document 'contract' is missing or not JSON",
    "contract_not_json": "document 'contract' is missing or not JSON",
    "contract_of_lone_surrogates": "document 'contract' is missing or not JSON",
    "contract_of_nulls": "format: missing; model_name: missing",
    "decision_absent": "document 'decision' is missing or not JSON",
    "format_newer": "the file has format '9', expected '2'",
    "format_older": "the file has format '1', expected '2'",
    "golden_absent": "document 'golden' is missing or not JSON",
    "golden_decided_otherwise": "the golden rows are not decided as recorded",
    "golden_not_an_object": "document 'golden' is not an object",
    "golden_rows_narrow": "the golden rows can't be scored",
    "golden_rows_none": "the file has no 4 golden rows",
    **dict.fromkeys(("golden_codes_absent", "golden_codes_true"), "the file has no decision for each golden row"),
    **dict.fromkeys(("golden_code_absent", "threshold_moved"), "the golden rows are not decided as recorded"),
    "golden_rows_few": "the file has no 4 golden rows",
    "golden_score_absent": "or not a score for each",
    "golden_score_not_a_number": "golden row 0 scores otherwise than recorded",
    "golden_score_wrong": "golden row 0 scores otherwise than recorded",
    "graph_attribute_outside": "the graph keeps data outside the file",
    "graph_attributes_outside": "the graph keeps data outside the file",
    "graph_document_twice": "the metadata document 'decision' stands twice",
    "graph_function": "the model brings a graph for training or functions of its own",
    "graph_graph_in_a_listed_operator": "the operator Identity holds a graph of its own",
    "graph_graphs_in_a_listed_operator": "the operator Identity holds a graph of its own",
    "graph_loop": "the graph uses the operator ai.onnx:Loop",
    "graph_newer_ir": "the model has IR version 11, expected at most 10",
    "graph_newer_operator_set": "the model uses the operator set ai.onnx 22",
    "graph_operator_of_another_domain": "the graph uses the operator com.microsoft:Identity",
    "graph_operator_set_of_another_domain": "the model uses the operator set com.microsoft 1",
    "graph_rows_fixed": "the golden rows can't be scored one by one: InvalidArgument",
    "graph_rows_fixed_inside": "the golden rows can't be scored one by one: Fail",
    "graph_sparse_attribute": "the operator Identity holds sparse data",
    "graph_sparse_weights": "the graph holds sparse data",
    "graph_training_graph": "the model brings a graph for training or functions of its own",
    "graph_unknown_attribute": r"onnxruntime can't load the file: \w+: .{10,200}$",
    "graph_unlisted_operator": "the graph uses the operator ai.onnx:RandomNormalLike",
    "graph_value_from_nowhere": "onnxruntime can't load the file",
    "graph_weights_outside": "the graph keeps data outside the file",
    "graph_weights_that_only_name_a_place_outside": "the graph keeps data outside the file",
    "graph_without_end": "the graph uses the operator ai.onnx:Loop",
    "input_float": r"the graph takes .*tensor\(float\).*, expected .*tensor\(double\)",
    "input_narrow": r"the graph takes .*\[6\].*, expected .*\[7\]",
    "output_renamed": "the graph has no output 'probabilities'",
    "provenance_not_a_number": "document 'provenance' is missing or not JSON",
    "provenance_absent": "document 'provenance' is missing or not JSON",
    **dict.fromkeys(("review_band_of_three", "review_band_text", "review_band_true"), "review band is not two numbers"),
    "review_band_null": "review band is not two numbers",
    **dict.fromkeys(("review_band_turned", "review_band_above_the_threshold"), "review band is not low <= threshold"),
    "review_band_not_a_number": "document 'decision' is missing or not JSON",
    "review_band_beyond_one": "review band is not low <= threshold",
    "threshold_absent": "no threshold between 0 and 1",
    "threshold_not_a_number": "document 'decision' is missing or not JSON",
    "threshold_one": "no threshold between 0 and 1",
    "threshold_text": "no threshold between 0 and 1",
    "weight_changed": "golden row 0 scores otherwise than recorded",
    "weights_outside": "the graph keeps data outside the file",
}


@pytest.fixture(scope="module")
def scorer(model_file) -> Scorer:
    return Scorer(model_file("loans"))


def test_every_broken_file_has_a_reason(model_folder):
    assert {path.stem for path in (model_folder / "broken").iterdir()} == set(REASONS)


@pytest.mark.parametrize("name", REASONS)
def test_a_broken_file_is_refused_with_the_reason(model_file, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.bin").write_bytes(np.ones(7).tobytes())  # within reach of the file that asks for it
    with pytest.raises(ModelFileError, match=REASONS[name]):
        Scorer(model_file(f"broken/{name}"))


@pytest.mark.parametrize("name", ["loans", "mixed"])
def test_a_right_file_is_loaded_and_known_by_its_hash(model_file, name):
    data = model_file(name)
    sha256 = hashlib.sha256(data).hexdigest()
    assert Scorer(data, sha256).sha256 == sha256


def test_a_file_with_another_hash_than_told_is_refused(model_file):
    with pytest.raises(ModelFileError, match=f"expected {'0' * 64}"):
        Scorer(model_file("loans"), "0" * 64)


def test_one_changed_byte_anywhere_is_refused_by_the_hash(model_file):
    data = bytearray(model_file("loans"))
    sha256 = hashlib.sha256(data).hexdigest()
    data[len(data) // 2] ^= 1
    with pytest.raises(ModelFileError, match="the file has sha256"):
        Scorer(bytes(data), sha256)


def test_the_example_is_decided_by_the_threshold(scorer, model_file, application):
    approval = 1 / (1 + math.exp(-1))  # the example lies at the center of every feature: the bias alone is left
    assert scorer.answer(application) == Decision(1, "Approved", pytest.approx(approval, abs=1e-12), 0.55)
    strict = Scorer(model_file("loans_strict")).answer(application)
    assert strict == Decision(0, "Não Aprovado", pytest.approx(1 - approval, abs=1e-12), 0.55)


def test_a_missing_value_is_the_graphs_business(scorer, application):
    assert scorer.answer(application | {"Age": None}) == scorer.answer(application)


def test_an_application_that_breaks_the_contract_is_not_scored(scorer):
    with pytest.raises(ApplicationError):
        scorer.answer({})


def test_the_threshold_itself_approves(scorer):
    at = scorer.threshold
    p = np.array([np.nextafter(at, 0), at, np.nextafter(at, 1)])
    np.testing.assert_array_equal(scorer.decide(p), [0, 1, 1])


@pytest.mark.parametrize("n", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 3])
def test_rows_score_the_same_alone_and_in_chunks(scorer, n):
    random = np.random.default_rng(n)
    low, high = ([getattr(feature, end) for feature in scorer.contract.scored] for end in ("min", "max"))
    X = random.uniform(low, high, (n, 7))
    X[random.random(X.shape) < 0.2] = np.nan
    p = scorer.score(X)
    assert (p.shape, p.dtype) == ((n,), np.float64)
    for row in range(0, n, 1000):
        assert p[row] == pytest.approx(scorer.score(X[row : row + 1])[0], abs=1e-12)


@pytest.mark.parametrize("at", [0.5, 0.75])
def test_a_band_holds_its_lower_end_and_not_its_upper_one(at):
    expected = {0.5: ["decline", "refer", "refer"], 0.75: ["refer", "approve", "approve"]}[at]
    assert [name_band(float(p), 0.5, 0.75) for p in (np.nextafter(at, 0), at, np.nextafter(at, 1))] == expected


def test_an_empty_band_refers_nothing():
    at = 0.55
    bands = [name_band(float(p), at, at) for p in (0, np.nextafter(at, 0), at, np.nextafter(at, 1), 1)]
    assert bands == ["decline", "decline", "approve", "approve", "approve"]

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from loan_approval.errors import ExportError
from loan_approval.training.calibration import CHOICES
from loan_approval.training.export import GOLDEN_ROWS, draw_from_range, export, golden_rows
from loan_approval.training.factory import ModelFactory, factory_names
from loan_approval.training.fit import Recipe, score
from serve.model.documents import DOCUMENTS
from serve.model.scorer import TOLERANCE, Scorer
from serve.settings import LARGEST_FILE

ROOT = Path(__file__).parents[3]
EXPORT_AGAIN = """
import hashlib, json, sys
from pathlib import Path
from loan_approval.training.background import make_background
from loan_approval.data.datasets import read_dataset
from loan_approval.training.export import export
from loan_approval.training.fit import Recipe, fit
from serve.contract.contract import Contract

dataset = read_dataset(Path(sys.argv[1]), Contract.load(Path(sys.argv[2])), "loans")
for text in sys.argv[3:]:
    given = json.loads(text)
    recipe = Recipe(**given["provenance"].pop("recipe"))
    pipeline, decision = fit(recipe, dataset), given["decision"]
    background = make_background(dataset, pipeline, decision["threshold"])
    data = export(pipeline, recipe, dataset.contract, decision, given["provenance"], background)
    print(hashlib.sha256(data).hexdigest())
"""


def test_another_process_with_other_hashes_writes_the_same_bytes(make_model, loans_csv):
    files = [make_model("loans", name).data for name in factory_names(ModelFactory)]
    hash_seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    run = subprocess.run(
        [sys.executable, "-c", EXPORT_AGAIN, str(loans_csv), str(ROOT / "data/loans/contract.toml")]
        + [json.dumps(documents(data)) for data in files],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert run.stdout.split() == [hashlib.sha256(data).hexdigest() for data in files]


def test_operator_sets_are_listed_in_one_order(make_model):
    graph = onnx.load_from_string(make_model("loans", "logistic_regression").data)
    assert [operator_set.domain for operator_set in graph.opset_import] == ["", "ai.onnx.ml"]


def documents(data):
    props = {prop.key: prop.value for prop in onnx.load_from_string(data).metadata_props}
    return {name: json.loads(props[name]) for name in DOCUMENTS}


@pytest.mark.parametrize("calibration", CHOICES)
@pytest.mark.parametrize("model_name", factory_names(ModelFactory))
def test_the_file_scores_as_the_pipeline_does(make_model, model_name, calibration):
    made = make_model("loans", model_name, calibration=calibration)
    scorer = Scorer(made.data)
    np.testing.assert_allclose(scorer.score(made.dataset.X), score(made.pipeline, made.dataset.X), atol=TOLERANCE)
    assert scorer.threshold == made.decision["threshold"]
    assert scorer.contract == made.dataset.contract


@pytest.mark.parametrize("calibration", CHOICES)
def test_the_graph_puts_out_probabilities_alone(make_model, calibration):
    graph = onnx.load_from_string(make_model("loans", "random_forest", calibration=calibration).data).graph
    assert [output.name for output in graph.output] == ["probabilities"]
    (trees,) = [node for node in graph.node if node.op_type == "TreeEnsembleClassifier"]
    assert (graph.node[-1] == trees) == (calibration == "none")


def test_a_review_band_goes_into_the_file_and_only_when_there_is_one(make_model):
    with_band = Scorer(make_model("homes", "logistic_regression", review_width=0.2).data)
    assert with_band.review_band == tuple(with_band.decision_rule["review_band"])
    assert with_band.decision_rule["review_width"] == 0.2
    assert with_band.review_band[0] < with_band.threshold < with_band.review_band[1]
    assert set(Scorer(make_model("homes", "logistic_regression").data).decision_rule) == {"threshold"}


def test_the_file_carries_what_it_follows_from(make_model):
    made = make_model("homes", "hist_gradient_boosting")
    carried = documents(made.data)
    recipe = {"model_name": "hist_gradient_boosting", "preprocessor_name": "median_imputer_with_scaler", "seed": 7}
    assert carried["provenance"]["recipe"] == recipe | {"parameters": {}, "calibration": "sigmoid"}
    assert carried["provenance"]["data_sha256"] == "1" * 64
    assert carried["decision"] == made.decision


def test_the_order_in_which_things_are_said_does_not_matter(make_model):
    made = make_model("homes", "logistic_regression")
    one, other = (
        export(made.pipeline, made.recipe, made.dataset.contract, made.decision, provenance, made.background)
        for provenance in ({"commit": "0", "changes": ""}, {"changes": "", "commit": "0"})
    )
    assert one == other


def test_nothing_in_the_file_tells_when_or_where_it_was_made(make_model, tmp_path):
    data = make_model("homes", "hist_gradient_boosting").data
    strings = b"\n".join(re.findall(rb"[\x20-\x7e]{4,}", data))
    assert not re.search(rb"\b20[2-9]\d-[01]\d", strings)
    for place in (tmp_path.parent, Path.home(), ROOT, sys.prefix):
        assert f"{place}/".encode() not in data


def test_golden_rows_keep_the_contract_and_hold_its_corners(homes_contract, loans_contract):
    for contract in (homes_contract, loans_contract):
        rows = golden_rows(contract)
        assert rows.shape == (GOLDEN_ROWS, len(contract.scored))
        for row in rows:
            contract.encode({f.name: f.decode(x) for f, x in zip(contract.scored, row, strict=True)})
    # home, amount, children: the example, the lowest, the highest, and all missing that may be.
    np.testing.assert_array_equal(
        golden_rows(homes_contract)[:4], [[0, 10, 1], [0, 0, 0], [2, 100, 9], [np.nan, 10, np.nan]]
    )


def test_golden_rows_are_the_same_each_time(loans_contract):
    np.testing.assert_array_equal(golden_rows(loans_contract), golden_rows(loans_contract))


def test_golden_rows_are_no_rows_of_the_data(make_model):
    made = make_model("loans", "logistic_regression")
    people = {tuple(row) for row in made.dataset.X}
    golden = documents(made.data)["golden"]["rows"]
    assert people.isdisjoint(tuple(np.nan if x is None else x for x in row) for row in golden)


@pytest.mark.parametrize(
    ("name", "values"),
    [("home", {0.0, 1.0, 2.0}), ("children", {float(n) for n in range(10)})],
)
def test_whole_numbers_and_categories_are_drawn_whole_to_both_ends(homes_contract, name, values):
    feature = next(feature for feature in homes_contract.features if feature.name == name)
    drawn = draw_from_range(feature, 1000, np.random.default_rng(0))
    assert set(drawn[~np.isnan(drawn)]) == values
    assert np.mean(np.isnan(drawn)) == pytest.approx(0.1, abs=0.04)


def test_numbers_are_drawn_over_the_range_and_never_missing_where_they_must_be_given(homes_contract):
    feature = next(feature for feature in homes_contract.features if feature.name == "amount")
    drawn = draw_from_range(feature, 1000, np.random.default_rng(0))
    assert 0 <= drawn.min() < 2
    assert 98 < drawn.max() <= 100


@pytest.mark.parametrize("threshold", [0.0, 1.0, -0.5])
def test_a_rule_the_server_would_refuse_is_not_exported(make_model, threshold):
    made = make_model("homes", "logistic_regression")
    with pytest.raises(ExportError, match="no threshold between 0 and 1"):
        export(made.pipeline, made.recipe, made.dataset.contract, {"threshold": threshold}, {}, made.background)


def test_a_pipeline_of_another_width_is_not_exported(make_model, homes_contract):
    made = make_model("loans", "logistic_regression")
    with pytest.raises((ExportError, ValueError)):
        export(made.pipeline, made.recipe, homes_contract, made.decision, {}, made.background)


def test_a_model_without_an_onnx_form_is_an_export_error(make_model, monkeypatch):
    def no_form(*_arguments, **_options):
        raise NotImplementedError("no such operator")

    made = make_model("homes", "logistic_regression")
    monkeypatch.setattr("loan_approval.training.export.to_onnx", no_form)
    with pytest.raises(ExportError, match=r"logistic_regression with .* has no ONNX form: no such operator"):
        export(made.pipeline, made.recipe, made.dataset.contract, made.decision, {}, made.background)


@pytest.mark.parametrize("model_name", factory_names(ModelFactory))
def test_the_file_is_far_below_the_servers_limit(make_model, model_name):
    assert len(make_model("loans", model_name).data) < LARGEST_FILE / 4


@pytest.mark.parametrize("calibration", CHOICES)
def test_a_recipe_in_the_file_makes_the_same_recipe(make_model, calibration):
    made = make_model("homes", "hist_gradient_boosting", calibration=calibration)
    assert Recipe(**Scorer(made.data).provenance["recipe"]) == made.recipe

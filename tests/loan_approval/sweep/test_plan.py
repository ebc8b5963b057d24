"""What a plan asks for: which trials, known by which keys, refused before anything starts."""

import json
import shlex
from pathlib import Path

import pytest
from msgspec import structs

from loan_approval.cli import make_parser
from loan_approval.errors import ParameterError
from loan_approval.notebooks.parameters import default_parameters
from loan_approval.project import ROOT
from loan_approval.sweep.plan import (
    NOTEBOOK,
    Plan,
    check_trials,
    find_surroundings,
    make_trials,
    read_plan,
    sweep_id,
    train_command,
)
from serve.contract.contract import Contract

HERE = {name: name for name in ("notebook", "data", "contract", "code")}


def plan_of(tmp_path: Path, text: str) -> Plan:
    path = tmp_path / "sweep.toml"
    path.write_text(text)
    return read_plan(path)


def parameters_of(plan: Plan) -> list[dict]:
    return [dict(trial.parameters) for trial in make_trials(plan, HERE)]


def test_a_block_is_the_product_of_its_lists_and_a_plan_the_union_of_its_blocks(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, '[[grid]]\nmodel_name=["xgboost"]\nseed=[1,2]\n[[grid]]\nseed=[3]')
    assert parameters_of(plan) == [
        {"model_name": "xgboost", "seed": 1},
        {"model_name": "xgboost", "seed": 2},
        {"seed": 3},
    ]


def test_a_table_of_lists_is_every_combination_as_a_table(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "[[grid]]\nseed=[1]\nfactory_parameters.a=[1,2]\nfactory_parameters.b=[3]")
    assert [given["factory_parameters"] for given in parameters_of(plan)] == [{"a": 1, "b": 3}, {"a": 2, "b": 3}]


def test_a_repeated_trial_runs_once_even_if_only_one_states_a_default(tmp_path: Path) -> None:
    default = default_parameters(NOTEBOOK)["model_name"]
    plan = plan_of(tmp_path, f'[[grid]]\nseed=[1,1]\n[[grid]]\nseed=[1]\nmodel_name=["{default}"]\nreview_width=[0]')
    assert len(make_trials(plan, HERE)) == 1


def test_a_sample_is_drawn_by_its_seed_from_the_whole_and_keeps_the_order(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, f"sample=5\n[[grid]]\nseed={list(range(50))}")
    seeds = [given["seed"] for given in parameters_of(plan)]
    assert len(set(seeds)) == 5
    assert seeds == sorted(seeds) == [given["seed"] for given in parameters_of(plan)]
    assert seeds != [given["seed"] for given in parameters_of(structs.replace(plan, sample_seed=1))]
    assert len(parameters_of(structs.replace(plan, sample=500))) == 50


def test_trials_that_differ_in_their_seed_alone_are_one_recipe(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, '[[grid]]\nseed=[1,7]\nmodel_name=["xgboost","random_forest"]')
    first, second, third, _ = make_trials(plan, HERE)
    assert len({first.key, second.key, third.key}) == 3
    assert [trial.recipe == first.recipe for trial in (second, third)] == [False, True]


@pytest.mark.parametrize("changed", ["notebook", "data", "contract", "code"])
def test_a_key_follows_from_everything_around_the_trial(changed: str, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "[[grid]]\nseed=[1,2]")
    here, there = make_trials(plan, HERE), make_trials(plan, HERE | {changed: "other"})
    assert not {trial.key for trial in here} & {trial.key for trial in there}
    assert sweep_id(here) != sweep_id(there)
    assert sweep_id(here) == sweep_id(list(reversed(here)))


def test_outputs_of_the_notebook_change_no_key_and_its_source_does(tmp_path: Path) -> None:
    contract, notebook = ROOT / "data/loans/contract.toml", tmp_path / "train.ipynb"
    document = json.loads(NOTEBOOK.read_bytes())
    for cell in document["cells"]:
        cell["outputs"] = [{"text": "a run's"}]
    notebook.write_text(json.dumps(document))
    committed = find_surroundings("data", contract)
    assert find_surroundings("data", contract, notebook) == committed
    document["cells"][3]["source"] += ["# changed"]
    notebook.write_text(json.dumps(document))
    assert find_surroundings("data", contract, notebook)["notebook"] != committed["notebook"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"missing required field `grid`; expected TOML: \[\[grid\]\] blocks"),
        ("grid=[]", "Expected `array` of length >= 1"),
        ("samples=3\n[[grid]]\nseed=[1]", "unknown field `samples`"),
        ("sample=0\n[[grid]]\nseed=[1]", r"Expected `int` >= 1 - at `\$\.sample`"),
        ("[[grid]]\nseed=1", "grid 1: seed: expected a list of values"),
        ("[[grid]]\nseed=[]", "grid 1: seed: expected a list of values"),
        ("[[grid]]\nregister=[true]", "grid 1: register is set by the sweep"),
        ('[[grid]]\ndataset=["boston"]', "grid 1: dataset is set by the sweep"),
        ("[[grid", "expected TOML"),
    ],
)
def test_a_plan_of_another_form_is_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=words):
        plan_of(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[grid]]\nsead=[1]", "did you mean 'seed'"),
        ('[[grid]]\nseed=["7"]', "seed is '7'"),
        ("[[grid]]\ncost_wrong_approval=[nan]", "can't be written as JSON"),
        (f"[[grid]]\nseed={list(range(400))}\nreview_width={list(range(400))}", "160,000 combinations"),
    ],
)
def test_names_and_values_that_the_notebook_does_not_take_are_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=words):
        make_trials(plan_of(tmp_path, text), HERE)


def test_unknown_factories_and_parameters_they_do_not_take_are_refused_together(
    tmp_path: Path, loans_contract: Contract
) -> None:
    plan = plan_of(
        tmp_path,
        '[[grid]]\nmodel_name=["logistic_regression"]\nfactory_parameters=[{depth=3}]\n'
        '[[grid]]\nmodel_name=["oracle"]\n[[grid]]\ncalibration=["isotonic"]',
    )
    with pytest.raises(ParameterError) as refused:
        check_trials(make_trials(plan, HERE), loans_contract)
    assert all(words in str(refused.value) for words in ("takes no depth", "'oracle'", "calibration is 'isotonic'"))


@pytest.mark.parametrize("dataset", ["loans", "boston"])
def test_the_plans_of_the_built_in_data_sets_fit(dataset: str) -> None:
    folder = ROOT / "data" / dataset
    trials = make_trials(read_plan(folder / "sweep.toml"), HERE)
    check_trials(trials, Contract.load(folder / "contract.toml"))
    assert len(trials) >= 10


def test_the_command_that_trains_a_trial_gives_its_parameters_back() -> None:
    given = {"model_name": "xgboost", "seed": 8, "factory_parameters": {"max_depth": 3}, "calibration": "none"}
    python, _, package, *arguments = shlex.split(train_command("my data/x", given))
    assert (python, package) == ("python", "loan_approval")
    options = make_parser().parse_args(arguments)
    texts = {"model_name": "xgboost", "seed": "8", "factory_parameters": '{"max_depth":3}', "calibration": "none"}
    assert (options.dataset, dict(options.parameter)) == ("my data/x", texts)

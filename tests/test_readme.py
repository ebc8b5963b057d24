"""The README says what is true: its commands exist, its request, answers and messages are the service's."""

import gc
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import skops.io

from loan_approval.data.datasets import read_dataset
from loan_approval.data.simulate import write_simulation
from loan_approval.errors import DataError
from loan_approval.project import ROOT
from loan_approval.registry import tracking
from loan_approval.training import factories
from loan_approval.training.background import make_background
from loan_approval.training.export import export
from loan_approval.training.factory import ModelFactory, factory_names
from loan_approval.training.fit import Recipe, fit
from loan_approval.validation.parity import prove_parity
from serve.api.app import create_app
from serve.contract.contract import Contract
from serve.settings import VARIABLES, Settings
from serve.store.store import Store
from tests.model_files import good_files
from tests.server_process import promote

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\w*\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = [line.split("#")[0].strip() for block in BLOCKS for line in block.splitlines()]


def test_every_make_command_is_a_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = {match for command in COMMANDS for match in re.findall(r"^make ([a-z-]+)", command)}
    named |= set(re.findall(r"`make ([a-z-]+)", README))
    assert {"run", "test", "train", "promote"} <= named
    assert {name for name in named if not re.search(rf"^{name}:", makefile, re.MULTILINE)} == set()


def test_every_python_command_is_one_of_the_command_line() -> None:
    named = {match for command in COMMANDS for match in re.findall(r"python -m loan_approval (\w+)", command)}
    assert named
    for name in named:
        subprocess.run([sys.executable, "-m", "loan_approval", name, "--help"], check=True, capture_output=True)


def test_the_request_is_the_contracts_example_and_the_answer_has_the_services_form(tmp_path: Path) -> None:
    (body,) = re.findall(r"^curl -X POST localhost:8000/api/v2/predict .*-d '(.*)'$", README, re.MULTILINE)
    (answer,) = re.findall(r"^-> (.*)$", README, re.MULTILINE)
    contract = Contract.load(ROOT / "data/loans/contract.toml")
    assert json.loads(body) == contract.example()
    store = Store(tmp_path)
    promote(store, good_files()["loans"])
    client = create_app(Settings(store=store.path, poll_seconds=3600)).test_client()
    assert client.post("/api/v2/predict", data=body, content_type="application/json").text == answer


def test_every_setting_of_the_server_is_named() -> None:
    assert {name for names in VARIABLES.values() for name in names if f"`{name}`" not in README} == set()


def test_the_defaults_in_the_table_of_settings_are_the_defaults() -> None:
    rows = re.findall(r"^\| (`(?:SERVE_|PORT)[^|]*) \| ([^|]*) \|", README, re.MULTILINE)
    told = {}
    for variables, defaults in rows:
        told |= dict(zip(re.findall(r"`(\w+)`", variables), defaults.split(", "), strict=True))
    fields = {name: name.removeprefix("SERVE_").lower() for name in told}
    shown = {name: getattr(Settings(), field) for name, field in fields.items()}
    expected = {name: "none" if value is None else f"{value:g}" if type(value) is float else str(value)
                for name, value in shown.items()}  # fmt: skip
    expected["SERVE_STORE"] = "`store/<name>`"
    assert told == expected


def test_every_direct_dependency_is_in_the_table() -> None:
    import tomllib

    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    names = {
        re.match(r"[a-z0-9-]+", item).group() for group in groups.values() for item in group if isinstance(item, str)
    }
    table = README[README.index("## Dependencies") :]
    assert {name for name in names if not re.search(rf"^\| [^|]*\b{name}\b", table, re.MULTILINE)} == set()


@pytest.mark.parametrize("name", factory_names(ModelFactory))
def test_every_model_is_named_in_the_notebook(name: str) -> None:
    assert name in (ROOT / "notebooks/02_train.ipynb").read_text()


def test_the_loaders_output_is_the_loaders(tmp_path: Path) -> None:
    contract = Contract.load(ROOT / "data/loans/contract.toml")
    names = [feature.name for feature in contract.features] + [contract.target.name]
    rows = ["45,85000,650,25000,10,5,0,1", "45,85000,912,25000,10.5,5,0,1", "17,much,650,25000,10,5,0,maybe"]
    path = tmp_path / "dataset.csv"
    path.write_text("\n".join([",".join(names), *rows]))
    with pytest.raises(DataError) as refused:
        read_dataset(path, contract, "mine")
    shown = str(refused.value).replace(str(path), "data/mine/dataset.csv")
    assert f"DataError: {shown}\n" in README


def test_the_model_of_the_readme_is_found_trained_stored_and_exported_without_a_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = [block for block in BLOCKS if "(ModelFactory)" in block]
    (tmp_path / "readme_example.py").write_text(code)
    monkeypatch.setattr(factories, "__path__", [*factories.__path__, str(tmp_path)])
    write_simulation(tmp_path / "dataset.csv", rows=1500)
    dataset = read_dataset(tmp_path / "dataset.csv", Contract.load(ROOT / "data/loans/contract.toml"), "loans")
    recipe = Recipe("gradient_boosting", "median_imputer", seed=7)
    pipeline = fit(recipe, dataset)
    data = export(pipeline, recipe, dataset.contract, {"threshold": 0.51}, {}, make_background(dataset))
    assert prove_parity(data, pipeline, dataset.X).differing == 0
    stored = skops.io.dumps(pipeline)
    untrusted = set(skops.io.get_untrusted_types(data=stored))
    assert untrusted <= {*tracking.TRUSTED_TYPES, *recipe.model_factory().trusted_types}
    sys.modules.pop("loan_approval.training.factories.readme_example")
    vars(factories).pop("readme_example")
    del recipe, pipeline
    gc.collect()  # a class without users is no subclass any more
    assert "gradient_boosting" not in {factory.name for factory in ModelFactory.__subclasses__()}

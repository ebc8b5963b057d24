"""The longer examples of the documentation: what the loader says, and a model of one's own."""

import gc
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
from serve.contract.contract import Contract
from tests.pages import blocks, read


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
    assert f"DataError: {shown}\n" in read("docs/tutorials/own-data.md")


def test_the_model_of_the_guide_is_found_trained_stored_and_exported_without_a_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = [block for block in blocks(read("docs/how-to/factory.md")) if "(ModelFactory)" in block]
    (tmp_path / "readme_example.py").write_text(code)
    monkeypatch.setattr(factories, "__path__", [*factories.__path__, str(tmp_path)])
    write_simulation(tmp_path / "dataset.csv", rows=1500)
    dataset = read_dataset(tmp_path / "dataset.csv", Contract.load(ROOT / "data/loans/contract.toml"), "loans")
    recipe = Recipe("gradient_boosting", "median_imputer", seed=7)
    pipeline = fit(recipe, dataset)
    background = make_background(dataset, pipeline, 0.51)
    data = export(pipeline, recipe, dataset.contract, {"threshold": 0.51}, {}, background)
    assert prove_parity(data, pipeline, dataset.X).differing == 0
    stored = skops.io.dumps(pipeline)
    untrusted = set(skops.io.get_untrusted_types(data=stored))
    assert untrusted <= {*tracking.TRUSTED_TYPES, *recipe.model_factory().trusted_types}
    sys.modules.pop("loan_approval.training.factories.readme_example")
    vars(factories).pop("readme_example")
    del recipe, pipeline
    gc.collect()  # a class without users is no subclass any more
    assert "gradient_boosting" not in {factory.name for factory in ModelFactory.__subclasses__()}

"""The files beside a data set's CSV."""

from pathlib import Path

import pytest

from loan_approval.data.folders import LISTS, TEXTS, dataset_folder, load_contract, read_statement
from loan_approval.errors import DataError
from loan_approval.project import ROOT


def test_a_data_set_without_a_statement_has_an_empty_one(tmp_path: Path) -> None:
    assert read_statement(tmp_path) == {}


@pytest.mark.parametrize("name", ["loans", "boston"])
def test_the_data_sets_that_come_along_have_one(name: str) -> None:
    statement = read_statement(ROOT / "data" / name)
    assert statement["purpose"]
    assert statement["not_for"]


def test_every_problem_is_named(tmp_path: Path) -> None:
    (tmp_path / "card.toml").write_text('purpose = 3\nnot_for = "prices"\nlimits = [1]\nporpose = "a"\n')
    with pytest.raises(DataError) as raised:
        read_statement(tmp_path)
    for key in ("purpose", "not_for", "limits", "porpose"):
        assert f"  {key}: expected" in str(raised.value)


@pytest.mark.parametrize("content", [b"purpose = ", b"purpose = '\xff'"])
def test_what_is_not_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "card.toml").write_bytes(content)
    with pytest.raises(DataError, match="can't be read"):
        read_statement(tmp_path)


def test_the_keys_are_those_of_the_card() -> None:
    template = (ROOT / "src/loan_approval/registry/card.html.j2").read_text()
    for key in TEXTS + LISTS:
        assert f"statement.{key}" in template


def test_an_unknown_name_is_answered_with_the_names_there_are(two_data_sets):
    with pytest.raises(DataError, match="no data set 'lones', expected loans, mine, or a path"):
        dataset_folder("lones")


def test_a_contract_that_breaks_the_rules_is_a_data_error(two_data_sets):
    (two_data_sets / "data/mine/contract.toml").write_text("format = 1\n")
    with pytest.raises(DataError, match="split_salt: missing"):
        load_contract(two_data_sets / "data/mine")

"""The owner's words beside the contract."""

from pathlib import Path

import pytest

from loan_approval.data.datasets import Dataset
from loan_approval.data.statement import LISTS, TEXTS, describe_data, read_statement
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


def test_rows_are_counted_by_role(loans: Dataset) -> None:
    data = describe_data(loans, "loans")["data"]
    assert sum(role["rows"] for role in data["roles"]) == data["rows"] == len(loans.y)
    train = data["roles"][0]
    assert train["share_Approved"] == pytest.approx(loans.rows("train")[1].mean())


def test_the_keys_are_those_of_the_card() -> None:
    template = (ROOT / "src/loan_approval/registry/card.html.j2").read_text()
    for key in TEXTS + LISTS:
        assert f"statement.{key}" in template

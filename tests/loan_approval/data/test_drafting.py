import re
import tomllib

import pytest

from loan_approval.data.datasets import read_dataset
from loan_approval.data.drafting import draft_data_set
from loan_approval.errors import DataError
from serve.contract.contract import Contract
from serve.errors import ContractError

ROWS = 80


@pytest.fixture
def draft(tmp_path):
    """Return a function that drafts from columns: the target alternates, a function of the row gives a column."""

    def make(target="Approved", labels=("no", "yes"), **columns):
        columns = columns or {"income": lambda row: 100 * (row // 2)}
        return draft_text(tmp_path, csv_text(target, labels, columns), target)

    return make


def csv_text(target, labels, columns):
    def quoted(cells):
        return ",".join('"' + str(cell).replace('"', '""') + '"' for cell in cells)

    rows = [[*(make(row) for make in columns.values()), labels[row % len(labels)]] for row in range(ROWS)]
    return "\n".join(map(quoted, [[*columns, target], *rows]))


def draft_text(tmp_path, text, target):
    (tmp_path / "my.csv").write_text(text, encoding="utf-8")
    return draft_data_set(tmp_path / "mine", tmp_path / "my.csv", target)


def features(draft):
    return {table["name"]: table for table in tomllib.loads(draft.contract.read_text("utf-8"))["feature"]}


def answered(draft):
    text = re.sub(r"(?m)^question = .*\n", "", draft.contract.read_text("utf-8"))
    draft.contract.write_text(text, encoding="utf-8")
    return Contract.load(draft.contract)


def test_a_draft_is_refused_until_its_questions_are_answered(draft):
    drafted = draft()
    with pytest.raises(ContractError, match="open question"):
        Contract.load(drafted.contract)
    assert read_dataset(drafted.dataset, answered(drafted), "mine").X.shape == (ROWS, 1)


def test_meaning_and_positive_label_are_always_asked(draft):
    (question,) = draft().questions
    assert "past_decision" in question
    assert "positive" in question


@pytest.mark.parametrize(
    ("labels", "positive", "approved"),
    [
        (("0", "1"), "1", "Approved"),
        (("1.0", "0.0"), "1.0", "Approved"),
        (("yes", "no"), "yes", "yes"),
        (("Denied", "Approved"), "Approved", "Approved"),
        (("Não Aprovado", "Aprovado"), "Aprovado", "Aprovado"),
    ],
)
def test_a_target_of_two_labels_is_understood(draft, labels, positive, approved):
    target = answered(draft(labels=labels)).target
    assert (target.positive, target.approved) == (positive, approved)


@pytest.mark.parametrize(
    ("labels", "message"),
    [(("a", "b", "c"), "3 different labels"), (("a",), "1 different"), (("a", "b", "NA", ""), "40 rows have no")],
)
def test_a_target_of_other_than_two_labels_is_refused(draft, tmp_path, labels, message):
    with pytest.raises(DataError, match=message):
        draft(labels=labels)
    assert not (tmp_path / "mine").exists()


def test_a_target_that_is_no_column_is_refused(tmp_path):
    with pytest.raises(DataError, match="no column 'paid', expected one of a, b"):
        draft_text(tmp_path, "a,b\n1,0\n2,1\n", "paid")


@pytest.mark.parametrize("name", ["contract.toml", "dataset.csv"])
def test_an_existing_file_is_not_overwritten(draft, tmp_path, name):
    existing = tmp_path / "mine" / name
    existing.parent.mkdir()
    existing.write_text("mine")
    with pytest.raises(DataError, match=f"{name}: exists already"):
        draft()
    assert [path.read_text() for path in existing.parent.iterdir()] == ["mine"]


def test_text_becomes_a_category_with_its_values(draft):
    drafted = draft(home=lambda row: ("own", "rent", "")[row // 2 % 3])
    feature = features(drafted)["home"]
    assert (feature["type"], feature["values"], feature["missing"]) == ("category", ["own", "rent"], True)
    assert answered(drafted).example() == {"home": "own"}


@pytest.mark.parametrize(
    "cell", [lambda row: f"person {row}", lambda row: "same", lambda row: "", lambda row: 10**17 + row]
)
def test_a_column_no_model_can_use_is_left_out_and_asked_about(draft, cell):
    drafted = draft(loan_id=cell, income=lambda row: row // 2)
    assert "rightly left out: loan_id" in drafted.questions[0]
    assert "loan_id" not in drafted.dataset.read_text()
    assert list(features(drafted)) == ["income"]


@pytest.mark.parametrize("marker", ["NA", "N/A", "null", "NaN", "None", "?", " na "])
def test_markers_for_missing_become_empty_cells_and_are_reported(draft, marker):
    drafted = draft(x=lambda row: marker if row < 4 else row)
    assert drafted.notes == (f"x: 4 cells made empty ({marker.strip()})",)
    assert features(drafted)["x"]["missing"] is True
    assert read_dataset(drafted.dataset, answered(drafted), "mine").frame["x"].isna().sum() == 4


@pytest.mark.parametrize(
    "name", ['a "quoted" name', "Renda média (R$)", "back\\slash", "two\nlines", "'", "x # y", "é\x7f"]
)
def test_odd_names_survive(draft, name):
    drafted = draft(target=name + " T", **{name: lambda row: row // 2})
    contract = answered(drafted)
    assert list(contract.example()) == [name]
    assert contract.target.name == name + " T"
    assert read_dataset(drafted.dataset, contract, "mine").X.shape == (ROWS, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a header"),
        ("a,t\n", "rows below it"),
        ("a;t\n1;0\n", "expected commas"),
        ("a,,t\n1,2,0\n", "column 2 has no name"),
        ("a,a,t\n1,2,0\n", "column 'a' stands 2 times"),
        ("a,t\n1,0\n1\n", "row 3: 1 cells, expected 2"),
        ('a,t\n"1,0\n', "not a CSV"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        draft_text(tmp_path, text, "t")


def test_other_encodings_than_utf_8_are_refused(tmp_path):
    (tmp_path / "my.csv").write_bytes("razão,t\n1,0\n".encode("latin-1"))
    with pytest.raises(DataError, match="byte 3 is not UTF-8"):
        draft_data_set(tmp_path / "mine", tmp_path / "my.csv", "t")


def test_a_missing_csv_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no\.csv: no such file"):
        draft_data_set(tmp_path / "mine", tmp_path / "no.csv", "t")

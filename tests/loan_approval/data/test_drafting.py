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
    """Return a function that drafts from columns: the target alternates, a column is given by a function of the row."""

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


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (lambda row: row // 2, ("integer", 0, 50)),
        (lambda row: row // 2 + 20, ("integer", 10, 70)),
        (lambda row: -(row // 2), ("integer", -50, 0)),
        (lambda row: row // 2 / 4, ("number", 0, 11)),
        (lambda row: row // 2 / 1000 + 0.5, ("number", 0.49, 0.55)),
    ],
)
def test_numbers_get_a_type_and_round_bounds_a_little_beyond_what_was_seen(draft, cell, expected):
    feature = features(draft(x=cell))["x"]
    assert (feature["type"], feature["min"], feature["max"]) == expected


def test_yes_and_no_as_numbers_keep_their_range(draft):
    assert features(draft(x=lambda row: row // 2 % 2))["x"]["max"] == 1


def test_text_becomes_a_category_with_its_values(draft):
    drafted = draft(home=lambda row: ("own", "rent", "")[row // 2 % 3])
    feature = features(drafted)["home"]
    assert (feature["type"], feature["values"], feature["missing"]) == ("category", ["own", "rent"], True)
    assert answered(drafted).example() == {"home": "own"}


def test_codes_with_leading_zeros_are_text(draft):
    assert features(draft(branch=lambda row: ("0123", "0456")[row // 2 % 2]))["branch"]["type"] == "category"


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
    "cell",
    [
        lambda row: row % 2 * 100 + row,
        lambda row: ("denied because", "fine")[row % 2],
        lambda row: (3, 1 + row // 2 % 2 * 6)[row % 2],
        lambda row: ("", row)[row % 2],
    ],
    ids=["size", "category", "code", "presence"],
)
def test_a_column_that_tells_the_target_is_monitored_and_asked_about(draft, cell):
    feature = features(draft(outcome=cell))["outcome"]
    assert feature["use"] == "monitor"
    assert "AUC 1.00" in feature["question"]


@pytest.mark.parametrize("name", ["Age", "applicant_sex", "MaritalStatus", "Estado Civil", "Raça", "zip-code"])
def test_a_protected_name_is_monitored_and_asked_about(draft, name):
    feature = features(draft(**{name: lambda row: row // 2}))[name]
    assert (feature["use"], feature["protected"]) == ("monitor", True)
    assert "question" in feature


def test_a_protected_number_is_asked_whether_it_is_an_age(draft):
    drafted = features(draft(Age=lambda row: 20 + row // 2, sex=lambda row: ("f", "m")[row % 2]))
    assert "elderly_from = 62" in drafted["Age"]["question"]
    assert "elderly_from" not in drafted["sex"]["question"]


@pytest.mark.parametrize("name", ["mileage", "Loan_Amount", "stage", "Essex_Branch"])
def test_a_name_that_only_contains_a_protected_word_is_scored(draft, name):
    assert features(draft(**{name: lambda row: row // 2}))[name]["use"] == "score"


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
        ("a;t\n1;0\n", "comma-separated"),
        ("a,,t\n1,2,0\n", "column 2 has no name"),
        ("a,a,t\n1,2,0\n", "column 'a' stands 2 times"),
        ("a,t\n1,0\n1\n", "row 3: 1 cells, expected 2"),
        ('a,t\n"1,0\n', "can't be read as CSV"),
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
    with pytest.raises(DataError, match=r"no\.csv: can't be read"):
        draft_data_set(tmp_path / "mine", tmp_path / "no.csv", "t")

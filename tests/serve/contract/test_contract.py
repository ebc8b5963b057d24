import numpy as np
import pytest

from serve.contract.contract import MOST_FIELDS_NAMED, Contract
from serve.errors import ApplicationError, ContractError
from serve.model.scorer import Scorer


@pytest.fixture(scope="session")
def mixed(model_file) -> Contract:
    """Two scored features, one of them a category, and a monitored one."""
    return Scorer(model_file("mixed")).contract


def test_the_example_is_an_application_that_keeps_the_contract(loans):
    np.testing.assert_array_equal(loans.encode(loans.example()), [[45, 85_000, 650, 25_000, 10, 5, 0]])


def test_columns_follow_the_contract_not_the_request(loans):
    backwards = dict(reversed(loans.example().items()))
    np.testing.assert_array_equal(loans.encode(backwards), loans.encode(loans.example()))


def test_absent_is_null(loans):
    absent = loans.example()
    del absent["Age"]
    np.testing.assert_array_equal(loans.encode(absent), loans.encode(absent | {"Age": None}))
    assert np.isnan(loans.encode(absent)[0, 0])


def test_all_problems_are_named_at_once(loans):
    with pytest.raises(ApplicationError) as caught:
        loans.encode({"Age": 17, "Credit_Score": "good", "Shoe_Size": 44})
    assert set(caught.value.fields) == {"Age", "Credit_Score", "Loan_Amount", "Loan_Duration_Years", "Shoe_Size"}


@pytest.fixture
def refusing(loans) -> Contract:
    """The loans contract that refuses a race, and a name longer than what errors show."""
    race = {"name": "race", "type": "category", "values": ["a", "b"], "use": "refuse", "example": "a"}
    document = loans.to_dict()
    return Contract.from_dict(document | {"feature": [race, *document["feature"], race | {"name": "r" * 100}]})


@pytest.mark.parametrize("value", ["a", "c", None, 1])
@pytest.mark.parametrize("name", ["race", "r" * 100])
def test_what_the_contract_refuses_is_refused_by_name_whatever_its_value(refusing, name, value):
    with pytest.raises(ApplicationError) as caught:
        refusing.encode(refusing.example() | {name: value})
    assert caught.value.fields == {name[:60]: "not accepted, the contract refuses it"}


def test_a_refused_feature_is_no_feature_and_stays_in_the_document(refusing, loans):
    assert refusing.features == loans.features
    assert refusing.example() == loans.example()
    assert [feature.name for feature in refusing.refused] == ["race", "r" * 100]
    assert Contract.from_dict(refusing.to_dict()) == refusing
    assert loans.refused == ()


def test_a_contract_that_only_refuses_is_none(loans):
    document = loans.to_dict()
    refused = [feature | {"use": "refuse"} for feature in document["feature"]]
    with pytest.raises(ContractError, match="no feature is scored"):
        Contract.from_dict(document | {"feature": refused})


def test_unknown_fields_are_named_shortly_and_not_without_end(loans):
    with pytest.raises(ApplicationError) as caught:
        loans.encode(loans.example() | {f"{number:0>9}{'x' * 1000}": 1 for number in range(1000)})
    assert len(caught.value.fields) == MOST_FIELDS_NAMED
    assert max(map(len, caught.value.fields)) == 60


@pytest.mark.parametrize("application", [None, [], [{}], "text", 1, True])
def test_only_an_object_is_an_application(loans, application):
    with pytest.raises(ApplicationError) as caught:
        loans.encode(application)
    assert list(caught.value.fields) == [""]


def test_a_monitored_feature_is_checked_and_never_scored(mixed):
    scored = {"amount": 10, "home": "rent"}
    np.testing.assert_array_equal(mixed.encode(scored | {"region": "south"}), [[10, 1]])
    np.testing.assert_array_equal(mixed.encode(scored | {"region": None}), mixed.encode(scored))
    with pytest.raises(ApplicationError) as caught:
        mixed.encode(scored | {"region": "west"})
    assert set(caught.value.fields) == {"region"}


def test_a_table_is_encoded_as_its_rows_are(loans):
    rows = [loans.example() | {"Age": age} for age in (18, 100.0, None, 33)]
    X, problems = loans.encode_table({f.name: [row[f.name] for row in rows] for f in loans.scored})
    np.testing.assert_array_equal(X, np.concatenate([loans.encode(row) for row in rows]))
    assert problems == []


def test_a_table_names_row_and_feature_of_each_fault(mixed):
    columns = {"amount": [10, 101, "x"], "home": ["own", "own", "boat"]}
    X, problems = mixed.encode_table(columns)
    assert [(row, name) for row, name, _ in problems] == [(1, "amount"), (2, "amount"), (2, "home")]
    assert np.isnan(X[1, 0])
    _, problems = mixed.encode_table({"region": ["west"]}, mixed.monitored)
    assert [(row, name, fault.kind) for row, name, fault in problems] == [(0, "region", "unknown category")]


def test_an_absent_monitored_column_is_unknown_and_an_absent_scored_one_is_missing(mixed):
    X, problems = mixed.encode_table({"home": ["own"]})
    assert [(row, name, fault.kind) for row, name, fault in problems] == [(0, "amount", "missing")]
    monitored, problems = mixed.encode_table({"home": ["own"]}, mixed.monitored)
    assert np.isnan(monitored).all()
    assert (X.shape, problems) == ((1, 2), [])


@pytest.mark.parametrize("name", ["loans", "mixed"])
def test_a_contract_survives_its_own_document(name, loans, mixed):
    contract = {"loans": loans, "mixed": mixed}[name]
    assert Contract.from_dict(contract.to_dict()) == contract


@pytest.mark.parametrize(
    ("text", "problem"), [("format = ", "Invalid value"), ("format = 1", "feature: missing"), (None, "No such file")]
)
def test_a_contract_file_that_cannot_be_used_is_refused_with_its_path(tmp_path, text, problem):
    path = tmp_path / "contract.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ContractError, match=problem) as caught:
        Contract.load(path)
    assert str(path) in str(caught.value)


def test_labels_follow_the_code(loans, mixed):
    assert [loans.label(code) for code in (0, 1)] == ["Não Aprovado", "Approved"]
    assert [mixed.label(code) for code in (0, 1)] == ["Denied", "Granted"]


def test_a_source_is_part_of_the_contract_and_a_contract_without_one_stays_as_it_was(loans):
    source = {"encoding": "utf-8", "separator": "semicolon"}
    document = loans.to_dict()
    assert "source" not in document
    with_source = Contract.from_dict(document | {"source": source})
    assert with_source.to_dict()["source"] == source
    assert with_source.fingerprint != loans.fingerprint


def test_only_another_split_than_by_values_is_part_of_the_contract(loans):
    document = loans.to_dict()
    assert "split" not in document
    assert Contract.from_dict(document | {"split": {"by": "values"}}).fingerprint == loans.fingerprint
    for by, key in (("row", ""), ("customer", "customer")):
        other = Contract.from_dict(document | {"split": {"by": by}})
        assert (other.split_by, other.group_key) == (by, key)
        assert Contract.from_dict(other.to_dict()) == other
        assert other.fingerprint != loans.fingerprint

import numpy as np
import pytest

from loan_approval.data.contract_page import draft_top
from loan_approval.data.draft_split import choose_key, draft_split, find_keys
from loan_approval.data.salts import EVEN, evenness
from loan_approval.data.splits import assign_splits, identify_rows
from loan_approval.data.wishes import Wishes
from loan_approval.errors import DataError

ROWS = 1000
TARGET = {"name": "paid", "meaning": "repaid", "positive": "1", "labels": {"0": "No", "1": "Yes"}, "question": "Right?"}


def ids(rows_each: int, prefix: str = "") -> list[str]:
    return [f"{prefix}{row // rows_each}" for row in range(ROWS)]


@pytest.mark.parametrize(
    "name",
    [
        *("customer_id", "CustomerID", "SK_ID_CURR", "custid", "client no", "Kundennummer", "código_cliente", "CPF"),
        *("member number", "customer", "id", "borrowerKey", "account_no", "household id", "id_cliente"),
        *("UserName", "user_login", "customer name"),
        *("client_data_id", "customer_id_by_date", "borrower_id_dt", "custid_date", "data_id_cliente"),
    ],
)
def test_an_identifier_with_several_rows_is_found_by_its_name(name):
    assert find_keys({"income": ids(3), name: ids(3)}) == [name]
    assert find_keys({name: ids(3, "C-")}) == [name]


@pytest.mark.parametrize(
    "name",
    [
        *("Number_of_Open_Accounts", "income_per_person", "account balance", "paid", "zip code", "valid", "kids"),
        *("DAYS_ID_PUBLISH", "id_issue_year", "MonthsSinceIDIssued", "data_id_emissao"),
        *("number_of_dependents", "client_age", "savings_account", "applicant_income", "residence", "period"),
    ],
)
def test_a_figure_about_someone_is_no_identifier(name):
    assert find_keys({name: ids(3)}) == []


@pytest.mark.parametrize(
    "cells",
    [ids(1), ids(100), [f"{row // 3}.5" for row in range(ROWS)], [f"a {row // 3}" for row in range(ROWS)], [""] * ROWS],
    ids=["one row each", "too few values", "fractions", "words", "empty"],
)
def test_what_groups_nobody_is_no_key(cells):
    assert find_keys({"customer_id": cells}) == []


def test_of_several_keys_the_coarsest_comes_first():
    assert find_keys({"customer_id": ids(2), "household_id": ids(4)}) == ["household_id", "customer_id"]


def test_a_key_is_taken_as_a_guess_that_an_answer_changes():
    columns = {"customer_id": ids(2), "income": ids(1)}
    guess = choose_key(columns, ["customer_id"], Wishes())
    assert guess["by"] == "customer_id"
    assert guess["comment"].startswith("A guess: rows with the same customer_id belong together")
    for answer in ("values", "row", "income", "customer_id"):
        assert choose_key(columns, ["customer_id"], Wishes(answers={"split": answer})) == {"by": answer}
    with pytest.raises(DataError, match="--answer split=nobody: expected customer_id or row or values or income"):
        choose_key(columns, ["customer_id"], Wishes(answers={"split": "nobody"}))


def test_nobody_is_asked_where_nothing_is_to_be_chosen():
    def ask(text, choices):
        raise AssertionError(text)

    assert choose_key({"income": ids(1)}, [], Wishes(ask=ask)) == {}


def drafted(columns, y, split=None, answers=None):
    """Return the drafted tables and the notes of columns of whole numbers."""
    features = [
        {"name": name, "type": "integer", "min": 0, "max": 10_000, "example": 1, "comment": "c", "question": "q?"}
        for name in columns
        if name != (split or {}).get("by")
    ]
    tables, notes = {"top": draft_top("mine"), "target": TARGET, "feature": features}, []
    wishes = Wishes(answers=answers or {})
    return draft_split(tables, columns, y, split or {}, wishes, notes), notes


def coins(rows=ROWS):
    return np.random.default_rng(2).integers(0, 2, rows)


@pytest.mark.parametrize("cells", [16, 64])
def test_few_combinations_are_split_by_row_with_a_word(cells):
    columns = {"a": [str(row % cells) for row in range(ROWS)]}
    tables, (note,) = drafted(columns, coins())
    assert tables["split"]["by"] == "row"
    assert "few combinations of values can occur" in tables["split"]["comment"]
    assert "takes equal rows for different applications that happen to agree" in note
    tables, notes = drafted(columns, coins(), {"by": "values"})
    assert tables["split"] == {"by": "values"}
    assert notes[-1] == "[split] by = values, as its owner says"


@pytest.mark.parametrize("copies", [2, 4, 10])
def test_copies_are_split_by_values(copies):
    y = np.repeat(coins(ROWS // copies), copies)
    rng = np.random.default_rng(3)
    columns = {name: np.repeat(rng.integers(0, 9000, ROWS // copies), copies).astype(str).tolist() for name in "ab"}
    tables, notes = drafted(columns, y)
    assert tables["split"] == {}
    assert not any("[split]" in note for note in notes)


def test_a_rare_label_gets_a_salt_whose_splits_are_even_and_says_so():
    columns, X = {"a": ids(1)}, np.arange(float(ROWS))[:, None]
    splits = assign_splits(identify_rows(X), "mine-1")
    y = np.zeros(ROWS, dtype=int)
    for split, ones in (("train", 41), ("calibrate", 7), ("test", 12)):
        y[np.flatnonzero(splits == split)[:ones]] = 1
    tables, (note,) = drafted(columns, y)
    salt = tables["top"]["split_salt"]
    assert salt != "mine-1"
    assert note.startswith(f"split_salt = {salt}: chosen of 20 so that each split has its share of both labels")
    assert evenness(identify_rows(X), y, salt) > EVEN


def test_the_salt_is_chosen_for_the_units_that_are_split():
    columns, y = {"customer": ids(5), "a": ids(1)}, np.repeat(coins(ROWS // 5), 5)
    tables, _ = drafted(columns, y, {"by": "customer"})
    assert tables["split"] == {"by": "customer"}
    identities = identify_rows(np.zeros((ROWS, 1)), "customer", columns["customer"])
    assert evenness(identities, y, tables["top"]["split_salt"]) > EVEN

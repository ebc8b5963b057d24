import re
import tomllib

import numpy as np
import pytest

from loan_approval.data.datasets import read_dataset
from loan_approval.data.drafting import draft_data_set
from loan_approval.data.wishes import Wishes
from loan_approval.errors import DataError
from serve.contract.contract import Contract
from serve.errors import ContractError

ROWS = 80


@pytest.fixture
def draft(tmp_path):
    """Return a function that drafts from columns: the target alternates, a function of the row gives a column."""

    def make(target="Approved", labels=("no", "yes"), wishes=None, header=None, **columns):
        columns = columns or {"income": lambda row: 100 * (row // 2)}
        return draft_text(tmp_path, csv_text(header or target, labels, columns), target, wishes)

    return make


def csv_text(target, labels, columns):
    def quoted(cells):
        return ",".join('"' + str(cell).replace('"', '""') + '"' for cell in cells)

    rows = [[*(make(row) for make in columns.values()), labels[row % len(labels)]] for row in range(ROWS)]
    return "\n".join(map(quoted, [[*columns, target], *rows]))


def draft_text(tmp_path, text, target, wishes=None):
    (tmp_path / "my.csv").write_text(text, encoding="utf-8")
    return draft_data_set(tmp_path / "mine", tmp_path / "my.csv", target, wishes)


def documents(draft):
    return tomllib.loads(draft.contract.read_text("utf-8"))


def features(draft):
    return {table["name"]: table for table in documents(draft)["feature"]}


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
    assert "yes is an approval" in question


def test_a_target_that_is_no_column_is_refused(tmp_path):
    with pytest.raises(DataError, match="no column 'paid', expected one of a, b"):
        draft_text(tmp_path, "a,b\n1,0\n2,1\n", "paid")


def test_a_header_of_values_is_told_with_the_option_for_a_file_without_one(tmp_path):
    with pytest.raises(DataError, match="where these are values, say --no-header"):
        draft_text(tmp_path, "5,Web,x\n7,Tel,0\n8,,1\n6,x,0\n", "paid")


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
    ("name", "written"),
    [
        *[(name, name) for name in ("Renda média (R$)", "'", "x # y", "é\x7f", "😀", "a = b", "[x]")],
        *[('a "quoted" name', "a 'quoted' name"), ("back\\slash", "back/slash"), ("two\nlines", "two lines")],
    ],
)
def test_odd_names_survive_or_are_renamed_with_a_word(draft, name, written):
    drafted = draft(target=written + " T", header=name + " T", **{name: lambda row: row // 2})
    contract = answered(drafted)
    assert list(contract.example()) == [written]
    assert contract.target.name == written + " T"
    assert (name == written) == (not any("renamed" in note for note in drafted.notes))
    assert read_dataset(drafted.dataset, contract, "mine").X.shape == (ROWS, 1)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no\.csv: no such file"):
        draft_data_set(tmp_path / "mine", tmp_path / "no.csv", "t")


def test_rows_of_labels_that_the_owner_leaves_out_are_counted_and_read_the_same_later(draft):
    labels = ("Fully Paid", "Charged Off", "Current", "Fully Paid", "In Grace Period", "Charged Off")
    missing = {"loan_status": ["current", "In Grace Period"]}
    drafted = draft(target="loan_status", labels=labels, wishes=Wishes(missing=missing))
    assert any("26 rows without loan_status, left out" in note for note in drafted.notes)
    assert documents(drafted)["target"]["labels"].keys() == {"Fully Paid", "Charged Off"}
    assert documents(drafted)["source"]["missing"] == {"loan_status": ["Current", "In Grace Period"]}


def test_labels_of_one_class_stay_as_written_and_every_path_reads_them_alike(draft, tmp_path):
    labels = ("Fully Paid", "Charged Off", "Default", "fully paid", "Current", "Fully Paid")
    drafted = draft(target="loan_status", labels=labels, wishes=Wishes(negative=("Charged Off", "Default")))
    contract = answered(drafted)
    loaded = read_dataset(drafted.dataset, contract, "mine")
    again = read_dataset(tmp_path / "my.csv", contract, "mine")
    assert loaded.y.tolist() == again.y.tolist() == [1, 0, 0, 1, 1] * 13 + [1, 0]
    assert {line.rpartition(",")[2] for line in drafted.dataset.read_text().splitlines()[1:]} == {
        *("Fully Paid", "Charged Off", "Default")
    }
    assert (contract.label(1), contract.label(0)) == ("Repaid", "Defaulted")
    assert Contract.from_dict(contract.to_dict()) == contract


def test_rows_without_a_label_are_left_out_and_named(draft):
    drafted = draft(labels=("yes", "no", "", "yes", "no", "NA"))
    assert drafted.rows == 54
    assert "26 rows without Approved, left out (NA: 13): rows 4, 7, 10" in drafted.notes[1]
    assert drafted.notes[1].endswith("and 16 more")
    source = documents(drafted)["source"]
    assert (source["drop_unlabelled"], source["missing"]) == (True, {"Approved": ["NA"]})


def test_a_column_that_is_filled_in_with_the_outcome_is_watched_and_asked_about(draft):
    columns = {"income": lambda row: 100 * (row // 2), "closed": lambda row: f"2020-01-{row % 28 + 1:02}"}
    columns["closed_late"] = lambda row: "" if row % 4 == 3 else row % 7
    columns["often"] = lambda row: "" if row % 8 == 3 else row % 5
    made = draft(labels=("no", "yes", "no", ""), **columns)
    found = features(made)
    assert {name for name, feature in found.items() if feature.get("use") == "monitor"} == {"closed_late"}
    assert found["closed_late"]["question"].startswith(
        "It is filled in where Approved is known and empty where it is not"
    )
    made = draft(labels=("no", "yes", "no", "yes"), wishes=Wishes(replace=True), **columns)  # where all have a label
    assert not any("It is filled in" in question for question in made.questions)


def test_rows_without_a_label_that_are_empty_altogether_make_no_column_late(draft):
    empty = lambda filled: lambda row: "" if row % 4 == 3 else filled(row)  # noqa: E731
    columns = {"income": empty(lambda row: row), "months": empty(lambda row: row % 7), "number": lambda row: f"n{row}"}
    made = draft(labels=("no", "yes", "no", ""), **columns)
    assert {"income", "months"} <= set(features(made))
    assert all(feature.get("use", "score") == "score" for feature in features(made).values())


def test_none_may_be_an_answer_that_rows_without_a_label_have(draft):
    columns = {"income": lambda row: row, "months": lambda row: row % 7}
    columns["collateral"] = lambda row: "none" if row % 4 == 3 else ("car", "house", "boat")[row % 3]
    found = features(draft(labels=("no", "yes", "no", ""), **columns))
    assert found["collateral"].get("use", "score") == "score"


def test_rows_are_named_by_their_lines_in_the_file(tmp_path):
    (tmp_path / "mine.csv").write_text(
        "# c\n\nn,note,t\n" + '1,"a\nb",\n\n2,a,\n' + "3,a,1\n4,b,0\n5,a,1\n6,b,1\n7,a,0\n" * 20
    )
    notes = draft_data_set(tmp_path / "mine", tmp_path / "mine.csv", "t").notes
    assert "2 rows without t, left out: rows 4, 7" in notes


def test_labels_are_written_in_one_spelling(draft):
    drafted = draft(labels=("Yes", "no", "YES", "No", "Yes", "No"))
    assert {line.rpartition(",")[2] for line in drafted.dataset.read_text().splitlines()[1:]} == {"Yes", "No"}


def test_columns_left_out_are_named_with_the_reason_in_the_note_and_the_contract(draft):
    drafted = draft(loan_id=lambda row: row, income=lambda row: row // 2)
    assert "left out of dataset.csv: loan_id (a running number)" in drafted.notes
    assert documents(drafted)["source"]["left_out"] == {"loan_id": "a running number"}
    assert "loan_id" not in drafted.dataset.read_text()
    assert list(features(drafted)) == ["income"]


def test_a_file_without_a_usable_column_is_refused_with_the_reasons(draft):
    with pytest.raises(DataError, match=r"that a model could use: loan_id \(a running number\)"):
        draft(loan_id=lambda row: row)


@pytest.mark.parametrize("names", [("Loan-Amount", "Loan Amount"), ("😀", "🎉"), ("a", "A"), ("PAY_1", "PAY_2")])
def test_names_that_look_alike_get_a_reason_code_and_a_reason_of_their_own(draft, names):
    drafted = draft(**{name: lambda row, n=n: row * (n + 3) % 41 for n, name in enumerate(names)})
    scored = answered(drafted).scored
    assert len({feature.code for feature in scored}) == len({feature.title("en") for feature in scored}) == 2


def test_answers_leave_no_question_open(draft):
    answers = {"positive": "no", "meaning": "repaid", "codes": "missing", "debt": "score"}
    columns = {"debt": lambda row: row % 2, "months": lambda row: -1 if row % 20 < 2 else row * 7 % 60}
    drafted = draft(wishes=Wishes(answers=answers), **columns)
    assert drafted.questions == ()
    contract = Contract.load(drafted.contract)
    assert (contract.target.positive, contract.target.meaning) == ("no", "repaid")
    assert [feature.name for feature in contract.scored] == ["debt", "months"]


def test_a_person_is_asked_each_question_once_with_the_guess_first(draft):
    asked = []

    def ask(text, choices):
        asked.append(choices)
        return choices[0]

    columns = {"Age": lambda row: row // 2, "leak": lambda row: row % 2, "income": lambda row: row * 13 % 97}
    drafted = draft(wishes=Wishes(ask=ask), **columns)
    assert asked == [("yes", "no"), ("past_decision", "repaid"), ("monitor", "score", "refuse", "leave_out")]
    assert drafted.questions == ()


@pytest.mark.parametrize("use", ["monitor", "score", "refuse", "leave_out"])
def test_a_person_is_asked_once_about_a_date_that_is_counted_from_another(draft, use):
    asked = []

    def ask(text, choices):
        asked.append(text)
        return use if "known before" in text else choices[0]

    columns = {"income": LEAKY["income"], "application_date": LEAKY["issued"]}
    drafted = draft(wishes=Wishes(ask=ask), **columns, closed=lambda row: f"202{1 + row % 2}-01-{1 + row % 7:02}")
    assert len([text for text in asked if "known before" in text]) == 1
    assert features(drafted).get("closed", {"use": "leave_out"}).get("use", "score") == use
    assert drafted.questions == ()


def test_an_answer_for_leaks_fits_a_file_without_one(draft):
    assert "income" in features(draft(wishes=Wishes(answers={"leaks": "leave_out"})))


def test_an_age_that_is_scored_gets_all_that_a_gate_asks_for(draft):
    drafted = draft(wishes=Wishes(answers={"Age": "score"}), Age=lambda row: 20 + row // 2)
    age = features(drafted)["Age"]
    assert (age["direction"], age["elderly_from"], age["protected"]) == (1, 62, True)
    assert answered(drafted).scored[0].name == "Age"


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"positive": "maybe"}, "--answer positive=maybe: expected no or yes"),
        ({"incme": "score"}, "--answer incme=score: no such question"),
        ({"dates": "DD/MM/YYYY"}, "--answer dates=DD/MM/YYYY: this file raises no such question"),
        ({"leaks": "score"}, "--answer leaks=score: expected leave_out or monitor"),
        ({"income": "ignore"}, "--answer income=ignore: expected score or monitor or refuse or leave_out"),
        ({"key": "score"}, r"--answer key=score: can't be used \(a running number\)"),
        ({"income": "leave_out"}, "no column beside Approved that a model could use"),
    ],
)
def test_an_answer_to_no_question_is_refused(draft, answers, message):
    with pytest.raises(DataError, match=message):
        draft(wishes=Wishes(answers=answers), income=lambda row: row // 2, key=lambda row: row)


def test_codes_for_unknown_are_asked_about_once_and_emptied(draft):
    columns = {name: lambda row, n=n: -9 if row % 10 == n else row * 7 % 50 for n, name in enumerate("abc")}
    drafted = draft(**columns)
    assert "-9 in a (8 rows), b (8 rows), c (8 rows)?" in documents(drafted)["source"]["question"]
    assert len(drafted.questions) == 2
    assert features(drafted)["a"]["min"] >= 0
    kept = draft(wishes=Wishes(answers={"codes": "value"}, replace=True), **columns)
    assert features(kept)["a"]["min"] <= -9


def test_what_the_owner_calls_missing_is_missing(draft):
    drafted = draft(wishes=Wishes(missing={"home": ["NA"]}), home=lambda row: ("own", "rent", "NA")[row // 2 % 3])
    assert (features(drafted)["home"]["values"], features(drafted)["home"]["missing"]) == (["own", "rent"], True)


def test_a_clean_file_asks_one_question(draft):
    drafted = draft(Age=lambda row: 20 + row // 2, Sex=lambda row: "fm"[row // 2 % 2], income=lambda row: row * 13 % 97)
    assert len(drafted.questions) == 1


def test_what_is_drafted_loads_whole(draft):
    drafted = draft(
        income=lambda row: f"${row * 1337 % 90000:,}.00", zip=lambda row: f"0{row % 2}139", note=lambda row: f"x {row}"
    )
    dataset = read_dataset(drafted.dataset, answered(drafted), "mine")
    assert dataset.frame["income"].max() == max(row * 1337 % 90000 for row in range(ROWS))
    assert dataset.frame["zip"].unique().tolist() == ["00139", "01139"]


CUSTOMERS = {
    "customer_id": lambda row: f"{row // 2:04}" if row % 10 else "NA",
    "income": lambda row: row * 13 % 97,
    "debt": lambda row: row * 7 % 89,
}


def test_an_identifier_with_several_rows_becomes_the_group_key_and_no_feature(draft):
    drafted = draft(**CUSTOMERS)
    contract = answered(drafted)
    assert contract.split_by == contract.group_key == "customer_id"
    assert [feature.name for feature in contract.features] == ["income", "debt"]
    assert "# A guess: rows with the same customer_id belong together" in drafted.contract.read_text()
    assert any(note.startswith("[split] by = customer_id: A guess") for note in drafted.notes)
    assert not any("left out" in note for note in drafted.notes)
    assert len(drafted.questions) == 1
    dataset = read_dataset(drafted.dataset, contract, "mine")
    assert dataset.X.shape == (ROWS, 2)
    assert dataset.keys[:4].tolist() == ["NA", "0000", "0001", "0001"]
    split_of = dict(zip(dataset.keys, dataset.splits, strict=True))
    known = [row for row, key in enumerate(dataset.keys) if key != "NA"]
    assert all(dataset.splits[row] == split_of[dataset.keys[row]] for row in known)


def test_an_answer_changes_what_decides_the_split(draft):
    drafted = draft(wishes=Wishes(answers={"split": "values"}), **CUSTOMERS)
    assert answered(drafted).split_by == "values"
    assert documents(drafted)["source"]["left_out"] == {"customer_id": "an identifier that stands on several rows"}
    assert "customer_id" not in drafted.dataset.read_text()
    drafted = draft(wishes=Wishes(answers={"split": "debt"}, replace=True), **CUSTOMERS)
    assert answered(drafted).split_by == "debt"
    assert list(features(drafted)) == ["income"]


def test_a_group_key_is_no_feature_even_when_its_owner_scores_it(draft):
    with pytest.raises(DataError, match=r"customer_id=score: can't be used \(it says which rows belong together"):
        draft(wishes=Wishes(answers={"customer_id": "score"}), **CUSTOMERS)


def test_what_the_owner_calls_missing_in_the_key_is_recorded_and_empty(draft):
    drafted = draft(wishes=Wishes(missing={"customer_id": ["0001"]}), **CUSTOMERS)
    assert documents(drafted)["source"]["missing"] == {"customer_id": ["0001"]}
    assert read_dataset(drafted.dataset, answered(drafted), "mine").keys[2:5].tolist() == ["", "", "0002"]


def test_a_person_is_asked_about_a_group_key_and_its_answer_is_no_guess(draft):
    asked = []

    def ask(text, choices):
        asked.append((text, choices))
        return choices[0]

    drafted = draft(wishes=Wishes(ask=ask), **CUSTOMERS)
    text = "Which rows belong together, in one split: those with the same customer_id?"
    assert (text, ("customer_id", "row", "values")) in asked
    assert "A guess" not in drafted.contract.read_text()


def test_few_combinations_are_drafted_to_split_by_row(draft):
    drafted = draft(labels=("no", "yes", "yes"), home=lambda row: "abcd"[row % 4], car=lambda row: "xy"[row // 4 % 2])
    assert answered(drafted).split_by == "row"
    assert "takes equal rows for different applications" in " ".join(drafted.notes)
    dataset = read_dataset(drafted.dataset, answered(drafted), "mine")
    assert dataset.units("train").tolist() == list(range(int((dataset.splits == "train").sum())))


def test_dates_are_drafted_as_features_and_their_notation_is_recorded_and_told(draft):
    drafted = draft(asked=lambda row: f"{row // 2 % 28 + 1:02}/08/{2015 + row // 10}")
    assert documents(drafted)["source"]["dates"] == {"asked": "DD/MM/YYYY"}
    assert any("asked: dates are read as DD/MM/YYYY: 28/08/2020 is 2020-08-28" in note for note in drafted.notes)
    dataset = read_dataset(drafted.dataset, answered(drafted), "mine")
    assert dataset.contract.scored[0].decode(dataset.X[0, 0]) == "2015-08-01"


def test_a_date_that_is_counted_from_another_loads_and_is_checked_with_it(draft, tmp_path):
    asked = {"application_date": lambda row: f"{1 + row % 28:02}/{1 + row % 12:02}/2021"}
    hired = {"hired": lambda row: f"{1 + row % 27:02}/{1 + row % 11:02}/{1990 + row % 30}"}
    drafted = draft(**asked, **hired, income=lambda row: row // 2)
    contract = answered(drafted)
    loaded = read_dataset(drafted.dataset, contract, "mine")
    days = loaded.X[:, [feature.name for feature in contract.scored].index("hired")]
    assert np.all((days < 0) & (days > -12_000))
    row = {"hired": "2021-01-01", "application_date": "2021-01-31", "income": 3}
    assert contract.encode(row)[0, 0] == -30
    assert any("hired: counted in days from application_date" in note for note in drafted.notes)
    assert "# - hired: counted in days from application_date" in drafted.contract.read_text()


def test_a_scored_date_of_birth_is_no_age_that_a_gate_could_prove(draft):
    born = {"Birth_Date": lambda row: f"{1950 + row // 2}-08-01", "income": lambda row: row // 2}
    assert features(draft(**born))["Birth_Date"]["use"] == "monitor"
    scored = features(draft(wishes=Wishes(answers={"Birth_Date": "score"}, replace=True), **born))["Birth_Date"]
    assert not {"use", "protected", "elderly_from", "direction"} & scored.keys()


def test_a_file_with_rows_above_its_header_is_checked_as_it_was_drafted(tmp_path):
    rows = "".join(f"{row},{row * 7 % 50},{'yes' if row * 13 % 10 < 6 else 'no'}\n" for row in range(ROWS))
    drafted = draft_text(tmp_path, f",X1,Y\nID,debt,paid\n{rows}", "paid")
    contract = answered(drafted)
    loaded, again = (read_dataset(path, contract, "mine") for path in (drafted.dataset, tmp_path / "my.csv"))
    assert documents(drafted)["source"]["rows_above"] == 1
    assert (loaded.X.tolist(), loaded.y.tolist()) == (again.X.tolist(), again.y.tolist())


def test_an_option_for_a_column_that_is_not_there_is_refused(draft):
    with pytest.raises(DataError, match="no column 'incme', expected one of income, Approved"):
        draft(wishes=Wishes(missing={"incme": ["NA"]}))


def test_numbers_that_stand_once_each_are_no_leak(tmp_path):
    rows = "".join(f"{row * 7 % 31}.{row},{row % 3},{row % 2}\n" for row in range(30))
    drafted = draft_text(tmp_path, f"income,late,approved\n{rows}", "approved")
    assert len(drafted.questions) == 1


LEAKY = {
    "income": lambda row: row * 13 % 97,
    "recovered": lambda row: row % 2,
    "loss": lambda row: -(row % 2),
    "issued": lambda row: f"2020-01-{1 + row % 9:02}",
    "last_payment": lambda row: f"2021-{1 + row % 7:02}-15",
}


@pytest.mark.parametrize(
    ("answers", "uses"),
    [
        ({"leaks": "leave_out"}, {}),
        ({"leaks": "monitor"}, {"recovered": "monitor", "loss": "monitor", "last_payment": "monitor"}),
        ({"leaks": "leave_out", "last_payment": "score", "loss": "monitor"}, {"last_payment": None, "loss": "monitor"}),
    ],
)
def test_one_answer_is_for_all_columns_that_may_not_have_been_known(draft, answers, uses):
    drafted = draft(wishes=Wishes(answers=answers), **LEAKY)
    found = features(drafted)
    assert {name: feature.get("use") for name, feature in found.items() if name not in ("income", "issued")} == uses
    assert [question for question in drafted.questions if not question.startswith("Approved")] == []
    left_out = documents(drafted)["source"].get("left_out", {})
    assert left_out.keys() == {"recovered", "loss", "last_payment"} - uses.keys()


def test_each_column_that_may_not_have_been_known_says_how_to_answer_for_all(draft):
    asked = [question for question in draft(**LEAKY).questions if "leaks=leave_out" in question]
    assert [question.partition(":")[0] for question in asked] == ["recovered", "loss", "last_payment"]


def test_labels_that_their_owner_named_are_no_guess_of_the_question(draft):
    (question,) = draft(wishes=Wishes(positive=("yes",))).questions
    assert question.startswith("Approved: A guess: the labels tell past decisions (meaning: past_decision or repaid)")


def test_codes_become_categories_as_their_owner_says_and_every_path_reads_them_alike(draft, tmp_path):
    columns = {"branch": lambda row: ("101", "102.0", "103.0", "NA")[row % 4], "income": lambda row: 100 * row}
    (note,) = (each for each in draft(**columns).notes if "taken as amounts" in each)
    assert note.startswith("branch: ")
    drafted = draft(wishes=Wishes(categories=("branch",), replace=True), **columns)
    assert features(drafted)["branch"]["values"] == ["101", "102", "103"]
    assert not [each for each in drafted.notes if "taken as amounts" in each]
    contract = answered(drafted)
    raw, clean = (read_dataset(path, contract, "mine") for path in (tmp_path / "my.csv", drafted.dataset))
    assert np.array_equal(raw.X, clean.X, equal_nan=True)


@pytest.mark.parametrize("wishes", [Wishes(categories=("Approved",)), Wishes(dates={"x": "MM/YYYY"})])
def test_an_option_that_would_do_nothing_is_refused(draft, wishes):
    with pytest.raises(DataError, match=r"no column 'x'|--category Approved"):
        draft(wishes=wishes)

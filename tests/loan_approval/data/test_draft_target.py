import pytest

from loan_approval.data.draft_labels import sort_labels
from loan_approval.data.draft_target import draft_target
from loan_approval.data.wishes import Wishes


def draft(labels, name="Approved", answers=None):
    wishes = Wishes(answers=answers or {})
    cells = list(labels) * 10
    sorted_labels = sort_labels("my.csv", name, cells, wishes)
    codes = [int(sorted_labels.of_cell[cell] in sorted_labels.positive) for cell in cells]
    return draft_target(name, sorted_labels, wishes.answer), codes


@pytest.mark.parametrize(
    ("labels", "positive", "texts"),
    [
        (("0", "1"), "1", {"1": "Approved", "0": "Denied"}),
        (("1.0", "0.0"), "1.0", {"1.0": "Approved", "0.0": "Denied"}),
        (("2", "1"), "1", {"1": "Approved", "2": "Denied"}),
        (("-1", "1"), "1", {"1": "Approved", "-1": "Denied"}),
        (("yes", "no"), "yes", {"yes": "yes", "no": "no"}),
        (("N", "Y"), "Y", {"Y": "Y", "N": "N"}),
        (("False", "True"), "True", {"True": "True", "False": "False"}),
        (("good", "bad"), "good", {"good": "good", "bad": "bad"}),
        (("sim", "não"), "sim", {"sim": "sim", "não": "não"}),
        (("Denied", "Approved"), "Approved", {"Approved": "Approved", "Denied": "Denied"}),
        (("Not approved", "Approved"), "Approved", {"Approved": "Approved", "Not approved": "Not approved"}),
        (("Não Aprovado", "Aprovado"), "Aprovado", {"Aprovado": "Aprovado", "Não Aprovado": "Não Aprovado"}),
        (("Charged Off", "Fully Paid"), "Fully Paid", {"Fully Paid": "Fully Paid", "Charged Off": "Charged Off"}),
    ],
)
def test_a_target_of_two_labels_is_understood(labels, positive, texts):
    table, y = draft(labels)
    assert (table["positive"], table["labels"]) == (positive, texts)
    assert y[:2] == [int(label == positive) for label in labels]


@pytest.mark.parametrize(
    ("labels", "name", "words"),
    [
        (("good", "bad"), "class", {"en": {"good": "Repaid", "bad": "Defaulted"}}),
        (("Y", "N"), "Approved", {"en": {"Y": "Approved", "N": "Denied"}}),
        (("1", "0"), "Approved", {"pt": {"Approved": "Aprovado", "Denied": "Recusado"}}),
    ],
)
def test_a_reader_sees_words_for_the_labels_and_not_the_cells(labels, name, words):
    table, _ = draft(labels, name)
    assert table["words"] | words == table["words"]


@pytest.mark.parametrize("labels", [("Yes", "no", "YES", "No"), ("1", "0", "1.0", "0.0"), ("y ", "N", "Y", "n")])
def test_the_spellings_of_a_label_are_one_label(labels):
    _, y = draft([label.strip() for label in labels])
    assert y[:4] == [1, 0, 1, 0]


@pytest.mark.parametrize(
    "name",
    [
        "default",
        "BAD",
        "charged_off",
        "SeriousDlqin2yrs",
        "not.fully.paid",
        "loan_default",
        "inadimplente",
        "Overdrawn",
        "past_due",
    ],
)
def test_where_the_name_means_a_loss_one_is_not_the_approval(name):
    table, y = draft(("1", "0"), name)
    assert (table["positive"], table["meaning"]) == ("0", "repaid")
    assert table["labels"] == {"0": "Repaid", "1": "Defaulted"}
    assert y[:2] == [0, 1]


@pytest.mark.parametrize("labels", [("yes", "no"), ("1", "0")])
@pytest.mark.parametrize("name", ["deny", "Denied", "application_rejected", "recusado", "abgelehnt", "was_declined"])
def test_yes_to_a_denial_is_not_the_approval_but_a_past_decision(name, labels):
    table, _ = draft(labels, name)
    assert (table["positive"], table["meaning"]) == (labels[1], "past_decision")


@pytest.mark.parametrize(
    "labels",
    [
        *[
            ("yes", "no"),
            ("True", "False"),
            ("Y", "N"),
            ("ja", "nein"),
            ("J", "N"),
            ("sim", "não"),
            ("sí", "no"),
            ("oui", "non"),
        ]
    ],
)
def test_yes_to_a_loss_is_not_the_approval(labels):
    assert draft(labels, "default")[0]["positive"] == draft(labels[::-1], "default")[0]["positive"] == labels[1]


def test_a_loss_that_names_its_labels_is_read_by_them():
    assert draft(("good", "bad"), "Risk")[0]["positive"] == "good"


def test_a_name_that_is_used_both_ways_gets_a_pointed_question():
    assert "1 for a default" in draft(("1", "0"), "loan_status")[0]["question"]


def test_the_answers_decide_and_close_the_question():
    table, y = draft(("1", "2"), answers={"positive": "2", "meaning": "repaid"})
    assert (table["positive"], table["labels"], y[:2]) == ("2", {"2": "Repaid", "1": "Defaulted"}, [0, 1])
    assert "question" not in table
    assert "question" in draft(("1", "2"), answers={"positive": "2"})[0]


def test_several_labels_of_one_class_are_one_text_and_the_question_names_them_all():
    table, y = draft(("Fully Paid", "Charged Off", "Default", "Current"), "loan_status")
    assert table["labels"] == {"Fully Paid": "Repaid", "Charged Off": "Defaulted", "Default": "Defaulted"}
    assert table["words"] == {"pt": {"Repaid": "Pago", "Defaulted": "Inadimplente"}}
    assert (table["positive"], y[:3]) == ("Fully Paid", [1, 0, 0])
    assert "Charged Off or Default is not, rows of Current are left out" in table["question"]


@pytest.mark.parametrize(
    "name", ["Ausgefallen", "Kreditausfall", "notleidend", "impagado", "perda", "impayé", "failed"]
)
def test_a_loss_is_known_by_its_name_in_several_languages(name):
    assert draft(("1", "0"), name)[0]["positive"] == "0"


@pytest.mark.parametrize("name", ["repaid", "paid", "loan_repaid", "Fully Paid", "pago"])
def test_a_name_that_speaks_of_repayment_says_what_the_labels_mean(name):
    table, _ = draft(("1", "0"), name)
    assert (table["meaning"], table["positive"]) == ("repaid", "1")

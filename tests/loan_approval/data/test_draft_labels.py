from itertools import cycle

import pytest

from loan_approval.data.draft_labels import _NO, _YES, sort_labels
from loan_approval.data.wishes import Wishes
from loan_approval.errors import DataError

LENDING = {"Fully Paid": 30, "Charged Off": 9, "Late (31-120 days)": 2, "Default": 1, "Current": 20}
UNKNOWN = {"Fully Paid": 30, "Charged Off": 9, "Mystery": 2}


def sort(labels, name="loan_status", **said):
    cells = [label for label, rows in labels.items() for _ in range(rows)]
    return sort_labels("my.csv", name, cells, Wishes(**said))


def test_labels_whose_words_are_known_are_sorted_by_a_guess():
    labels = sort(LENDING)
    assert labels.positive == ("Fully Paid",)
    assert labels.negative == ("Charged Off", "Late (31-120 days)", "Default")
    assert (labels.left_out, labels.of_cell["Current"], labels.is_guess) == (("Current",), None, True)


def test_what_the_owner_says_of_a_label_is_no_guess():
    labels = sort(LENDING, positive=("fully paid", "Current"), negative=("Charged Off", "Default"))
    assert labels.positive == ("Fully Paid", "Current")
    assert labels.is_guess  # of the one that is left
    said = sort(UNKNOWN, positive=("Fully Paid",), negative=("Charged Off", "Mystery"))
    assert (said.negative, said.is_guess) == (("Charged Off", "Mystery"), False)


def test_one_of_two_labels_says_what_the_other_is():
    two = {"A": 5, "B": 5}
    assert sort(two, negative=("A",)).positive == sort(two, positive=("B",)).positive == ("B",)
    assert not sort(two, negative=("A",)).is_guess


@pytest.mark.parametrize(
    ("paid", "lost"), [("P I F", "CHGOFF"), ("PIF", "CHG OFF"), ("p.i.f", "Chgd-off"), ("Paid", "C/O")]
)
@pytest.mark.parametrize("rows_paid", [3, 9])
def test_lenders_short_forms_of_paid_in_full_and_charged_off_are_known(paid, lost, rows_paid):
    labels = sort({lost: 5, paid: rows_paid}, "status")
    assert (labels.positive, labels.negative) == ((paid,), (lost,))


@pytest.mark.parametrize(
    ("approved", "denied"),
    [
        *(("Aprobada", "Rechazada"), ("aprobado", "denegado"), ("Aprovadas", "Recusadas"), ("Deferido", "Indeferido")),
        *(("Przyznany", "Odrzucony"), ("Onaylandı", "Reddedildi"), ("批准", "拒绝"), ("Autorizado", "Rechazado")),
        *(("Approuvée", "Rejetée"), ("approvato", "respinto"), ("Goedgekeurd", "Afgewezen"), ("boa", "má")),
    ],
)
@pytest.mark.parametrize("rows", [3, 9])
def test_labels_are_known_in_either_gender_and_several_languages(approved, denied, rows):
    assert sort({denied: 5, approved: rows}, "estatus").positive == (approved,)


@pytest.mark.parametrize("name", ["TARGET", "loan_status", "column_14", "Class"])
def test_a_rare_1_of_a_vague_name_is_taken_for_a_default(name):
    assert sort({"0": 9, "1": 2}, name).positive == ("0",)
    assert sort({"0": 9, "1": 8}, name).positive == sort({"0": 9, "1": 2}, "approved").positive == ("1",)
    assert sort({"1": 9, "2": 2}, name).positive == ("1",)


@pytest.mark.parametrize(
    "name",
    [
        "approval_status",
        "approved_flag",
        "Paid_Status",
        "repaid_flag",
        "is_good_class",
        "granted_outcome",
        "funded_flag",
    ],
)
def test_a_rare_1_of_a_name_that_says_what_it_is_is_no_default(name):
    labels = sort({"0": 9, "1": 2}, name)
    assert (labels.positive, labels.is_loss) == (("1",), False)


@pytest.mark.parametrize(
    "said", [{"positive": ("1",)}, {"answers": {"positive": "1"}}, {"ask": lambda text, choices: "1"}]
)
def test_a_rare_1_that_the_owner_calls_positive_speaks_of_no_loss(said):
    labels = sort({"0": 9, "1": 2}, "status", **said)
    assert (labels.positive, labels.is_loss) == (("1",), False)


@pytest.mark.parametrize(("yes", "no"), [*zip(_YES, cycle(["no"])), *zip(cycle(["yes"]), _NO)])
def test_each_yes_of_a_loss_is_the_loss(yes, no):
    assert sort({yes: 9, no: 2}, "default").positive == (no,)
    assert sort({yes: 2, no: 9}, "approved").positive == (yes,)


def test_of_two_labels_that_say_nothing_the_more_frequent_is_the_guess():
    for often, seldom in (("A", "B"), ("B", "A")):
        labels = sort({seldom: 2, often: 5}, "status")
        assert (labels.positive, labels.is_guess) == ((often,), True)


def test_rows_that_the_owner_calls_missing_have_no_label():
    labels = sort(UNKNOWN, missing={"loan_status": ["Mystery"]})
    assert (labels.of_cell["Mystery"], labels.negative) == (None, ("Charged Off",))


def test_a_label_of_one_row_is_said_to_be_perhaps_a_total():
    with pytest.raises(DataError, match="a label of 1 row may come of a total"):
        sort({"1": 40, "0": 20, "40": 1})
    with pytest.raises(DataError) as refused:
        sort(UNKNOWN)
    assert "total" not in str(refused.value)


def test_labels_that_say_nothing_are_refused_with_the_options_to_give():
    with pytest.raises(DataError) as refused:
        sort(UNKNOWN)
    assert "holds 3 different labels (Fully Paid (30), Charged Off (9), Mystery (2)), expected two" in str(
        refused.value
    )
    assert "by a guess: --positive 'Fully Paid' --negative 'Charged Off'; nothing is known of Mystery" in str(
        refused.value
    )


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"a": 5}, r"1 different label \(a \(5\)\), expected two$"),
        ({str(n): 2 for n in range(30)}, r"30 different labels \(0 \(2\), .*, …\), expected two$"),
        ({"Fully Paid": 2, "Paid off": 2, "Current": 2}, "3 different labels"),
        ({"": 3}, "no row has a loan_status"),
    ],
)
def test_labels_that_are_no_two_classes_are_refused_with_their_counts(labels, message):
    with pytest.raises(DataError, match=message):
        sort(labels)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"positive": ("Paid",)}, "--positive Paid: expected Fully Paid or Current or Charged Off"),
        ({"negative": ("Paid",)}, "--negative Paid: expected Fully Paid or Current or Charged Off"),
        ({"positive": ("Default",), "negative": ("default",)}, "--negative default: positive and negative"),
    ],
)
def test_an_option_that_names_no_label_or_contradicts_another_is_refused(said, message):
    with pytest.raises(DataError, match=message):
        sort(LENDING, **said)


def test_a_person_confirms_a_guess_with_one_answer():
    asked = []
    labels = sort(LENDING, ask=lambda text, choices: asked.append((text, choices)) or "yes")
    ((text, choices),) = asked
    assert "--negative 'Late (31-120 days)'" in text
    assert "--missing loan_status=Current" in text
    assert (choices, labels.is_guess) == (("yes", "no"), False)


def test_a_person_who_denies_the_guess_says_of_each_label_what_it_is():
    given = iter(["no", "Positive", "positive", "negative", "missing", "negative"])
    labels = sort(LENDING, ask=lambda text, choices: next(given))
    assert (labels.positive, labels.left_out) == (("Fully Paid", "Current"), ("Late (31-120 days)",))


def test_an_answer_given_in_advance_closes_or_refuses_the_guess():
    assert not sort(LENDING, answers={"labels": "yes"}).is_guess
    with pytest.raises(DataError, match="5 different labels"):
        sort(LENDING, answers={"labels": "no"})


def test_empty_cells_and_markers_beside_two_others_are_missing():
    assert sort({"yes": 2, "": 1, "no": 2, "NA": 1, "?": 1}).of_cell == {
        **{"yes": "yes", "no": "no"},
        **{"": None, "NA": None, "?": None},
    }
    assert sort({"yes": 2, "none": 1}).of_cell["none"] == "none"


@pytest.mark.parametrize(
    ("label", "code"),
    [
        *[
            (label, 1)
            for label in ("Completed", "Paid in full", "Does not meet the policy. Status:Fully Paid", "Quitado")
        ],
        *[(label, 0) for label in ("Chargedoff", "Past Due (1-15 days)", "Written off", "Atrasado", "Überfällig")],
        *[(label, 1) for label in ("Loan originated", "Application approved but not accepted")],
        *[(label, 0) for label in ("Application denied by financial institution", "Request not approved yet")],
        *[(label, 0) for label in ("Not paid", "never paid", "No paid", "Unpaid", "no aprobado", "nicht genehmigt")],
        *[(label, 1) for label in ("Not charged off", "Never late", "Non-default", "no default", "NonDefault")],
        *[(label, None) for label in ("Application withdrawn by applicant", "File closed for incompleteness")],
        *[(label, None) for label in ("In Grace Period", "Cancelled", "FinalPaymentInProgress", "Em aberto", "Offen")],
    ],
)
def test_the_words_of_a_label_say_its_class(label, code):
    labels = sort({"Repaid": 3, "Default": 3, label: 2})
    found = 1 if label in labels.positive else 0 if label in labels.negative else None
    assert found == code
    assert (label in labels.left_out) == (code is None)


@pytest.mark.parametrize("name", ["是否违约", "loan 逾期", "Temerrüt", "zaległość", "дефолт"])
def test_names_of_a_loss_are_known_in_other_scripts(name):
    assert sort({"1": 9, "0": 2}, name).positive == ("0",)

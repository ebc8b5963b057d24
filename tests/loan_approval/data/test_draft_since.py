from datetime import date, timedelta

import numpy as np
import pytest

from loan_approval.data.draft_dates import date_keys
from loan_approval.data.draft_since import count_from_application
from loan_approval.data.wishes import Wishes

ROWS = 40
ASKED = [date(2020, 1, 1) + timedelta(7 * row) for row in range(ROWS)]
BORN = [asked - timedelta(9000 + row * row * 37 % 9000) for row, asked in enumerate(ASKED)]
Y = np.arange(ROWS) % 2


def draft(wishes=None, y=Y, **columns):
    """Return the features by name, and the notes."""
    cells = {name: [each.isoformat() if each else "" for each in days] for name, days in columns.items()}
    features = [
        {"name": name, **date_keys([cell for cell in texts if cell]), "example": texts[0], "reason": {"en": name}}
        for name, texts in cells.items()
    ]
    features.append({"name": "income", "type": "integer", "min": 0, "max": 9, "example": 1, "reason": {"en": "Income"}})
    notes = []
    drafted = count_from_application(features, cells, y, wishes or Wishes(), notes)
    return {feature["name"]: feature for feature in drafted}, notes


def test_a_date_on_one_side_of_the_application_is_counted_from_it_as_a_guess():
    drafted, notes = draft(born=BORN, application_date=ASKED)
    born = drafted["born"]
    assert (born["since"], born["as"], born["max"]) == ("application_date", "days", -8000)
    assert born["min"] <= -18_000
    assert "range" not in born
    assert isinstance(born["example"], int | float)
    assert "--answer since=fixed_day" in born["comment"]
    assert notes == ["born: counted in days from application_date (a guess; if wrong: --answer since=fixed_day)"]


def test_the_date_that_others_are_counted_from_is_watched_unless_its_owner_scores_it():
    assert draft(born=BORN, application_date=ASKED)[0]["application_date"]["use"] == "monitor"
    scored = Wishes(answers={"application_date": "score"})
    assert "use" not in draft(scored, born=BORN, application_date=ASKED)[0]["application_date"]


@pytest.mark.parametrize(
    "name",
    [
        *("data_pedido", "Antragsdatum", "issue_d", "fecha_solicitud", "RequestedOn", "ListedOnUTC", "posted_time"),
        "ListingCreationDate",
    ],
)
def test_the_name_says_which_day_is_the_application_s(name):
    later = [day + timedelta(400 + row) for row, day in enumerate(ASKED)]
    drafted, _ = draft(**{"born": BORN, "closed": later, name: ASKED})
    assert drafted["born"]["since"] == drafted["closed"]["since"] == name
    assert (drafted["closed"]["min"], drafted["closed"]["max"]) == (390, 450)


def test_a_date_after_the_application_is_watched_until_its_owner_says_that_it_was_known():
    later = [day + timedelta(row % 3) for row, day in enumerate(ASKED)]
    drafted, _ = draft(born=BORN, closed=later, application_date=ASKED)
    assert drafted["closed"]["use"] == "monitor"
    assert drafted["closed"]["question"].startswith("It lies on or after application_date in every row: was it known")
    assert not {"use", "question"} & drafted["born"].keys()


def test_without_such_a_name_the_last_date_is_taken():
    assert draft(last=ASKED, first=BORN)[0]["first"]["since"] == "last"
    assert draft(first=BORN, last=ASKED)[0]["first"]["since"] == "last"


@pytest.mark.parametrize(
    "other",
    [
        [day + timedelta((-1) ** row * 30) for row, day in enumerate(ASKED)],  # on both sides
        [day - timedelta(30) for day in ASKED],  # always as long
        [date(1850, 1, 1) + timedelta(row) for row in range(ROWS)],  # no life is so long
        [],
    ],
)
def test_a_date_that_says_nothing_by_its_distance_stays_counted_from_a_fixed_day(other):
    columns = {"other": other} if other else {}
    drafted, notes = draft(application_date=ASKED, **columns)
    assert notes == []
    assert drafted["application_date"]["since"] == "2020-01-01"


def test_a_date_in_a_row_without_the_other_is_not_counted_from_it():
    assert draft(born=BORN, application_date=[None, *ASKED[1:]])[1] == []
    assert draft(born=[None, *BORN[1:]], application_date=[None, *ASKED[1:]])[1] != []


def test_the_owner_s_answer_decides_and_is_no_guess():
    drafted, notes = draft(Wishes(answers={"since": "fixed_day"}), born=BORN, application_date=ASKED)
    assert (drafted["born"]["since"][5:], notes) == ("01-01", [])
    drafted, notes = draft(Wishes(answers={"since": "born"}), born=BORN, application_date=ASKED)
    assert drafted["application_date"]["since"] == "born"
    assert notes == ["application_date: counted in days from born"]


def test_days_that_tell_the_labels_apart_are_asked_about():
    leak = [day + timedelta(30 + 700 * (row % 2) + row) for row, day in enumerate(ASKED)]
    closed = draft(closed=leak, application_date=ASKED)[0]["closed"]
    assert (closed["use"], "tells the labels apart" in closed["question"]) == ("monitor", True)

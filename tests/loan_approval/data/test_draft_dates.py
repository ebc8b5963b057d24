import pytest

from loan_approval.data.dates import find_notations
from loan_approval.data.draft_dates import are_dates, choose_notations, date_keys
from loan_approval.data.wishes import Wishes

DOUBTFUL, DAY_FIRST, MONTH_FIRST = ["02/01/2020", "12/12/2020"], ["30/01/2020"], ["01/30/2020"]


def choose(wishes=None, **columns):
    notes = []
    notations = {name: find_notations(cells) for name, cells in columns.items()}
    return *choose_notations(notations, columns, wishes or Wishes(), notes), notes


def test_doubtful_dates_are_asked_about_and_the_guess_is_marked():
    chosen, question, notes = choose(asked=DOUBTFUL)
    assert chosen == {"asked": "DD/MM/YYYY"}
    assert question.startswith("Is the day written first in asked, so that 02/01/2020 is 2020-01-02?")
    assert "--answer dates=month_first" in question
    assert "(a guess; if wrong: --answer dates=month_first)" in notes[0]


@pytest.mark.parametrize(("answer", "notation"), [("day_first", "DD/MM/YYYY"), ("month_first", "MM/DD/YYYY")])
def test_an_answer_settles_the_order_and_leaves_no_question(answer, notation):
    chosen, question, notes = choose(Wishes(answers={"dates": answer}), asked=DOUBTFUL)
    assert (chosen, question) == ({"asked": notation}, "")
    assert "guess" not in notes[0]


@pytest.mark.parametrize(("other", "notation"), [(DAY_FIRST, "DD/MM/YYYY"), (MONTH_FIRST, "MM/DD/YYYY")])
def test_doubtful_dates_follow_the_order_of_the_file_s_other_dates_with_a_word(other, notation):
    chosen, question, notes = choose(asked=DOUBTFUL, other=other)
    assert (chosen["asked"], question) == (notation, "")
    assert "a guess by the order of the file's other dates" in notes[0]


@pytest.mark.parametrize("others", [{"a": DAY_FIRST, "b": MONTH_FIRST}, {"a": ["02/2020"]}, {"a": ["30-Jan-2020"]}])
def test_other_dates_that_prove_no_order_leave_the_question(others):
    assert choose(asked=DOUBTFUL, **others)[1]


def test_clean_dates_need_no_word():
    assert choose(asked=["2020-01-30", "2020-02-03"]) == ({"asked": "YYYY-MM-DD"}, "", [])
    assert choose(asked=["2020-01-30 10:00", "2020-02-03"])[2]


def test_only_what_the_survey_left_are_dates():
    assert are_dates(["2020-01-30"])
    assert not are_dates(["2020-01-30 10:00"])
    assert not are_dates([])


def test_the_range_of_a_date_has_room_for_next_year_within_what_python_counts():
    assert date_keys(["2020-01-30", "2020-02-03"])["range"] == ["2020-01-01", "2021-12-31"]
    assert date_keys(["0001-01-01", "9999-12-31"])["range"] == ["0001-01-01", "9999-12-31"]

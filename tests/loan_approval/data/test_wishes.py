import pytest

from loan_approval.data.wishes import Wishes
from loan_approval.errors import DataError


def test_an_answer_that_was_given_is_not_asked_for():
    wishes = Wishes(answers={"positive": " YES "}, ask=lambda text, choices: "no")
    assert wishes.answer("positive", "Which?", ("yes", "no")) == "yes"
    assert wishes.answer("meaning", "Which?", ("yes", "no")) == "no"


def test_without_anybody_to_ask_a_question_stays_open():
    assert Wishes().answer("positive", "Which?", ("yes", "no")) is None


def test_an_answer_that_is_no_choice_is_refused():
    with pytest.raises(DataError, match="--answer positive=maybe: expected yes or no"):
        Wishes(answers={"positive": "maybe"}).answer("positive", "Which?", ("yes", "no"))

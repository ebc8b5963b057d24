import pytest

from serve.api.wish import Wish
from serve.errors import RequestError


@pytest.mark.parametrize("nothing", [None, {}, {"details": False}, {"details": False, "reasons": False}])
def test_null_and_nothing_wish_nothing(nothing):
    assert Wish.read(nothing, "parameters") == Wish() == Wish.read_header("", "header")


def test_a_header_says_what_an_object_says():
    assert Wish.read({"details": True, "reasons": False}, "x") == Wish.read_header("details=true,reasons=false", "x")


@pytest.mark.parametrize("wish", [[], "details", {"details": 1}, {"details": None}, {"probability": True}])
def test_what_is_no_wish_is_refused_by_its_place(wish):
    with pytest.raises(RequestError, match=r"^parameters\b"):
        Wish.read(wish, "parameters")

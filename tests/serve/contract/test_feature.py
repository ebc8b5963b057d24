import math

import pytest

from serve.contract.fault import Fault
from serve.contract.feature import Feature

NUMBER = Feature("income", "number", min=-1.5, max=1e6)
DAY = {"name": "asked", "type": "date", "range": ["2015-01-01", "2026-12-31"], "example": "2020-02-29"}


@pytest.mark.parametrize("value", [-1.5, 0, -0.0, 1e6, 10**6, 5e-324])
def test_a_number_is_encoded_as_itself_up_to_its_limits(value):
    assert NUMBER.encode(value) == value


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "missing"),
        (True, "not a number"),
        ("10", "not a number"),
        ([10], "not a number"),
        (math.nan, "not a finite number"),
        (math.inf, "not a finite number"),
        (10**400, "out of range"),
        (-(10**400), "out of range"),
        (math.nextafter(1e6, 2e6), "out of range"),
        (math.nextafter(-1.5, -2), "out of range"),
    ],
)
def test_a_value_outside_the_contract_is_a_fault_of_that_kind(value, kind):
    with pytest.raises(Fault) as caught:
        NUMBER.encode(value)
    assert (caught.value.kind, caught.value.expected) == (kind, NUMBER.expected)


@pytest.mark.parametrize("value", [18, 100, 20.0])
def test_a_whole_float_is_an_integer(value):
    assert Feature("age", "integer", min=18, max=100).encode(value) == value


def test_a_fractional_integer_is_a_fault():
    with pytest.raises(Fault, match="not a whole number"):
        Feature("age", "integer", min=18, max=100).encode(20.5)


def test_a_category_is_encoded_as_its_index_and_decoded_back():
    home = Feature("home", "category", values=("own", "rent"), missing=True)
    assert [home.encode(value) for value in ("own", "rent")] == [0, 1]
    assert math.isnan(home.encode(None))
    assert [home.decode(number) for number in (0.0, 1.0, math.nan)] == ["own", "rent", None]


@pytest.mark.parametrize(("value", "kind"), [("Own", "unknown category"), (0, "not text"), (None, "missing")])
def test_a_category_takes_its_names_only(value, kind):
    with pytest.raises(Fault, match=kind):
        Feature("home", "category", values=("own", "rent")).encode(value)


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        (Feature("a", "integer", min=300, max=850), "a whole number from 300 to 850"),
        (Feature("a", "number", min=0, max=5_000_000, missing=True), "a number from 0 to 5000000 or null"),
        (Feature("a", "number", min=0.25, max=1234567.5), "a number from 0.25 to 1234567.5"),
        (Feature("a", "category", values=("own", "rent")), "one of own, rent"),
    ],
)
def test_the_expected_text_gives_the_limits_exactly(feature, expected):
    assert feature.expected == expected


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        *[("", None), ("  ", None), ("10", 10.0), (" 10.5 ", 10.5), ("-1e3", -1000.0), (".5", 0.5), ("+5.", 5.0)],
        *[(text, text) for text in ("abc", "true", "nan", "inf", "1_000", "0x10", "1,5", "٤٥", "1 0", "--1", "e5")],
    ],
)
def test_a_csv_cell_is_a_number_when_it_is_a_plain_decimal_and_missing_when_empty(cell, value):
    assert NUMBER.parse(cell) == value


def test_a_category_cell_stays_text():
    assert Feature("a", "category", values=("1", "2")).parse(" 1 ") == "1"


@pytest.mark.parametrize(
    ("reason", "language", "words"),
    [
        ({"en": "Home", "pt": "Casa"}, "pt", "Casa"),
        ({"en": "Home"}, "pt", "Home"),
        ({"pt": "Casa"}, "en", "home_type"),
        ({}, "pt", "home_type"),
    ],
)
def test_a_title_is_in_the_language_or_english_or_the_name(reason, language, words):
    assert Feature("home_type", "category", reason=reason).title(language) == words


@pytest.mark.parametrize(
    ("name", "reason", "code"),
    [
        ("Credit_Score", {}, "CREDIT_SCORE"),
        ("debt-to income", {}, "DEBT_TO_INCOME"),
        ("ação", {"en": "Share"}, "AÇÃO"),
        ("Credit_Score", {"code": "R12"}, "R12"),
    ],
)
def test_a_code_is_declared_or_made_from_the_name(name, reason, code):
    assert Feature(name, "number", reason=reason).code == code


def test_null_in_a_document_means_not_declared():
    nulls = dict.fromkeys(("values", "unit", "missing", "reason"))
    assert Feature.from_dict({"name": "age", "type": "integer"} | nulls) == Feature("age", "integer")


WORDS = {"en": {"rent": "rented"}, "pt": {"own": "próprio", "m": "meses"}}
HOME = Feature("home", "category", values=("own", "rent"), unit="m", reason={"en": "Home"}, words=WORDS)


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        ("own", "pt", "próprio"),
        ("own", "en", "own"),
        ("rent", "pt", "rented"),
        ("rent", "en", "rented"),
        ("x", "pt", "x"),
    ],
)
def test_a_value_has_its_words_in_the_language_else_in_english_else_itself(text, language, words):
    assert HOME.say(text, language) == words


@pytest.mark.parametrize(("language", "words"), [("en", "Home (m)"), ("pt", "Home (meses)")])
def test_a_title_with_unit_has_both_in_the_language(language, words):
    assert HOME.title_with_unit(language) == words
    assert Feature("home", "category", values=("own",)).title_with_unit(language) == "home"


FLAG = Feature("owns", "category", values=("False", "True"), example="True")
GRADE = Feature("grade", "category", values=("1", "2", "02"), example="1")
ZIP = Feature("zip", "category", values=("02139", "(other)"), other="(other)", missing=True, example="02139")


@pytest.mark.parametrize(
    ("feature", "value", "encoded"),
    [
        *[(FLAG, value, code) for value, code in ((True, 1), (False, 0), ("True", 1))],
        *[(GRADE, value, code) for value, code in ((1, 0), (2, 1), (2.0, 1), ("02", 2))],
        *[(ZIP, value, code) for value, code in (("02139", 0), ("99999", 1), ("(other)", 1))],
    ],
)
def test_a_category_takes_the_types_of_json_that_its_names_are_written_in(feature, value, encoded):
    assert feature.encode(value) == encoded


@pytest.mark.parametrize(
    ("feature", "value", "kind"),
    [
        *[(FLAG, value, "not text") for value in (1, 0, 1.0, [True])],
        *[(GRADE, value, "not text") for value in (3, 1.5, True, float("nan"), 10**400)],
        (FLAG, "true", "unknown category"),
        *[
            (ZIP, value, kind)
            for value, kind in ((2139, "not text"), (" ", "unknown category"), ("", "unknown category"))
        ],
    ],
)
def test_a_category_takes_nothing_else(feature, value, kind):
    with pytest.raises(Fault, match=kind):
        feature.encode(value)


@pytest.mark.parametrize(
    ("part", "number", "again"),
    [("days", 1885, "2020-02-29"), ("year", 2020, 2020), ("month", 2, 2), ("weekday", 6, 6)],
)
def test_a_date_is_encoded_as_its_contract_says_and_decoded_to_what_encodes_alike(part, number, again):
    feature = Feature.from_dict({**DAY, "as": part})
    assert feature.encode("2020-02-29") == number
    assert feature.decode(number) == again
    assert feature.encode(again) == number
    assert feature.min <= number <= feature.max


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        *(("2021-02-29", "not a date"), ("29/02/2020", "not a date"), (737484, "not a date"), (True, "not a date")),
        *(("2014-12-31", "out of range"), ("2027-01-01", "out of range"), (None, "missing")),
    ],
)
def test_a_date_that_breaks_the_contract_is_refused_with_the_expected_form_and_without_the_value(value, kind):
    with pytest.raises(Fault) as caught:
        Feature.from_dict(DAY).encode(value)
    assert str(caught.value) == f"{kind}, expected a date written YYYY-MM-DD from 2015-01-01 to 2026-12-31"


@pytest.mark.parametrize(("value", "kind"), [(0, "out of range"), (13, "out of range"), (1.5, "not a whole number")])
def test_a_number_that_is_no_part_of_a_date_is_refused(value, kind):
    with pytest.raises(Fault, match=f"{kind}, expected a date .*, or its month as a whole number from 1 to 12"):
        Feature.from_dict({**DAY, "as": "month"}).encode(value)


def test_the_days_are_counted_from_the_declared_date_so_that_a_wider_range_leaves_them():
    narrow = Feature.from_dict({**DAY, "since": "2015-01-01"})
    wide = Feature.from_dict({**DAY, "since": "2015-01-01", "range": ["1990-01-01", "2050-12-31"]})
    assert narrow.encode("2020-02-29") == wide.encode("2020-02-29")
    assert wide.encode("1990-01-01") == wide.min < 0


def test_a_mean_is_shown_as_the_nearest_date_and_none_as_nan():
    feature = Feature.from_dict(DAY)
    assert (feature.show(1884.6), feature.show(math.nan)) == ("2020-02-29", "nan")
    assert Feature.from_dict({**DAY, "as": "month"}).show(2.25) == "2.25"


@pytest.mark.parametrize("part", ["days", "year", "month", "weekday"])
def test_a_date_s_table_is_read_as_it_was_written(part):
    feature = Feature.from_dict({**DAY, "as": part})
    assert Feature.from_dict(feature.to_dict()) == feature


@pytest.mark.parametrize(
    ("low", "high", "text"), [(1990, 2030, "2021"), (1000, 9999, "2021"), (0, 9999, "2,021"), (1990, 20000, "2,021")]
)
def test_a_whole_number_that_has_always_four_digits_is_read_as_a_year(low, high, text):
    assert Feature("issued", "integer", min=low, max=high).show(2021.0) == text


def test_the_mean_of_years_is_read_as_a_year_and_an_amount_is_not():
    assert Feature("issued", "integer", min=1990, max=2030).show(2018.4) == "2018"
    assert Feature("amount", "number", min=1000, max=9999).show(2021.0) == "2,021"
    assert Feature("amount", "integer", min=1000, max=9999, unit="EUR").show(2021.0) == "2,021"


def test_a_number_is_shown_as_what_the_unit_says_it_means():
    flag = Feature("late", "integer", min=0, max=1, unit="0 = no, 1 = yes", reason={"en": "Paid late"})
    assert [flag.show(value) for value in (0.0, 1, 0.25)] == ["no", "yes", "0.25"]
    assert flag.title_with_unit("en") == "Paid late"


@pytest.mark.parametrize(
    ("high", "unit"),
    [(2, "0 = no, 1 = yes"), (59, "0 = none, 1 = one"), (2, "0 = no, 1 = no, 2 = yes")],
    ids=["one has none", "few have one", "two have the same"],
)
def test_meanings_that_do_not_tell_every_number_from_the_others_stay_in_the_unit(high, unit):
    late = Feature("late", "integer", min=0, max=high, unit=unit, reason={"en": "Paid late"})
    assert (late.show(1), late.title_with_unit("en")) == ("1", f"Paid late ({unit})")


def test_a_name_is_shown_in_the_contracts_words():
    home = Feature("home", "category", values=("own", "for_free"), words={"en": {"for_free": "free of charge"}})
    assert [home.show(value) for value in ("own", "for_free", 1.0)] == ["own", "free of charge", "free of charge"]


def test_a_code_that_pandas_wrote_with_a_point_is_the_code_unless_a_value_is_written_so():
    codes = Feature("naics", "category", values=("7225110", "102", "1.0", "1", "(other)"), other="(other)")
    assert [codes.encode(value) for value in ("7225110.0", 7225110.0, "102.00", 102)] == [0, 0, 1, 1]
    assert [codes.encode(value) for value in ("1.0", "1", 1)] == [2, 3, 3]
    assert [codes.encode(value) for value in ("102.5", "v102.0", "0102.0")] == [4, 4, 4]

import pytest

from loan_approval.data.draft_codes import describe_codes, find_mixed_signs, find_units


def describe(name, cells=("101", "102", "103") * 2, low=0, kind="integer"):
    return describe_codes([{"name": name, "type": kind, "min": low, "max": 999}], {name: list(cells)})


@pytest.mark.parametrize(
    "name",
    [
        *("NAICS", "branch_code", "PIN Code", "zip3", "Zip", "purpose_id", "UseOfLoan", "ListingCategory (numeric)"),
        *("Filiale", "Agência", "tipo_produto", "Code NAF", "HomeOwnershipType", "BankState", "msamd", "product"),
    ],
)
def test_a_column_of_numbers_with_a_name_of_codes_is_told_with_the_option_that_makes_categories(name):
    (words,) = describe(name)
    assert words.startswith(f"{name}: numbers, taken as amounts (a guess)")
    assert words.endswith(("--category " + name, f"--category '{name}'"))


@pytest.mark.parametrize(
    "name",
    [
        *("time_with_bank", "population", "income", "Age", "loan_amount", "product_price", "months_in_job", "Renda"),
        *("state_unemployment_rate", "number_of_products", "score_class", "num_branches", "Kreditbetrag", "duration"),
        *("EmploymentStatusDuration", "job_tenure"),
    ],
)
def test_a_name_of_an_amount_is_not_questioned(name):
    assert describe(name) == []


def test_numbers_that_could_be_no_categories_are_not_questioned():
    assert describe("branch_code", ["1", "2"] * 3) == []
    assert describe("branch_code", map(str, range(6))) == []
    assert describe("branch_code", low=-5) == []
    assert describe("branch_code", kind="category") == []


def test_columns_stand_in_one_remark():
    features = [{"name": name, "type": "integer", "min": 0} for name in ("sic", "branch")]
    (words,) = describe_codes(features, dict.fromkeys(("sic", "branch"), ("1", "2", "3", "", "1", "2")))
    assert words.endswith("--replace --category sic --category branch")


def test_units_stand_behind_the_numbers_of_all_cells():
    assert find_units({"1.2k", "3M"}) == ["M", "k"]
    assert find_units({"12 mois", "1 000 mois"}) == ["mois"]
    assert find_units({"1.2k", "500"}) == ["k"]
    assert find_units({"1yrs 11mon", "0yrs 3mon"}) == ["mon", "yrs"]
    assert find_units({"1a", "2b", "3c", "4d", "5e"}) == find_units({"12 mois", "?"}) == find_units({"12"}) == []


@pytest.mark.parametrize(
    ("cells", "signs"),
    [
        ({"5%", "0.07"}, ["with %", "without a sign"]),
        ({"$5", "€5"}, ["with €", "with $"]),
        ({"5 EUR", "1.000 CHF", "7"}, ["with EUR", "with CHF", "without a sign"]),
        ({"5%", "0", "0.0"}, []),
        ({"$1,000", "(5)", "-$3", "1e5", "0"}, []),
        ({"R$ 1.234,56", "R$1,5"}, []),
        ({"Rs. 500/-", "Rs 7"}, []),
    ],
)
def test_several_currencies_and_some_percent_signs_are_mixed_scales(cells, signs):
    assert find_mixed_signs(cells) == signs

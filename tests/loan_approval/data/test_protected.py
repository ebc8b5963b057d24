import pytest

from loan_approval.data.protected import are_codes, protected_attribute

NAMES = {
    "age": "Age|AGE|person_age|DAYS_BIRTH|AgeGroup|YOB|Alter|Geburtsdatum|Edad|Idade|data_nascimento|faixa etária",
    "sex": "sex|SEX2|CODE_GENDER|Gênero|genero|Geschlecht|female|personal_status_sex",
    "race": "Raça|raca|cor|derived_race|applicant_ethnicity|hispan|Etnia|black",
    "religion": "religion|Konfession|religião",
    "origin": "Country|native-country|Foreign worker|foreignworker|ForeignWorker|Staatsangehörigkeit|Nationalität|País"
    "|nacionalidade|nationality|citizenship|gastarb",
    "family": "Personal status|PersonalStatus|Estado Civil|estado_civil|estadocivil|Married|MARRIAGE|Familienstand"
    "|Kids|num_kids|NumberOfDependents|dependentes|CNT_CHILDREN|NAME_FAMILY_STATUS|dep|hijos|filhos|relationship"
    "|Number of people being liable to provide maintenance for",
    "disability": "disability|deficiência|Schwerbehinderung",
    "neighbourhood": "zip|ZIP_CODE|zipcode|zip-code|CEP|PLZ|Postleitzahl|Código Postal|bairro|postcode|neighborhood",
}


@pytest.mark.parametrize(
    ("attribute", "name"), [(key, name) for key, names in NAMES.items() for name in names.split("|")]
)
def test_a_name_that_tells_a_protected_attribute_is_found_in_any_spelling(attribute, name):
    assert protected_attribute(name)
    if name != "personal_status_sex":
        assert protected_attribute(name) == attribute


OTHERS = (
    "mileage|Loan_Amount|stage|Essex_Branch|percentage|package|income|savings|manager|capital-gain|installment"
    "|Self_Employed|Credit_History|housing|existing_credits|personal_loan|postponed|Telephone|kind_of_loan|Risk"
)


@pytest.mark.parametrize("name", OTHERS.split("|"))
def test_a_name_that_only_contains_a_protected_word_is_not_taken_for_it(name):
    assert protected_attribute(name) == ""


@pytest.mark.parametrize(
    "name", ["NAICS", "county_code", "Zip", "branch", "BranchNo", "product_id", "codigo_agencia", "PLZ"]
)
def test_whole_numbers_whose_name_says_so_are_codes(name):
    assert are_codes(name, {"101", "205", "7.0"}, 60)


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        *[
            (name, {"1", "2", "3"})
            for name in ("branch_count", "num_of_product", "state_income", "income", "no", "term")
        ],
        ("type", {"0", "1"}),
        ("type", {"1", "2", "3.5"}),
        ("code", {"-1", "2", "3"}),
        ("x", {"10000", "12500", "15000"}),
        ("x", {"6037", "17031", "48201"}),
        ("x", {f"{number}" for number in range(10001, 10051)}),
    ],
)
def test_amounts_counts_and_flags_are_no_codes(name, cells):
    assert not are_codes(name, cells, 100)


def test_few_equally_long_numbers_that_are_not_round_are_codes_whatever_their_name():
    assert are_codes("x", {"16037", "17031", "48201"}, 60)

import pytest

from loan_approval.data.protected import protected_attribute

NAMES = {
    "age": "Wiek|Yaş|年龄|客户年龄|العمر|Возраст|Leeftijd"
    "|Age|AGE|person_age|DAYS_BIRTH|AgeGroup|YOB|Alter|Geburtsdatum|Edad|Idade|data_nascimento|faixa etária",
    "sex": "Płeć|Cinsiyet|性别|الجنس|Пол|sex|SEX2|CODE_GENDER|Gênero|genero|Geschlecht|female|personal_status_sex",
    "race": "Raça|raca|cor|derived_race|applicant_ethnicity|hispan|Etnia|black",
    "religion": "religion|Konfession|religião",
    "origin": "Country|native-country|Foreign worker|foreignworker|ForeignWorker|Staatsangehörigkeit|Nationalität|País"
    "|nacionalidade|nationality|citizenship|gastarb",
    "family": "Stan cywilny|Medeni Durum|婚姻状况|Дети"
    "|Personal status|PersonalStatus|Estado Civil|estado_civil|estadocivil|Married|MARRIAGE|Familienstand"
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
    "|Self_Employed|Credit_History|housing|existing_credits|personal_loan|детали|дата|年收入|Dochód|Gelir|Polisa|postponed|Telephone|kind_of_loan|Risk"
)


@pytest.mark.parametrize("name", OTHERS.split("|"))
def test_a_name_that_only_contains_a_protected_word_is_not_taken_for_it(name):
    assert protected_attribute(name) == ""

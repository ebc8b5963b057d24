"""Reports call a feature by the contract's words."""

from types import SimpleNamespace

from loan_approval.data.wording import feature_names, feature_titles
from serve.contract.feature import Feature


def test_a_feature_without_words_keeps_its_name() -> None:
    assert feature_names(SimpleNamespace(features=[Feature("apr", "number")])) == {"apr": "apr"}


def test_features_with_the_same_words_are_told_apart_by_their_names() -> None:
    features = [Feature(name, "number", reason={"en": "Pay"}) for name in ("PAY_1", "PAY_2")]
    assert list(feature_names(SimpleNamespace(features=features)).values()) == ["Pay (PAY_1)", "Pay (PAY_2)"]


def test_a_title_in_a_sentence_has_no_unit() -> None:
    contract = SimpleNamespace(features=[Feature("inc", "number", unit="euros", reason={"en": "Income"})])
    assert (feature_names(contract), feature_titles(contract)) == ({"inc": "Income (euros)"}, {"inc": "Income"})

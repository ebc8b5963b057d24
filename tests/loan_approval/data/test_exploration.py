import re
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from loan_approval.data.exploration import (
    describe_columns,
    findings,
    leakage_hints,
    target_association,
    write_comparison,
    write_sweetviz,
)


@pytest.fixture
def leaking(loans):
    """The loans with the number of accounts replaced by the decision."""
    return replace(loans, frame=loans.frame.assign(Number_of_Open_Accounts=loans.y.astype(float)))


def test_each_feature_has_its_claim_beside_what_the_data_hold(homes):
    table = describe_columns(homes).set_index("feature")
    assert list(table.index) == ["home", "amount", "region", "children"]
    assert table.loc["home", ["allowed", "in the data"]].tolist() == ["own, rent, other", "other, own, rent"]
    assert table.loc["children", ["allowed", "in the data"]].tolist() == ["0 to 9", "0 to 3"]
    assert table.loc["region", "use"] == "monitor"
    assert table.loc["home", "missing %"] == pytest.approx(100 * homes.frame["home"].isna().mean(), abs=0.01)


def test_a_column_without_any_value_is_described(homes):
    empty = replace(homes, frame=homes.frame.assign(children=np.nan, home=None))
    table = describe_columns(empty).set_index("feature")
    assert table.loc[["children", "home"], "in the data"].tolist() == ["", ""]
    assert table.loc[["children", "home"], "missing %"].tolist() == [100, 100]


def test_the_strongest_feature_comes_first(loans):
    table = target_association(loans)
    assert table["auc"].is_monotonic_decreasing
    assert table["feature"][0] == "Credit_Score"
    assert table["auc"].between(0.5, 1).all()


def test_a_feature_that_lowers_the_score_is_as_strong_as_one_that_raises_it(homes):
    table = target_association(homes).set_index("feature")
    assert table.loc["amount", "spearman"] < 0
    assert table.loc["amount", "auc"] > 0.5


def test_a_category_is_ranked_by_its_approval_rate(homes):
    assert target_association(homes).set_index("feature").loc["home", "auc"] > 0.6


def test_the_test_rows_labels_stay_unseen(loans):
    shuffled = np.where(loans.splits == "test", 1 - loans.y, loans.y)
    changed = replace(loans, y=shuffled, frame=loans.frame.assign(Loan_Approval=shuffled))
    assert target_association(changed).equals(target_association(loans))
    assert findings(changed) == findings(loans)


def test_sweetviz_pages_show_no_label_of_a_test_row(homes, tmp_path, monkeypatch):
    analysed, compared = [], []
    sweetviz = SimpleNamespace(
        FeatureConfig=lambda **_: None,
        analyze=lambda source, *_, **__: analysed.append(source[0]),
        compare=lambda *sources, **__: compared.extend(source[0] for source in sources[:2]),
    )
    monkeypatch.setitem(sys.modules, "sweetviz", sweetviz)
    monkeypatch.setattr("loan_approval.data.exploration._write_page", lambda page, path: path)
    write_sweetviz(homes, tmp_path)
    assert [len(frame) for frame in analysed] == [np.sum(homes.splits != "test")]
    assert ["granted" in frame for frame in compared] == [False, False]


def test_a_column_that_tells_the_decision_is_flagged(leaking):
    assert leakage_hints(leaking) == [
        "Number_of_Open_Accounts alone ranks with AUC 1.000: is it known when an application comes in?"
    ]


def test_the_findings_say_size_gaps_strength_and_leaks(loans):
    size, gaps, strong, leaks = findings(loans)
    assert re.fullmatch(
        r"1,500 applications, \d\d\.\d% of train and calibrate Approved; \d+ train, \d+ calibrate, \d+ test rows\.",
        size,
    )
    assert gaps.startswith("Missing: Number_of_Open_Accounts ")
    assert "Age " in gaps
    assert "Credit_Score" in strong
    assert leaks == "No sign of leakage."


def test_a_leak_is_among_the_findings(leaking):
    assert any("is it known when an application comes in?" in finding for finding in findings(leaking))


def test_nothing_missing_and_nothing_strong_is_said_too(noise):
    whole = replace(noise, frame=noise.frame.fillna(1.0))
    _, gaps, strong, _ = findings(whole)
    assert gaps == "Nothing is missing."
    assert strong.endswith("none.")


@pytest.fixture(scope="module")
def pages(homes, tmp_path_factory):
    return write_sweetviz(homes, tmp_path_factory.mktemp("reports") / "homes")


def test_two_sweetviz_pages_are_written_and_nothing_else(pages):
    assert [page.name for page in pages] == ["sweetviz_target.html", "sweetviz_train_test.html"]
    assert sorted(pages[0].parent.iterdir()) == sorted(pages)


@pytest.mark.parametrize("number", [0, 1])
def test_a_sweetviz_page_needs_no_other_file(pages, number):
    text = pages[number].read_text(encoding="utf-8")
    loaded = re.findall(
        r"""(?:<(?:script|img|iframe|source)[^>]*\ssrc|<link[^>]*\shref|url\()\s*=?\s*["']?([^"')>\s]+)""", text
    )
    assert "amount" in text
    assert [address[:60] for address in loaded if not address.startswith(("data:", "#"))] == []


def test_a_column_of_zeros_and_a_target_of_one_class_are_compared_too(homes, tmp_path):
    now = homes.frame.head(50).assign(amount=0.0, granted=1.0)
    page = write_comparison((homes.frame, "reference"), (now, "new"), tmp_path / "page.html", "granted")
    assert "amount" in page.read_text(encoding="utf-8")

"""New data against a reference: what breaks the check, what is a warning, what is nothing."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loan_approval.data_check.check import Limits, check, judge
from loan_approval.data_check.table import read_table
from loan_approval.drift.drift import Finding
from serve.contract.contract import Contract

LIMITS = Limits()
Change = Callable[[pd.DataFrame], pd.DataFrame]


def draw(rows: int, seed: int) -> pd.DataFrame:
    """Return applications of the contract `homes` as the texts of a CSV."""
    rng = np.random.default_rng(seed)
    home = rng.choice(["own", "rent", "other", ""], rows, p=[0.5, 0.35, 0.1, 0.05])
    amount = rng.uniform(0, 100, rows).round(2)
    granted = rng.random(rows) < np.where(home == "own", 0.9, 0.5) - 0.004 * amount
    frame = pd.DataFrame({"home": home, "amount": amount.astype(str), "region": rng.choice(["north", "south"], rows)})
    return frame.assign(children=rng.choice(["", "0", "1", "2", "3"], rows), granted=np.where(granted, "yes", "no"))


REFERENCE = draw(1500, seed=1)


def put(column: str, value: str, rows: slice = slice(3, 4)) -> Change:
    """Return a change that puts a value into rows of a column."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[frame.index[rows], column] = value
        return frame

    return change


def scale_amounts(factor: float) -> Change:
    return lambda frame: frame.assign(amount=(frame["amount"].astype(float) * factor).round(2).astype(str))


def bend_amounts(frame: pd.DataFrame) -> pd.DataFrame:
    """Raise the middling amounts, and keep the ends where they are."""
    return frame.assign(amount=(100 * (frame["amount"].astype(float) / 100) ** 0.8).round(2).astype(str))


CONTRACT_BROKEN = {
    "a column is missing": (lambda frame: frame.drop(columns="amount"), "amount"),
    "a monitored column is missing": (lambda frame: frame.drop(columns="region"), "region"),
    "the target is gone": (lambda frame: frame.drop(columns="granted"), "granted"),
    "a column too many": (lambda frame: frame.assign(shoe_size="40"), "shoe_size"),
    "a column stands twice": (lambda frame: pd.concat([frame, frame[["amount"]]], axis="columns"), "amount"),
    "a header has spaces": (lambda frame: frame.rename(columns={"amount": " amount"}), "amount"),
    "a text for a number": (put("amount", "much"), "amount"),
    "a fraction for a whole number": (put("children", "1.5"), "children"),
    "a value out of range": (put("amount", "100.01"), "amount"),
    "an unknown category": (put("home", "castle"), "home"),
    "nothing where something must be": (put("amount", ""), "amount"),
    "neither label": (put("granted", "perhaps"), "granted"),
    "no label": (put("granted", ""), "granted"),
}
BREAKING = {
    "values get missing": (put("children", "", slice(0, 500)), "missing", "children"),
    "a feature has no value any more": (put("children", "", slice(None)), "constant", "children"),
    "a feature has one value in all rows": (put("amount", "5", slice(None)), "constant", "amount"),
    "a monitored feature has no value any more": (put("region", "north", slice(None)), "constant", "region"),
    "a category is gone": (lambda frame: frame[frame["home"] != "other"], "category gone", "home"),
    "a feature drifts far": (scale_amounts(0.3), "distribution", "amount"),
    "the labels are swapped": (
        lambda frame: frame.assign(granted=frame["granted"].map({"yes": "no", "no": "yes"})),
        "relation",
        "granted",
    ),
    "the target has one class": (lambda frame: frame[frame["granted"] == "yes"], "target", "granted"),
    "too few rows": (lambda frame: frame.head(199), "rows", "rows"),
    "no rows": (lambda frame: frame.head(0), "rows", "rows"),
}
HARMLESS = {
    "the same rows": lambda frame: frame,
    "columns in another order": lambda frame: frame[frame.columns[::-1]],
    "rows in another order": lambda frame: frame.sample(frac=1, random_state=2),
    "spaces around the cells": lambda frame: frame.map(lambda cell: f" {cell}  "),
    "numbers written otherwise": lambda frame: frame.assign(amount=frame["amount"].astype(float).map("{:.3e}".format)),
    "other rows of the same kind": lambda _: draw(1500, seed=2),
    "more rows": lambda _: draw(6000, seed=3),
    "somewhat fewer rows": lambda _: draw(800, seed=4),
    "small noise": scale_amounts(0.99),
}
WARNINGS = {
    "a feature drifts a little": (bend_amounts, "distribution", "amount"),
    "half of the rows": (lambda frame: frame.head(700), "rows", "rows"),
    "more are approved": (put("granted", "yes", slice(0, 200)), "target", "granted"),
    "rows stand twice": (lambda frame: pd.concat([frame, frame.head(100)]), "duplicates", "rows"),
}


@pytest.fixture
def found(tmp_path: Path, homes_contract: Contract) -> Callable[[Change, Limits], list[Finding]]:
    """Return a function that checks the changed reference against it."""
    REFERENCE.to_csv(tmp_path / "reference.csv", index=False)

    def find(change: Change, limits: Limits = LIMITS) -> list[Finding]:
        change(REFERENCE.copy()).to_csv(tmp_path / "new.csv", index=False)
        tables = [read_table(tmp_path / name, homes_contract) for name in ("new.csv", "reference.csv")]
        return check(*tables, homes_contract, limits)

    return find


def above_ok(findings: list[Finding], level: str) -> set[tuple[str, str]]:
    return {(finding.kind, finding.subject) for finding in findings if finding.level == level}


@pytest.mark.parametrize(("change", "column"), CONTRACT_BROKEN.values(), ids=CONTRACT_BROKEN)
def test_what_breaks_the_contract_breaks_the_check(found, change, column):
    findings = found(change)
    assert judge(findings) == "breaking"
    assert ("contract", column) in above_ok(findings, "severe")
    assert findings[0].level == "severe"


@pytest.mark.parametrize(("change", "kind", "subject"), BREAKING.values(), ids=BREAKING)
def test_what_a_model_can_not_live_with_breaks_the_check(found, change, kind, subject):
    findings = found(change)
    assert judge(findings) == "breaking"
    assert (kind, subject) in above_ok(findings, "severe")


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_what_changes_nothing_is_sound(found, change):
    findings = found(change)
    assert [finding for finding in findings if finding.level != "ok"] == []
    assert judge(findings) == "sound"


@pytest.mark.parametrize(("change", "kind", "subject"), WARNINGS.values(), ids=WARNINGS)
def test_what_asks_for_a_look_is_a_warning(found, change, kind, subject):
    findings = found(change)
    assert above_ok(findings, "warning") == {(kind, subject)}
    assert judge(findings) == "sound with warnings"


def test_what_is_broken_is_named_by_row_kind_and_expectation_and_never_by_value(found):
    put_amounts, put_home = put("amount", "7654321", slice(1, 13)), put("home", "castle", slice(20, 21))
    findings = [finding for finding in found(lambda frame: put_home(put_amounts(frame))) if finding.kind == "contract"]
    assert [finding.words for finding in findings] == [
        "unknown category, expected one of own, rent, other or null: row 22",
        "out of range, expected a number from 0 to 100: rows 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 2 more",
    ]
    assert [finding.numbers["rows"] for finding in findings] == [1, 12]


def test_one_bad_cell_hides_no_jump_in_missing_values_of_its_column(found):
    jump = put("children", "", slice(0, 500))
    findings = found(lambda frame: put("children", "many", slice(600, 601))(jump(frame)))
    assert {("contract", "children"), ("missing", "children")} <= above_ok(findings, "severe")


def test_bad_cells_are_named_and_the_other_rows_are_like_the_reference(found):
    findings = found(put("home", "castle", slice(0, 20)))
    assert above_ok(findings, "severe") == {("contract", "home")}
    assert above_ok(findings, "warning") == set()
    (rows,) = [finding for finding in findings if finding.kind == "rows"]
    assert rows.numbers == {"before": 1500, "now": 1480}


def test_a_column_broken_in_most_rows_is_compared_no_further_and_the_others_are(found):
    findings = found(lambda frame: put("home", "castle", slice(0, 800))(scale_amounts(0.3)(frame)))
    assert {finding.kind for finding in findings if finding.subject == "home"} == {"contract"}
    assert ("distribution", "amount") in above_ok(findings, "severe")


def test_a_rare_category_that_is_gone_is_a_warning(tmp_path, homes_contract):
    usual = REFERENCE.assign(home=REFERENCE["home"].replace("other", "own"))
    put("home", "other", slice(0, 12))(usual.copy()).to_csv(tmp_path / "old.csv", index=False)
    usual.to_csv(tmp_path / "new.csv", index=False)
    new, old = (read_table(tmp_path / name, homes_contract) for name in ("new.csv", "old.csv"))
    assert ("category gone", "home") in above_ok(check(new, old, homes_contract, LIMITS), "warning")


def test_a_category_gone_is_severe_by_its_share_in_the_reference(found):
    without = lambda frame: frame[frame["home"] != "other"]  # noqa: E731
    assert ("category gone", "home") in above_ok(found(without, Limits(category_share=0.05)), "severe")
    assert ("category gone", "home") in above_ok(found(without, Limits(category_share=0.5)), "warning")


def test_a_change_that_chance_explains_is_no_warning(found):
    few = lambda frame: frame.sample(250, random_state=5)  # noqa: E731
    approved = lambda frame: put("granted", "yes", slice(0, 15))(few(frame))  # noqa: E731
    assert ("target", "granted") not in above_ok(found(approved), "warning")


def test_a_column_the_reference_can_not_tell_of_is_a_warning(tmp_path, homes_contract):
    REFERENCE.drop(columns="amount").to_csv(tmp_path / "old.csv", index=False)
    REFERENCE.to_csv(tmp_path / "new.csv", index=False)
    new, old = (read_table(tmp_path / name, homes_contract) for name in ("new.csv", "old.csv"))
    assert above_ok(check(new, old, homes_contract, LIMITS), "warning") == {("reference", "amount")}

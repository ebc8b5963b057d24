from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from loan_approval.drift.drift import compare, verdict
from serve.contract.contract import Contract
from tests.model_files import MIXED

NUMBERS = [
    {"name": name, "type": "number", "min": -10, "max": 10, "missing": True, "example": 1} for name in ("pay", "debt")
]
FLAG = {"name": "flag", "type": "integer", "min": 0, "max": 1, "missing": True, "example": 1}
CONTRACT = Contract.from_dict(MIXED | {"feature": [*MIXED["feature"], *NUMBERS, FLAG]})


def make_table(rows: int, seed: int) -> pd.DataFrame:
    """Return applications: debt follows pay, pay follows home, the flag is rare, `repaid` follows debt."""
    rng = np.random.default_rng(seed)
    home = rng.choice(np.array(["own", "rent"], dtype=object), rows)
    pay = rng.normal(0, 1, rows) + (home == "own")
    debt = 0.7 * pay + rng.normal(0, 1, rows)
    frame = {"amount": rng.uniform(0, 100, rows), "home": home, "pay": pay, "debt": debt.clip(-10, 10)}
    frame |= {"flag": (rng.random(rows) < 0.01).astype(float), "repaid": (debt < rng.normal(0, 1, rows)).astype(float)}
    return pd.DataFrame(frame).mask(rng.random((rows, 6)) < [0.05, 0.05, 0.05, 0.05, 0.05, 0])


REFERENCE = make_table(5000, 1)


def drifted(current: pd.DataFrame, target: str = "") -> dict[str, str]:
    """Return the level of each column whose relations drifted; nothing else may have."""
    found = [f for f in compare(REFERENCE, current, CONTRACT, target=target) if f.level != "ok"]
    assert {f.kind for f in found} <= {"relation"}, [f.words for f in found]
    return {f.subject: f.level for f in found}


def misalign(column: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return a change that gives each row the cell of the row before."""
    return lambda table: table.assign(**{column: np.roll(table[column].to_numpy(), 1)})


@pytest.mark.parametrize("column", ["debt", "home", "pay"])
def test_cells_of_another_row_are_a_severe_finding_though_no_column_changes(column: str) -> None:
    found = drifted(misalign(column)(make_table(1000, 2)))
    assert found[column] == "severe"
    assert set(found) <= {"debt", "home", "pay"}


def test_a_finding_names_the_pair_that_changed_most() -> None:
    findings = compare(REFERENCE, misalign("debt")(make_table(1000, 2)), CONTRACT)
    (found,) = [f for f in findings if (f.kind, f.subject) == ("relation", "debt")]
    assert found.words.startswith("rank correlation of debt and pay from 0.59 to ")
    assert found.numbers["with"] == "pay"
    assert abs(found.numbers["now"]) < 0.1


def test_swapped_labels_are_severe_though_as_many_are_positive() -> None:
    current = make_table(1000, 2)
    assert drifted(current, "repaid") == {}
    assert drifted(current.assign(repaid=1 - current["repaid"]), "repaid")["repaid"] == "severe"


@pytest.mark.parametrize("rows", [100, 1000, 5000])
def test_what_is_related_as_before_is_stable(rows: int) -> None:
    verdicts = [verdict(compare(REFERENCE, make_table(rows, 100 + seed), CONTRACT)) for seed in range(30)]
    assert verdicts.count("stable") >= 29, verdicts


def test_a_column_in_another_unit_is_related_as_before() -> None:
    current = make_table(1000, 2)
    found = compare(REFERENCE, current.assign(pay=current["pay"] / 1000), CONTRACT)
    assert not [f for f in found if f.kind == "relation" and f.level != "ok"]


def test_columns_too_uneven_or_too_unknown_are_not_compared() -> None:
    current = make_table(300, 2).assign(pay=2.0, debt=np.nan)
    assert {f.subject for f in compare(REFERENCE, current, CONTRACT) if f.kind == "relation"} == {"amount", "home"}


def test_rows_in_the_order_of_a_value_are_compared_evenly_where_they_are_many() -> None:
    many = make_table(120_000, 3).sort_values("pay", ignore_index=True)
    assert drifted(many) == {}


def test_a_pair_is_called_by_the_contracts_words() -> None:
    titled = replace(CONTRACT, features=tuple(replace(f, reason={"en": f"The {f.name}"}) for f in CONTRACT.features))
    findings = compare(REFERENCE, misalign("debt")(make_table(1000, 2)), titled)
    (found,) = [f for f in findings if (f.kind, f.subject) == ("relation", "debt")]
    assert found.words.startswith("rank correlation of The debt and The pay from ")
    assert found.say({"debt": "The debt"}) == f"The debt: {found.words}"

from pathlib import Path

import numpy as np
import pytest

from loan_approval.data.simulate import simulate
from loan_approval.errors import PromotionError
from loan_approval.pipeline import demo_drift
from loan_approval.pipeline.demo_drift import MONTHS, judge, run_demo, to_documents
from serve.contract.contract import Contract
from serve.store.store import Store

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("month", MONTHS, ids=lambda month: month.name)
def test_every_application_of_a_month_keeps_the_contract(month):
    contract = Contract.load(ROOT / "data/loans/contract.toml")
    applicants = month.change(simulate(300, 1), np.random.default_rng(1))
    documents = to_documents(applicants, contract)
    assert contract.encode_table({name: [each.get(name) for each in documents] for name in documents[0]})[1] == []


def test_a_verdict_that_was_not_expected_is_marked():
    stable, season, _ = MONTHS
    as_expected, text = judge(stable, "stable", ["a month", "no finding"])
    assert as_expected
    assert "stable, as expected" in text
    as_expected, text = judge(season, "stable", ["a month", "no finding"])
    assert not as_expected
    assert text.endswith("stable, NOT as expected (drift)\n  - no finding")


def test_without_a_model_in_production_nothing_is_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(demo_drift, "model_and_store", lambda _dataset: ("loan_approval_model", Store(tmp_path)))
    with pytest.raises(PromotionError, match="no model is in production"):
        run_demo(tmp_path / "reports", 1)

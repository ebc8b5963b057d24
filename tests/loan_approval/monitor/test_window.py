import numpy as np
import pytest

from loan_approval.data.simulate import simulate
from loan_approval.errors import LogError, ParameterError
from loan_approval.monitor.window import compare_with, window_scores
from tests.monitored import Monitored, load


@pytest.mark.parametrize(
    ("against", "error", "words"),
    [
        ("2026-01-01", ParameterError, "expected BEGIN/END"),
        ("a/b", ParameterError, "against: expected a date"),
        ("2020-01-01/2020-02-01", LogError, "nothing was logged from 2020-01-01"),
    ],
)
def test_a_window_to_compare_with_must_be_one(
    loans: Monitored, against: str, error: type[Exception], words: str
) -> None:
    loans.decide(simulate(3, 5), loans.install())
    with pytest.raises(error, match=words):
        compare_with(load(loans), against)


def test_the_window_is_from_begin_to_before_end(loans: Monitored) -> None:
    loans.decide(simulate(120, 5), loans.install())
    window = load(loans, "2026-11-23T12:30", "2026-11-23T13:00Z")
    assert len(window.decisions) == 30


@pytest.mark.parametrize(
    ("begin", "end", "words"),
    [
        ("yesterday", "", "begin: expected a date or time such as"),
        ("", "2026-13-01", "end: expected a date or time"),
        ("2026-11-24", "2026-11-23", "begin 2026-11-24 is not before end 2026-11-23"),
    ],
)
def test_a_time_that_is_none_is_an_error(loans: Monitored, begin: str, end: str, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        load(loans, begin, end)


def test_a_window_without_decisions_is_an_error(loans: Monitored) -> None:
    with pytest.raises(LogError, match="nothing was logged"):
        load(loans)
    loans.decide(simulate(3, 5), loans.install())
    with pytest.raises(LogError, match="nothing was logged from 2027-01-01"):
        load(loans, "2027-01-01")


def test_a_version_that_decided_nothing_is_an_error_that_names_those_that_did(loans: Monitored) -> None:
    loans.decide(simulate(3, 5), loans.install())
    with pytest.raises(LogError, match="is of version 9, expected one of 1"):
        load(loans, version="9")


def test_a_log_of_another_contract_is_an_error(loans: Monitored) -> None:
    loans.decide(simulate(3, 5), loans.install(), contract="f" * 64)
    with pytest.raises(LogError, match=r"3 of 3 decisions are of .* under the contract f+, expected"):
        load(loans)


def test_a_model_that_is_gone_from_the_store_is_named_by_version_and_sha256(loans: Monitored) -> None:
    scorer = loans.install()
    loans.decide(simulate(3, 5), scorer)
    (loans.store.path / f"{scorer.sha256}.onnx").unlink()
    with pytest.raises(LogError, match=f"the file of version 1, sha256 {scorer.sha256}, is gone"):
        load(loans)


def test_a_model_of_other_data_is_an_error_that_names_both(loans: Monitored) -> None:
    loans.decide(simulate(3, 5), loans.install(data_sha256="d" * 64))
    words = f"was trained on data {'d' * 12}, loans holds {loans.dataset.sha256[:12]}"
    with pytest.raises(LogError, match=words):
        load(loans)


def test_one_version_of_two_files_is_an_error(loans: Monitored) -> None:
    for bias in (1.0, -1.0):
        loans.decide(simulate(3, 5), loans.install(bias))
    with pytest.raises(LogError, match="version 1 stands for two files"):
        load(loans)


def test_scores_are_compared_with_rows_the_model_was_not_fitted_to(loans: Monitored) -> None:
    loans.decide(simulate(40, 5), loans.install())
    ((before, now),) = window_scores(load(loans)).values()
    assert len(before) == np.sum(loans.dataset.splits != "train")
    assert len(now) == 40

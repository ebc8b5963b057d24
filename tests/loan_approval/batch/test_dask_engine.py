"""The error when no Dask scheduler answers."""

import pytest

from loan_approval.batch import dask_engine
from loan_approval.batch.dask_engine import dask_client
from loan_approval.errors import BatchError, SweepError


@pytest.mark.parametrize("error", [BatchError, SweepError])
def test_a_scheduler_that_does_not_answer_is_named(error, monkeypatch):
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://127.0.0.1:1")
    monkeypatch.setattr(dask_engine, "CONNECT_SECONDS", 1)
    message = r"DASK_SCHEDULER_ADDRESS=tcp://127.0.0.1:1: no scheduler answers there"
    with pytest.raises(error, match=message), dask_client(error):
        pass

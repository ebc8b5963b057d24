"""What a sweep refuses before it starts a worker."""

from pathlib import Path

import pytest

from loan_approval.errors import SweepError
from loan_approval.sweep import running
from loan_approval.sweep.plan import Plan


def test_workers_elsewhere_and_a_database_here_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://scheduler.example:8786")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    with pytest.raises(SweepError, match=r"expected MLFLOW_TRACKING_URI=http\(s\)"):
        running.run_sweep("loans", Plan([]), tmp_path, None, 60)
    assert not list(tmp_path.iterdir())

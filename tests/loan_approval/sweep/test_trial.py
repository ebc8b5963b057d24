"""What a worker refuses before it runs anything."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from loan_approval.data.datasets import load_dataset
from loan_approval.errors import SweepError
from loan_approval.project import ROOT
from loan_approval.sweep.plan import find_surroundings
from loan_approval.sweep.trial import Setting, run_trial


@pytest.mark.parametrize("other", ["code", "data", "notebook", "contract"])
def test_a_worker_with_other_code_or_data_runs_nothing(
    other: str, loans_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subprocess.Popen", None)  # nothing may be started
    shutil.copy(ROOT / "data/loans/contract.toml", tmp_path)
    shutil.copy(loans_csv, tmp_path / "dataset.csv")
    there = find_surroundings(load_dataset(str(tmp_path)).sha256, tmp_path / "contract.toml")
    setting = Setting(str(tmp_path), replace(there, **{other: "x"}), "http://127.0.0.1:9", "parent", "sweep", 60)
    with pytest.raises(SweepError, match=f"has another {other} than the sweep"):
        run_trial(setting, "key", {})

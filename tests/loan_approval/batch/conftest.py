"""A small batch of loans with some wrong rows, and its scoring in this process."""

from collections.abc import Callable
from typing import Any

import pytest

from loan_approval.batch import shards
from loan_approval.batch.scoring import Batch, score_batch
from tests.batches import BATCH_ROWS, make_columns, write_parquet
from tests.model_files import good_files


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return good_files()


@pytest.fixture(scope="module")
def columns(loans_contract) -> dict[str, list[Any]]:
    """Applications with an id; each hundredth breaks the contract."""
    columns = make_columns(loans_contract, BATCH_ROWS) | {"id": [f"A{i}" for i in range(BATCH_ROWS)]}
    columns["Age"][::100] = [17] * len(columns["Age"][::100])
    columns["Loan_Amount"][100] = None
    return columns


@pytest.fixture
def small_shards(monkeypatch) -> None:
    monkeypatch.setattr(shards, "ROWS", 200)


@pytest.fixture
def score(tmp_path, columns, files, small_shards) -> Callable[..., dict[str, Any]]:
    """Return a function that scores `tmp_path/batch.parquet` into `tmp_path/out`, in this process."""
    write_parquet(tmp_path / "batch.parquet", columns, row_group=200)

    def run(model: str = "loans_reviewed", output: str = "out", **options: Any) -> dict[str, Any]:
        batch = Batch(str(tmp_path / "batch.parquet"), str(tmp_path / output), ("id",), workers=1)
        return score_batch(Batch(**vars(batch) | options), files[model])

    return run

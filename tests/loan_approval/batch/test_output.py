"""The output folder: which batch it takes, one run at a time, and when a batch is whole."""

import pytest

from loan_approval.batch import scoring
from loan_approval.errors import BatchError
from tests.batches import write_parquet


def test_another_batch_in_the_same_output_is_refused(tmp_path, score, columns):
    score()
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    with pytest.raises(BatchError, match=r"holds another batch, which differs in model_sha256"):
        score("loans_strict")
    with pytest.raises(BatchError, match="differs in keep"):
        score(keep=(), ignore_unknown=True)
    write_parquet(tmp_path / "batch.parquet", columns | {"id": columns["id"][::-1]}, row_group=200)
    with pytest.raises(BatchError, match="differs in files"):
        score()
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["batch.parquet/out", "full", "file", "/proc/out"])
def test_an_output_that_cannot_be_used_is_refused(tmp_path, score, name):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    (tmp_path / "file").touch()
    with pytest.raises(BatchError, match=r"lies in the input|is not empty|can't be written to"):
        score(output=name)
    assert (tmp_path / "full/mine.txt").exists()


def test_two_runs_do_not_write_to_one_output(tmp_path, score, monkeypatch):
    def another(*_: object) -> None:
        score()

    monkeypatch.setattr(scoring, "score_shard", another)
    with pytest.raises(BatchError, match="another run is writing to it"):
        score()


def test_a_part_that_is_gone_or_foreign_is_no_finished_batch(tmp_path, score, monkeypatch):
    score()
    (tmp_path / "out/_summary.json").unlink()
    (tmp_path / "out/decisions/part-of-another.parquet").touch()
    with pytest.raises(BatchError, match="not of this batch"):
        score()

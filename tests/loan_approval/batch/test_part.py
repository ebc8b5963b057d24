"""A part of the output: its rejected rows, its bands, and what makes it invalid."""

import os

import numpy as np
import pytest

from loan_approval.batch import part
from loan_approval.batch.part import BANDS, Counts, band_numbers
from loan_approval.batch.scoring import Batch, score_batch
from loan_approval.errors import BatchError, DataError
from serve.model.scorer import name_band
from tests.batches import BATCH_ROWS, read_parts, write_parquet
from tests.model_files import MIXED, MIXED_SCALING, make_file


def test_rejected_rows_are_named_with_their_faults_and_no_value(tmp_path, score):
    summary = score()
    rejected = read_parts(tmp_path / "out", "rejected").to_pylist()
    assert [(line["row"], line["field"], line["kind"]) for line in rejected] == [
        (0, "Age", "out of range"),
        (100, "Age", "out of range"),
        (100, "Loan_Amount", "missing"),
        *((row, "Age", "out of range") for row in range(200, BATCH_ROWS, 100)),
    ]
    assert rejected[0]["id"] == "A0"
    assert rejected[0]["expected"] == "a whole number from 18 to 100 or null"
    assert set(rejected[0]) == {"file", "row", "id", "field", "kind", "expected"}
    assert summary["faults"] == {"Age: out of range": 9, "Loan_Amount: missing": 1}


def test_a_part_that_is_not_one_is_named(tmp_path, score):
    summary = score()
    (tmp_path / "out/_summary.json").unlink()
    write_parquet(tmp_path / "out/decisions" / summary["parts"][1]["name"], {"row": [1]})
    with pytest.raises(BatchError, match="not a part of a batch; remove it"):
        score()


def test_an_input_that_changes_meanwhile_is_refused(tmp_path, score, monkeypatch):
    real = part.decide

    def touch(*arguments):
        (tmp_path / "batch.parquet").touch()
        return real(*arguments)

    monkeypatch.setattr(part, "decide", touch)
    with pytest.raises(DataError, match=r"batch.parquet: changed while it was being scored"):
        score()
    assert not list((tmp_path / "out").glob("*/*"))


@pytest.mark.parametrize("engine", ["local", pytest.param("dask", marks=pytest.mark.hard)])
def test_a_file_that_is_written_as_the_source_is_scored_as_the_clean_one(tmp_path, engine):
    model = make_file(MIXED | {"source": {"separator": "semicolon", "decimal_comma": ["amount"]}}, MIXED_SCALING)
    (tmp_path / "clean.csv").write_text("amount,home\n1.5,own\n99,rent\n")
    (tmp_path / "own.csv").write_text("amount;home\n1,5;own\n99;rent\n")
    for name in ("clean", "own"):
        batch = Batch(str(tmp_path / f"{name}.csv"), str(tmp_path / f"of-{name}"), engine=engine, workers=1)
        assert score_batch(batch, model)["rejected"] == 0
    clean, own = (read_parts(tmp_path / f"of-{name}").column("probability") for name in ("clean", "own"))
    assert own == clean


def test_a_source_that_changes_after_it_was_copied_is_refused(tmp_path, monkeypatch):
    model = make_file(MIXED | {"source": {"separator": "semicolon"}}, MIXED_SCALING)
    (tmp_path / "own.csv").write_text("amount;home\n1.5;own\n")
    real = part.read_rows

    def touch(*arguments):
        os.utime(tmp_path / "own.csv", ns=(1, 1))
        return real(*arguments)

    monkeypatch.setattr(part, "read_rows", touch)
    with pytest.raises(DataError, match=r"own.csv: changed while it was being scored"):
        score_batch(Batch(str(tmp_path / "own.csv"), str(tmp_path / "out"), workers=1), model)


@pytest.mark.parametrize("band", [(0.55, 0.55), (0.5, 0.75), (0.0, 1.0)])
def test_bands_are_named_as_the_server_names_them(band):
    p = np.array([0.0, *band, *np.nextafter(band, 0), *np.nextafter(band, 1), 0.3, 0.6, 1.0]).clip(0, 1)
    assert [BANDS[number] for number in band_numbers(p, *band)] == [name_band(each, *band) for each in p.tolist()]


def test_counts_of_parts_are_added_up_by_band_and_fault():
    first = Counts(3, 1, 1, 1, {"approve": 1, "decline": 1}, {"Age: missing": 1})
    second = Counts(2, 1, 0, 1, {"approve": 1}, {"Age: missing": 1, "Age: out of range": 1})
    faults = {"Age: missing": 2, "Age: out of range": 1}
    assert first + second == Counts(5, 2, 1, 2, {"approve": 2, "decline": 1}, faults)

"""A part of the output: its rejected rows, its bands, and what makes it invalid."""

import numpy as np
import pytest

from loan_approval.batch import part
from loan_approval.batch.part import BANDS, Counts, band_numbers
from loan_approval.errors import BatchError, DataError
from serve.model.scorer import name_band
from tests.batches import BATCH_ROWS, read_parts, write_parquet


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


@pytest.mark.parametrize("band", [(0.55, 0.55), (0.5, 0.75), (0.0, 1.0)])
def test_bands_are_named_as_the_server_names_them(band):
    p = np.array([0.0, *band, *np.nextafter(band, 0), *np.nextafter(band, 1), 0.3, 0.6, 1.0]).clip(0, 1)
    assert [BANDS[number] for number in band_numbers(p, *band)] == [name_band(each, *band) for each in p.tolist()]


def test_counts_of_parts_are_added_up_by_band_and_fault():
    first = Counts(3, 1, 1, 1, {"approve": 1, "decline": 1}, {"Age: missing": 1})
    second = Counts(2, 1, 0, 1, {"approve": 1}, {"Age: missing": 1, "Age: out of range": 1})
    faults = {"Age: missing": 2, "Age: out of range": 1}
    assert first + second == Counts(5, 2, 1, 2, {"approve": 2, "decline": 1}, faults)

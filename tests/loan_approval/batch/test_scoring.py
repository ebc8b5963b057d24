"""A batch from its input to its summary: the server's decisions, whole parts, and a run that goes on."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from pyarrow import dataset

from loan_approval.batch import scoring
from loan_approval.batch.scoring import Batch, score_batch
from loan_approval.errors import BatchError
from serve.api.app import create_app
from serve.model.scorer import Scorer, name_band
from serve.settings import Settings
from serve.store.store import Store
from tests.batches import BATCH_ROWS as ROWS
from tests.batches import read_parts, write_csv, write_parquet
from tests.server_process import promote


def as_answered_over_http(columns: dict[str, list[Any]], data: bytes, folder: Path) -> list[int | None]:
    """Return the code of each application, None where it is refused: what the batch route answers."""
    promote(Store(folder), data)
    table = {name: values for name, values in columns.items() if name != "id"}
    with create_app(Settings(store=folder, poll_seconds=3600)).test_client() as client:
        refusal = client.post("/api/v2/predict/batch", json=table)
        bad = {int(place.partition(".")[0]) for place in refusal.json["fields"]}
        good = [row for row in range(ROWS) if row not in bad]
        answer = client.post("/api/v2/predict/batch", json={k: [v[i] for i in good] for k, v in table.items()})
    codes = dict(zip(good, answer.json["prediction_code"], strict=True))
    return [codes.get(row) for row in range(ROWS)]


def test_a_batch_is_decided_as_the_server_decides_the_same_one(tmp_path, score, columns, files):
    summary = score()
    answers = {row["row"]: row for row in read_parts(tmp_path / "out").to_pylist()}
    scorer = Scorer(files["loans_reviewed"])
    expected = as_answered_over_http(columns, files["loans_reviewed"], tmp_path / "store")
    assert [answers[row]["code"] if row in answers else None for row in range(ROWS)] == expected
    for row, answer in answers.items():
        decision = scorer.answer({name: values[row] for name, values in columns.items() if name != "id"})
        assert answer == {
            "file": "batch.parquet",
            "row": row,
            "id": f"A{row}",
            "probability": pytest.approx(decision.probability, abs=1e-12),
            "code": decision.code,
            "label": decision.label,
            "band": name_band(decision.probability, *scorer.review_band),
            "model_sha256": scorer.sha256,
        }
    assert summary["rows"] == ROWS
    assert (summary["approved"], summary["denied"], summary["rejected"]) == tuple(
        expected.count(code) for code in (1, 0, None)
    )
    assert summary["bands"]["refer"] == sum(answer["band"] == "refer" for answer in answers.values()) > 0


@pytest.mark.parametrize("model", ["loans_reviewed", "boosted"])
def test_the_reasons_of_a_batch_are_those_that_the_server_gives(tmp_path, score, columns, files, model):
    summary = score(model, reasons=True)
    rows = read_parts(tmp_path / "out").to_pylist()
    promote(Store(tmp_path / "store"), files[model])
    table = {name: [values[row["row"]] for row in rows] for name, values in columns.items() if name != "id"}
    with create_app(Settings(store=tmp_path / "store", poll_seconds=3600)).test_client() as client:
        answer = client.post("/api/v2/predict/batch?reasons=true", json=table).json
    assert [row["reasons"] for row in rows] == answer["reasons"]
    assert len({tuple(row["reasons"]) for row in rows}) > 5
    assert summary["reasons"] is True


def test_a_batch_with_reasons_is_another_than_one_without(score):
    score()
    with pytest.raises(BatchError, match="holds another batch, which differs in reasons"):
        score(reasons=True)
    score(output="with", reasons=True)
    with pytest.raises(BatchError, match="holds another batch, which differs in reasons"):
        score(output="with")


def test_csv_parquet_one_worker_and_two_give_the_same(tmp_path, score, columns, files):
    score()
    score(output="two", workers=2)
    write_csv(tmp_path / "batch.csv", columns)
    score_batch(Batch(str(tmp_path / "batch.csv"), str(tmp_path / "csv"), ("id",)), files["loans_reviewed"])
    once = read_parts(tmp_path / "out")
    assert read_parts(tmp_path / "two").equals(once)
    assert read_parts(tmp_path / "csv").drop(["file"]).to_pylist() == once.drop(["file"]).to_pylist()


def test_the_output_reads_as_one_dataset(tmp_path, score):
    summary = score()
    assert dataset.dataset(tmp_path / "out" / "decisions").count_rows() == ROWS - summary["rejected"]
    written = json.loads((tmp_path / "out" / "_summary.json").read_bytes())
    assert written == summary
    assert {part["name"] for part in summary["parts"]} == {path.name for path in (tmp_path / "out/decisions").iterdir()}


def test_a_run_that_was_ended_goes_on_where_it_was(tmp_path, score, monkeypatch):
    score(output="whole")
    real, scored = scoring.score_shard, []

    def fail_at_the_third(shard, task, scorer, explainer):
        if len(scored) == 2:
            raise KeyboardInterrupt
        scored.append(shard)
        return real(shard, task, scorer)

    monkeypatch.setattr(scoring, "score_shard", fail_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        score()
    assert not (tmp_path / "out/_summary.json").exists()
    left = tmp_path / "out/decisions/.part-00000.parquet.0123abcd"
    left.write_bytes(b"half")
    first = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out/decisions").glob("part-*")}
    monkeypatch.setattr(scoring, "score_shard", real)
    summary = score()
    assert len(first) == 2
    assert {name: (tmp_path / "out/decisions" / name).stat().st_mtime_ns for name in first} == first
    assert not left.exists()
    assert read_parts(tmp_path / "out").equals(read_parts(tmp_path / "whole"))
    assert summary["rows"] == ROWS


def test_a_finished_batch_is_not_scored_again(tmp_path, score, monkeypatch):
    summary = score()
    monkeypatch.setattr(scoring, "score_shard", None)
    assert score() == summary


def test_a_part_that_is_gone_is_scored_again(tmp_path, score):
    summary = score()
    before = read_parts(tmp_path / "out")
    (tmp_path / "out/decisions" / summary["parts"][1]["name"]).unlink()
    assert score() == summary
    assert read_parts(tmp_path / "out").equals(before)


def test_a_file_that_is_spoilt_in_its_middle_is_named(tmp_path, score):
    data = bytearray((tmp_path / "batch.parquet").read_bytes())
    data[1000:3000] = bytes(2000)
    (tmp_path / "batch.parquet").write_bytes(data)
    with pytest.raises(BatchError, match=r"batch.parquet: can't be read to its end"):
        score()
    assert not (tmp_path / "out/_summary.json").exists()


def test_the_output_may_not_lie_in_the_input(tmp_path, score, columns, files):
    (tmp_path / "in").mkdir()
    shutil.move(tmp_path / "batch.parquet", tmp_path / "in")
    with pytest.raises(BatchError, match="lies in the input"):
        score_batch(Batch(str(tmp_path / "in"), str(tmp_path / "in/out"), ("id",)), files["loans"])


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

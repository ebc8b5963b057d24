"""`python -m loan_approval score`: which model it takes, what it says, what it refuses."""

from pathlib import Path

import pytest
from pyarrow import parquet as pq

from loan_approval import cli
from loan_approval.batch.workers import MOST_WORKERS
from serve.store.store import Store
from tests.batches import make_columns, write_csv, write_parquet
from tests.model_files import good_files
from tests.server_process import promote


@pytest.fixture
def folder(tmp_path, loans_contract, monkeypatch) -> Path:
    """A folder with a batch, and a store in which nothing is in production yet."""
    write_csv(tmp_path / "batch.csv", make_columns(loans_contract, 50))
    (tmp_path / "model.onnx").write_bytes(good_files()["loans"])
    monkeypatch.setenv("SERVE_STORE", str(tmp_path / "store"))
    return tmp_path


def score(folder: Path, *options: str, batch: str = "batch.csv") -> None:
    cli.main(["score", str(folder / batch), str(folder / "out"), "--workers", "1", *options])


def test_the_model_that_answers_is_the_one_that_scores(folder, capsys):
    promote(Store(folder / "store"), good_files()["loans_strict"])
    score(folder)
    output = capsys.readouterr()
    (sha256,) = (path.stem for path in (folder / "store").glob("*.onnx"))
    assert f"model {sha256[:12]}" in output.out
    assert output.out.startswith("50 rows: ")
    assert "rows: 50, files: 1, parts: 1, done before: 0" in output.err


def test_a_model_file_scores_and_rejected_rows_are_counted(folder, loans_contract, capsys):
    columns = make_columns(loans_contract, 50)
    columns["Loan_Amount"][:3] = [1.0] * 3
    write_parquet(folder / "batch.parquet", columns)
    score(folder, "--model", str(folder / "model.onnx"), batch="batch.parquet")
    output = capsys.readouterr().out
    assert "3 rejected" in output
    assert "- rejected: Loan_Amount: out of range: 3 rows" in output


def test_reasons_are_a_column_where_they_are_asked_for(folder):
    score(folder, "--model", str(folder / "model.onnx"), "--reasons")
    (part,) = (folder / "out/decisions").iterdir()
    reasons = pq.read_table(part)["reasons"].to_pylist()
    assert len(reasons) == 50
    assert any(reasons)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "BatchError: .*store: no model is in production"),
        (["--model", "./absent.onnx"], r"BatchError: absent.onnx: expected a model file"),
        (["--dataset", "lons"], "DataError: no data set 'lons'"),
        (["--model", "MODEL", "--keep", "id"], "DataError: .*'id' is missing, which --keep asks for"),
        (["--model", "MODEL", "--keep", "Age"], "DataError: --keep Age: a feature of the contract"),
        (["--model", "BATCH"], "BatchError: .*batch.csv|ModelFileError: "),
    ],
)
def test_a_batch_that_cannot_be_scored_leaves_nothing_behind(folder, options, message):
    places = {"MODEL": str(folder / "model.onnx"), "BATCH": str(folder / "batch.csv")}
    with pytest.raises(SystemExit, match=message):
        score(folder, *(places.get(option, option) for option in options))
    assert not (folder / "out").exists()


def test_a_store_whose_file_is_another_is_refused(folder):
    promote(Store(folder / "store"), good_files()["loans"])
    (path,) = (folder / "store").glob("*.onnx")
    path.chmod(0o644)
    path.write_bytes(good_files()["loans_strict"])
    with pytest.raises(SystemExit, match=r"StoreError: .*another hash"):
        score(folder)
    assert not (folder / "out").exists()


def test_there_are_as_many_workers_as_processors_but_no_more_than_memory_has_room_for(monkeypatch):
    for processors, workers in ((3, 3), (64, MOST_WORKERS)):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, n=processors: range(n))
        assert cli.make_parser().parse_args(["score", "in", "out"]).workers == workers


@pytest.mark.parametrize("workers", ["0", "many", "9"])
def test_a_wrong_number_of_workers_is_a_wrong_call(folder, workers, capsys):
    with pytest.raises(SystemExit) as stopped:
        score(folder, "--workers", workers)
    assert stopped.value.code == 2
    assert "argument --workers: invalid " in capsys.readouterr().err

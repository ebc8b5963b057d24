"""Shards cover every row once, whatever the files look like."""

from itertools import pairwise
from pathlib import Path

import pytest

from loan_approval.batch import shards as batch_shards
from loan_approval.batch import tables as batch_tables
from loan_approval.batch.files import absolute, list_inputs
from loan_approval.batch.shards import Shard, plan_shards
from loan_approval.errors import DataError
from serve.contract.contract import Contract
from tests.batches import judge, make_columns, write_csv, write_parquet


def plan(folder: Path, contract: Contract, **options: object) -> list[Shard]:
    return plan_shards(list_inputs(absolute(str(folder))), contract, **options)


@pytest.mark.parametrize("row_group", [7, 50, 100, 1000])
def test_shards_cover_each_row_of_parquet_once(tmp_path, homes_contract, monkeypatch, row_group):
    monkeypatch.setattr(batch_shards, "ROWS", 100)
    monkeypatch.setattr(batch_tables, "BATCH", 30)
    columns = make_columns(homes_contract, 930)
    path = write_parquet(tmp_path / "batch.parquet", columns, row_group)
    shards = plan(path, homes_contract)
    ends = [shard.start + shard.rows for shard in shards]
    assert [0, *ends] == [*(shard.start for shard in shards), 930]
    assert max(shard.rows for shard in shards) <= 100 + row_group * (row_group == 1000)
    X, faults = judge(path, homes_contract)
    assert not faults
    assert X[:, 1].tolist() == columns["amount"]


def test_a_large_row_group_is_cut_into_few_pieces_as_each_reads_over_the_ones_before(monkeypatch):
    monkeypatch.setattr(batch_shards, "ROWS", 10)
    monkeypatch.setattr(batch_shards, "MAX_SHARD_ROWS", 100)
    assert list(batch_shards._cut([80])) == list(pairwise(range(0, 81, 10)))
    assert list(batch_shards._cut([400])) == list(pairwise(range(0, 401, 50)))
    assert list(batch_shards._cut([2000])) == list(pairwise(range(0, 2001, 100)))
    assert list(batch_shards._cut([4, 4, 4, 30, 1])) == list(pairwise([0, 8, 12, 22, 32, 42, 43]))


def test_the_files_of_a_folder_are_taken_by_name_at_any_depth(tmp_path, homes_contract, monkeypatch):
    monkeypatch.setattr(batch_shards, "CSV_BYTES", 100)
    for name, rows in [("b.csv", 3), ("a/z.csv", 40), ("_temporary/x.csv", 9), (".hidden.csv", 9)]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_csv(tmp_path / name, make_columns(homes_contract, rows))
    (tmp_path / "_SUCCESS").touch()
    shards = plan(tmp_path, homes_contract)
    assert {shard.file.name: shard.number for shard in shards} == {"a/z.csv": 0, "b.csv": 1}
    assert sum(shard.rows for shard in shards) == 43


def test_a_parts_name_follows_from_all_that_its_content_does(tmp_path, homes_contract):
    path = write_csv(tmp_path / "batch.csv", make_columns(homes_contract, 3))
    (shard,) = plan(path, homes_contract)
    path.touch()
    (touched,) = plan(path, homes_contract)
    (again,) = plan(path, homes_contract)
    assert again.part("job") == touched.part("job") != shard.part("job")
    assert again.part("job") != again.part("other")


def write_unusable(folder: Path, columns: dict[str, list], kind: str) -> None:
    """Write an input that can't be used."""
    if kind == "not Parquet":
        (folder / "a.parquet").write_bytes(b"PAR1 but no more")
    elif kind == "half of a Parquet file":
        data = write_parquet(folder / "a.parquet", columns).read_bytes()
        (folder / "a.parquet").write_bytes(data[: len(data) // 2])
    elif kind == "no rows":
        write_csv(folder / "a.csv", {name: [] for name in columns})
    elif kind == "kept columns of two types":
        write_parquet(folder / "a.parquet", columns | {"id": [1, 2, 3]})
        write_parquet(folder / "b.parquet", columns | {"id": ["1", "2", "3"]})


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("not Parquet", "a.parquet: not a Parquet file that can be read"),
        ("half of a Parquet file", "a.parquet: not a Parquet file that can be read"),
        ("no rows", "no rows, expected at least one application"),
        ("kept columns of two types", "b.parquet: column 'id' is string, expected int64 as in the first file"),
    ],
)
def test_an_input_that_cannot_be_used_is_refused(tmp_path, homes_contract, kind, message):
    write_unusable(tmp_path, make_columns(homes_contract, 3), kind)
    with pytest.raises(DataError, match=message):
        plan(tmp_path, homes_contract, keep=["id"] if "kept" in kind else [])

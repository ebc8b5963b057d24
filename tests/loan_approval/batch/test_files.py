"""Which files a batch takes, and which inputs it refuses."""

import os
from pathlib import Path

import pytest

from loan_approval.batch.files import absolute, list_inputs, list_names, read_whole, write_whole
from loan_approval.errors import BatchError


def write_unusable(folder: Path, kind: str) -> None:
    """Fill a folder with an input that can't be used."""
    if kind != "an empty folder":
        (folder / "a.csv").touch()
    if kind == "a mixed folder":
        (folder / "b.parquet").touch()
    elif kind == "another kind of file":
        (folder / "notes.md").touch()
    elif kind == "a link that leads nowhere":
        (folder / "b.csv").symlink_to(folder / "gone.csv")
    elif kind == "a link to a file beside it":
        (folder / "b.csv").symlink_to(folder / "a.csv")
    elif kind == "a link back":
        (folder / "round").symlink_to(folder)
    elif kind == "a pipe":
        os.mkfifo(folder / "b.csv")
    elif kind == "a name of other bytes":
        Path(os.fsdecode(os.fsencode(folder) + b"/\xff.csv")).touch()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("a mixed folder", "holds both CSV and Parquet"),
        ("another kind of file", "notes.md: expected a name that ends in .csv or .parquet"),
        ("a link that leads nowhere", "b.csv: No such file"),
        ("a link to a file beside it", "b.csv: is the same file as a.csv; each row is"),
        ("a link back", "round: is there twice, by a link"),
        ("a pipe", "b.csv: not a file"),
        ("a name of other bytes", "holds a name that is not UTF-8"),
        ("an empty folder", "the folder is empty"),
    ],
)
def test_an_input_that_cannot_be_used_is_refused(tmp_path, kind, message):
    write_unusable(tmp_path, kind)
    with pytest.raises(BatchError, match=message):
        list_inputs(str(tmp_path))


@pytest.mark.parametrize("name", ["german.data-numeric", "loans.dat", "LOANS.CSV", "loans", "1year.arff", "book.xlsm"])
def test_a_file_that_is_named_itself_is_an_input_whatever_its_name_ends_in(tmp_path, name):
    (tmp_path / name).write_text("a,b\n1,2\n")
    (file,) = list_inputs(str(tmp_path / name))
    assert (file.name, file.is_csv) == (name, True)


@pytest.mark.parametrize("name", ["a.dat", "a.arff", "a.CSV", "A.XLSX", "a.xls", "a.PARQUET", "a.pq"])
def test_a_folder_may_hold_what_init_reads(tmp_path, name):
    (tmp_path / name).touch()
    (file,) = list_inputs(str(tmp_path))
    assert file.is_csv == (name not in ("a.PARQUET", "a.pq"))


def test_an_absent_input_is_named(tmp_path):
    with pytest.raises(BatchError, match="absent: no such file or folder"):
        list_inputs(str(tmp_path / "absent"))


def test_an_address_of_another_kind_is_refused():
    with pytest.raises(BatchError, match="expected a local path or s3://bucket/prefix"):
        absolute("gs://bucket/x")


def test_a_file_is_written_whole_and_read_back(tmp_path):
    address = f"{tmp_path}/folder/part"
    assert read_whole(address) is None
    assert list_names(f"{tmp_path}/folder") == set()
    write_whole(address, b"all of it")
    assert (read_whole(address), list_names(f"{tmp_path}/folder")) == (b"all of it", {"part"})

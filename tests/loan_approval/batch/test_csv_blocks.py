"""A CSV is cut between its rows, wherever its quotes and line ends are."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from loan_approval.batch import csv_blocks
from loan_approval.batch.csv_blocks import find_blocks
from loan_approval.errors import DataError

CELLS = ["1", "", '""', '"a"', '"a,b"', '"a\nb"', '"a\r\nb"', '"\n"', '"say ""no"""', '""""', '"\n\n,"', "x y"]


def cut(path: Path, body: bytes) -> tuple[tuple[str, ...], list[bytes], list[int]]:
    path.write_bytes(body)
    with path.open("rb") as file:
        header, blocks = find_blocks(file, len(body), "batch.csv")
    return header, [body[b.offset : b.offset + b.size] for b in blocks], [block.rows for block in blocks]


@pytest.fixture(params=[7, 40, 2**21])
def block(request, monkeypatch) -> int:
    monkeypatch.setattr(csv_blocks, "BLOCK", request.param)
    return request.param


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("seed", range(6))
def test_the_blocks_are_the_rows_in_order(tmp_path, block, seed, end):
    rng = np.random.default_rng(seed)
    lines = [",".join(rng.choice(CELLS, rng.choice([1, 2, 3]))) for _ in range(60)]
    body = "\ufeff" * (seed % 2) + end.join(["name,other", *lines]) + end * (seed % 3)
    header, texts, rows = cut(tmp_path / "batch.csv", body.encode())
    expected = list(csv.reader(io.StringIO(body.removeprefix("\ufeff"), newline="")))[1:]
    while not expected[-1]:
        expected.pop()
    found = [list(csv.reader(io.StringIO(text.decode(), newline=""))) for text in texts]
    assert header == ("name", "other")
    assert [row for part in found for row in part] == expected
    assert [len(part) for part in found] == rows


def test_a_header_alone_has_no_blocks(tmp_path, block):
    assert cut(tmp_path / "batch.csv", b'"a,""b",c\r\n\r\n') == (('a,"b', "c"), [], [])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the file is empty"),
        (b"\n\n\n", "the file is empty"),
        (b"\n1,2\n", "the first line is empty"),
        (b"a;b\n1;2\n", "one column, expected commas"),
        (b"a\xff,b\n1,2\n", "not a line of a CSV in UTF-8"),
        (b"a,b\r1,2\r", "ends in CR alone"),
        (b"a,b\n1,2\r3,4\n", "ends in CR alone"),
        (b'a,b\n1,2\n3,4"\n5,6"\n7,8\n', "line 3: a quote within a cell"),
        (b'a,b\n1,"2\n"\n3,4"\n5,6"\n7,8\n', "line 4: a quote within a cell"),
        (b'a,b\n1,2\n3,"4\n5,6\n', "a quote that is never closed"),
    ],
)
def test_what_cannot_be_cut_is_refused(tmp_path, block, body, message):
    with pytest.raises(DataError, match=message):
        cut(tmp_path / "batch.csv", body)


def test_a_row_without_an_end_is_not_read_into_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_blocks, "BLOCK", 100)
    monkeypatch.setattr(csv_blocks, "LONGEST_ROW", 1000)
    (tmp_path / "batch.csv").write_bytes(b'a,b\n1,"' + b"x\n" * 100_000)
    with (tmp_path / "batch.csv").open("rb") as file:
        with pytest.raises(DataError, match="line 2 or later: a quote that is never closed, or over 1,000 bytes"):
            find_blocks(file, 200_007, "batch.csv")
        assert file.tell() < 2_000

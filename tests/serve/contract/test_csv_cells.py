from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.contract import csv_cells
from serve.contract.csv_cells import Cells, read_blocks, read_cells
from serve.errors import ApplicationError


@pytest.mark.parametrize("body", [b"a,b\n1,2\n3,\n", b"\xef\xbb\xbfa,b\r\n1,2\r\n3,\r\n\r\n", b'"a",b\n1,"2"\n3,""\n'])
def test_the_same_cells_are_read_however_they_are_written(body):
    cells = read_cells(body)
    assert (cells.header, [list(column) for column in cells.columns]) == (["a", "b"], [["1", "3"], ["2", ""]])
    assert (list(cells.rows), cells.uneven) == ([0, 1], {})


@pytest.mark.parametrize("quote", ["", '"'])
def test_uneven_rows_are_counted_and_left_out_of_the_columns(quote):
    cells = read_cells(f"a,b\n1,{quote}2{quote}\n\n5\n6,7,8\n9,0\n".encode())
    assert cells == Cells(["a", "b"], [("1", "9"), ("2", "0")], [0, 4], {1: 0, 2: 1, 3: 3})


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_header_alone_has_no_rows(quote):
    cells = read_cells(f"a,{quote}b{quote}\n".encode())
    assert (cells.header, list(map(list, cells.columns)), list(cells.rows)) == (["a", "b"], [[], []], [])


@pytest.mark.parametrize(
    ("body", "problem"),
    [(b"", "no header"), (b"a;b\n1;2", "expected commas"), (b"a,b\n\xff,1", "not UTF-8"), (b'a,b\n1,"2', "at line 2")],
)
def test_a_body_that_is_no_csv_is_refused_without_a_quote_of_it(body, problem):
    with pytest.raises(ApplicationError) as caught:
        read_cells(body)
    assert problem in caught.value.fields[""]


def join_blocks(body: bytes) -> Cells:
    blocks = list(read_blocks(body))
    columns = [tuple(cell for block in blocks for cell in block.columns[n]) for n in range(len(blocks[0].header))]
    uneven = {row: width for block in blocks for row, width in block.uneven.items()}
    return Cells(blocks[0].header, columns, [row for block in blocks for row in block.rows], uneven)


CELLS = st.sampled_from(["", "a", "1.5", "ã", "😀", " "])
ENDS = st.sampled_from(["\n", "\r\n", "\n\n"])


@given(st.lists(st.lists(CELLS, max_size=4), min_size=1, max_size=20), ENDS, st.sampled_from(["", '"']))
def test_blocks_of_any_size_hold_the_cells_that_the_whole_holds(rows, end, quote):
    lines = ["x,y", *(",".join(f"{quote}{cell}{quote}" for cell in row) for row in rows)]
    body = end.join(lines).encode()
    whole = read_cells(body)
    expected = Cells(whole.header, [tuple(column) for column in whole.columns], list(whole.rows), whole.uneven)
    with mock.patch.object(csv_cells, "BLOCK", 40), mock.patch.object(csv_cells, "CELLS", 3):
        assert join_blocks(body) == expected

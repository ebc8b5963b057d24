import gzip
import io
import re

import pytest

from loan_approval.data.rows import SAMPLE, Row, decode, drop_notes, find_separator, name_columns, name_rows, split_rows
from loan_approval.errors import DataError


@pytest.mark.parametrize(
    ("text", "separator"),
    [("a,b\n1,2", "comma"), ("a;b\n1,5;2", "semicolon"), ("a b\n1 2", "space"), ("Loan Amount\n5", ""), ("", "")],
)
def test_the_separator_is_where_most_lines_have_as_many_cells_as_the_header(text, separator):
    assert find_separator(text) == separator


def test_names_are_each_there_once():
    assert name_columns(["", "a", "a", "a_2", "\tb\n c"]) == ["column_1", "a", "a_2", "a_2_2", "b c"]


def test_rows_are_split_without_comments_and_blank_lines():
    assert list(split_rows(io.StringIO("# x\na,b\n\n1, 2 \n"), "comma")) == [["a", "b"], ["1", "2"]]


def test_a_given_encoding_is_not_guessed():
    assert decode("é".encode("latin-1"), "latin-1") == ("é", "latin-1")
    with pytest.raises(DataError, match="can't be read as utf-8"):
        decode(b"\xe9", "utf-8")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_each_row_knows_the_line_it_begins_on(end):
    text = end.join(["# x", "a,b", "", "1,2", f'"3{end}3",4', "# y", "5,6", ""])
    rows = list(split_rows(io.StringIO(text, newline=""), "comma"))
    assert [row.line for row in rows] == [2, 4, 5, 8]
    assert rows[2] == ["3\n3", "4"]


@pytest.mark.parametrize("separator", ["comma", "space"])
def test_a_text_that_is_no_csv_is_refused_at_its_line(separator):
    with pytest.raises(DataError, match="line 4: not a CSV"):
        list(split_rows(io.StringIO('# x\n\na,b c\n"1"x,2 3\n4,5 6\n'), separator))


def test_notes_below_the_last_row_are_dropped_with_a_remark():
    note, row, remarks = Row(["Total of 2", ""], 9), Row(["two words", "1", "2"], 8), []
    assert list(drop_notes([note, row, note, row, note, note], 3, remarks)) == [note, row, note, row]
    assert remarks == ["notes below the rows, left out: rows 9, 9"]


@pytest.mark.parametrize(
    "cells",
    [["home loan", "", ""], ["LP01"], ["3 000"], ["€ 3.000"], ["2020-01-01 10:00"], ["3 Jan 2020"], ["a b", "1"]],
)
def test_a_row_that_may_be_an_applicant_s_is_no_note(cells):
    row, remarks = Row(cells, 9), []
    assert (list(drop_notes([row], 3, remarks)), remarks) == ([row], [])


def test_ten_rows_are_named_and_the_others_counted():
    assert name_rows([4]) == "row 4"
    assert name_rows(list(range(2, 15))).endswith("11 and 3 more")


def test_a_packed_text_is_to_be_unpacked():
    with pytest.raises(DataError, match="packed with gzip: unpack it first"):
        decode(gzip.compress(b"a,b"))


@pytest.mark.parametrize(
    ("data", "advice"),
    [
        (b'[{"a": 1}, {"a": 2}]', "pandas.read_json('IN').to_csv"),
        (b'\xef\xbb\xbf{\n "a": [1, 2]}', "pandas.read_json('IN').to_csv"),
        (b'{"a": 1}\r\n{"a": 2}\r\n', "lines=True"),
        (b"<!DOCTYPE html><table>", "save it as CSV or .xlsx"),
        (b"%PDF-1.4", "save it as CSV or .xlsx"),
        (b"PAR1\x15\x04", "let its name end in .parquet"),
        (b"a\x00\x00\xd8b\x00" * 9, "not a text, expected CSV"),
    ],
)
def test_a_file_that_is_no_text_of_rows_is_refused_with_what_to_do(data, advice):
    with pytest.raises(DataError, match=re.escape(advice)):
        decode(data)


@pytest.mark.parametrize("text", ["[id],[name]\n1,2\n", "{id},a\n1,2\n", "<5,a\n1,2\n"])
def test_a_header_in_brackets_is_a_text_of_rows(text):
    assert decode(text.encode())[0] == text


def test_a_large_file_is_judged_by_whole_rows_though_a_quoted_cell_has_many_lines():
    text = "a,b\n" + ('1,"' + "one line\n" * 50 + '"\n') * (SAMPLE // 400)
    assert find_separator(text) == "comma"
    assert find_separator('a;b\n1;the 5" one\n' + "1;2\n" * SAMPLE) == "semicolon"


def test_sparse_arff_is_refused_with_what_to_do():
    text = "@relation x\n@attribute a numeric\n@attribute y {0,1}\n@data\n{0 1, 1 1}\n"
    with pytest.raises(DataError, match="SparseToNonSparse"):
        list(split_rows(io.StringIO(text), "comma"))

import io
import re
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from loan_approval.data.reading import OTHERS, Form, read_file
from loan_approval.data.rows import split_rows
from loan_approval.data.source import clean_rows
from loan_approval.errors import DataError

TABLE = [["renda média", "score", "y"], ["10,5", "562", "sim"], ["20,25", "600", "não"], ["7,0", "700", "sim"]]
ROWS = TABLE[1:]


def text(separator=";", end="\n"):
    return end.join(separator.join(row) for row in TABLE) + end


def read(tmp_path, data, form=None, name="my.csv"):
    (tmp_path / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return read_file(tmp_path / name, form or Form())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_encoding_and_the_line_ends_are_found(tmp_path, encoding, end):
    reading = read(tmp_path, text(end=end).encode(encoding))
    assert [reading.header, *reading.rows] == TABLE
    found = {"utf-8-sig": "utf-8", "latin-1": "cp1252"}.get(encoding, encoding)
    assert reading.source.encoding == found
    assert reading.notes[0] == f"read as {found}, separated by semicolon"


def test_an_encoding_that_no_byte_proves_is_said_to_be_a_guess(tmp_path):
    notes = read(tmp_path, "Gelir,Müşteri\n1,2\n3,4\n".encode("cp1254")).notes
    assert notes[1] == f"cp1252 is a guess: if letters are wrong, as in Müþteri, say --encoding {OTHERS}"
    assert "guess" not in str(read(tmp_path, "Price,Note\n1\u00a0234,ok\n".encode("cp1252")).notes)
    assert "guess" not in str(read(tmp_path, "Gelir,Müşteri\n1,2\n", Form(encoding="cp1254")).notes)


def test_a_guessed_encoding_shows_a_word_that_another_one_would_read_otherwise(tmp_path):
    notes = read(tmp_path, "Dochód,Płeć\n1,2\n3,4\n".encode("cp1250")).notes
    assert "if letters are wrong, as in P³eæ, say" in notes[1]


def test_two_encodings_in_one_file_are_said_with_a_word_that_is_wrong(tmp_path):
    data = b"a,b\n" + "1,Málaga\n".encode("latin-1") + "2,Köln\n3,Köln\n".encode()
    assert "UTF-8 in 2 lines and not in 1, so that letters are wrong, as in KÃ¶ln" in read(tmp_path, data).notes[1]


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolon"), ("\t", "tab"), ("|", "bar"), (" ", "space")])
def test_the_separator_is_found(tmp_path, mark, name):
    data = text(mark).replace("renda média", "renda")
    reading = read(tmp_path, data)
    assert (reading.rows, reading.source.separator) == (ROWS, name)


def test_runs_of_blanks_separate_as_one_does(tmp_path):
    assert read(tmp_path, "a   b c\n 1  2\t3 \n4 5   6\n").rows == [["1", "2", "3"], ["4", "5", "6"]]


def test_the_first_line_may_name_the_separator(tmp_path):
    assert read(tmp_path, "sep=,\na,b\n1,2\n").rows == [["1", "2"]]
    assert read(tmp_path, "sep=;\na;b\n1,5;2\n").rows == [["1,5", "2"]]


@pytest.mark.parametrize(
    "data",
    [
        "\n\na,b\n1,2\n\n3,4\n",
        "# made by hand\n# on a Monday, in March\na,b\n1,2\n3,4\n",
        "a,b\n1,2\n# half of them\n3,4\n,\n",
        'a,b\n"1",2\n3,"4"\n',
        "a, b\n1 , 2\n3,4",
    ],
)
def test_blank_lines_comments_quotes_and_blanks_round_cells_are_passed_over(tmp_path, data):
    reading = read(tmp_path, data)
    assert (reading.header, reading.rows) == (["a", "b"], [["1", "2"], ["3", "4"]])


def test_a_header_without_a_name_for_the_names_of_rows_gets_one(tmp_path):
    reading = read(tmp_path, '"a" "b c"\n"1" 5 "x y"\n"2" 6 "z"\n')
    assert (reading.header, reading.rows) == (["column_1", "a", "b c"], [["1", "5", "x y"], ["2", "6", "z"]])
    with pytest.raises(DataError, match=r"cells, expected \d"):
        read(tmp_path, "1,2\n3,4,5\n6,7\n", Form(has_header=False))


def test_lines_that_are_passed_over_are_counted(tmp_path):
    assert "passed over, as they are empty or a comment: 2" in read(tmp_path, "# x\na,b\n1,2\n\n3,4\n").notes[1]


def test_unnamed_and_repeated_columns_get_names_with_a_word(tmp_path):
    reading = read(tmp_path, ',a,a,a_2,"b ""c"""\n0,1,2,3,x\n1,1,2,3,y\n')
    assert reading.header == ["column_1", "a", "a_2", "a_2_2", "b 'c'"]
    assert "'' is 'column_1', 'a' is 'a_2', 'a_2' is 'a_2_2'" in reading.notes[1]


@pytest.mark.parametrize("first", ["54000.5,712,1", "A11,6,1", "-3,NA,0"])
def test_a_first_row_of_data_is_noticed_and_names_are_asked_for(tmp_path, first):
    kind = "A12" if first.startswith("A") else "86482.74"
    with pytest.raises(DataError, match=r"--no-header.*or --names"):
        read(tmp_path, f"{first}\n{kind},7,0\n{kind},357,0\n".replace("NA", "5"))


@pytest.mark.parametrize("header", ["a,b,c", "2019,b,2021", "0,1,2", "x1,x2,3"])
def test_names_of_digits_beside_others_are_names(tmp_path, header):
    assert read(tmp_path, f"{header}\n1,2,3\n4,5,6\n").header == header.split(",")


@pytest.mark.parametrize(
    ("form", "names"),
    [(Form(has_header=False), ["column_1", "column_2"]), (Form(has_header=False, names=("a", "b")), ["a", "b"])],
)
def test_a_file_without_a_header_gets_names_that_are_recorded(tmp_path, form, names):
    reading = read(tmp_path, "1,2\n3,4\n", form)
    assert (reading.header, reading.rows) == (names, [["1", "2"], ["3", "4"]])
    assert reading.source.names == tuple(names)


def test_what_the_owner_says_goes_before_what_is_found(tmp_path):
    reading = read(tmp_path, b"a;b,c\n1;2,3\n", Form(encoding="latin-1", separator=";"))
    assert (reading.header, reading.source.encoding) == (["a", "b,c"], "latin-1")


@pytest.mark.parametrize(
    ("data", "form", "message"),
    [
        ("", Form(), "expected a header with at least two names, and rows below it"),
        ("a,t\n", Form(), "rows below it"),
        ("a\n1\n2\n", Form(), "one column only; expected cells between comma, semicolon, tab, bar, space: --separator"),
        ("a,t\n1,0\n1\n1,0\n", Form(), r"row 3: 1 cell, expected 2 \(read as utf-8, separated by comma\)"),
        ("# c\n\na,t\n1,0\n1\n", Form(), "row 5: 1 cell"),
        ('a,t\n"1,0\n', Form(), "line 2: not a CSV"),
        ("a,t\n1,2\n", Form(separator="x"), "--separator 'x': expected one of comma"),
        ("a,t\n1,2\n", Form(encoding="klingon"), "can't be read as klingon"),
        (b"a,t\n\xff,2\n", Form(encoding="utf-8"), "can't be read as utf-8"),
        (b"PK\x03\x04 nothing", Form(), "not an Excel file"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, data, form, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, data, form)


@pytest.mark.parametrize("suffix", [".xlsx", ".parquet"])
def test_excel_and_parquet_are_read_as_the_same_csv_would_be(tmp_path, suffix):
    frame = pd.DataFrame({"n": [1.0, None, 2.5], "k": [1, 2, 3], "t": ["a", None, "NA"], "b": [True, False, True]})
    path = tmp_path / f"my{suffix}"
    frame.to_excel(path, index=False) if suffix == ".xlsx" else frame.to_parquet(path)
    reading = read_file(path, Form())
    assert reading.header == ["n", "k", "t", "b"]
    assert reading.rows == [["1", "1", "a", "True"], ["", "2", "", "False"], ["2.5", "3", "NA", "True"]]


def test_an_old_excel_file_is_read_with_its_dates_numbers_and_empty_cells():
    # Written with xlwt, which nobody maintains: no library of this project writes the format.
    reading = read_file(Path(__file__).parents[1] / "loans.xls", Form())
    assert reading.header == ["id", "income", "born", "country", "owns", "granted"]
    assert reading.rows[:2] == [
        ["0", "", "1950-01-01", "ZA", "False", "yes"],
        ["1", "1007.25", "1950-04-08", "ZA", "False", "no"],
    ]
    assert reading.notes[0].startswith("read as Excel, sheet 'loans'")


def test_a_broken_parquet_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="not a Parquet file"):
        read(tmp_path, b"PAR1", name="my.parquet")


@pytest.mark.parametrize("above", ["Loan book 2016\n", ",X1,Y\n", "exported by risk, 2016\n\nLoans of, the north\n"])
@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_header_below_titles_is_found_by_the_target_s_name_with_a_word(tmp_path, above, suffix):
    table = [line.split(",") for line in f"{above}id,amount,paid\n1,10,yes\n2,20,no\n3,20,yes".splitlines()]
    if suffix == ".csv":
        (tmp_path / "my.csv").write_text("\n".join(map(",".join, table)))
    else:
        book = openpyxl.Workbook()
        for row in table:
            book.active.append(row)
        book.save(tmp_path / "my.xlsx")
    reading = read_file(tmp_path / f"my{suffix}", Form(), "paid")
    assert (reading.header, reading.rows[0]) == (["id", "amount", "paid"], ["1", "10", "yes"])
    assert reading.source.rows_above == len([line for line in above.splitlines() if line])
    assert f"rows above the header, left out: {reading.source.rows_above}" in reading.notes


def test_a_row_of_data_that_holds_the_target_s_name_is_no_header(tmp_path):
    (tmp_path / "my.csv").write_text("status,home\nY,own\nN,rent\nY,rent\n")
    assert read_file(tmp_path / "my.csv", Form(), "Y").header == ["status", "home"]


def test_arff_is_read_as_the_csv_of_its_attributes_and_data(tmp_path):
    head = "% made by hand\n@RELATION credit\n\n@attribute 'checking status' {'<0', none}\n@attribute debt REAL\n"
    head += "@ATTRIBUTE class {good,bad}\n@data\n"
    reading = read(tmp_path, head + "% a comment\n'<0, or none',1.5,good\nnone,?,bad\n", name="my.arff")
    assert reading.header == ["checking status", "debt", "class"]
    assert reading.rows == [["<0, or none", "1.5", "good"], ["none", "?", "bad"]]
    assert [row.line for row in reading.rows] == [9, 10]


def test_notes_below_the_rows_are_left_out_with_a_word(tmp_path):
    reading = read(tmp_path, 'id,amount,paid\n1,10,yes\n2,20,no\n\n"Total amount: 30"\n(2 rows affected)\n')
    assert reading.rows == [["1", "10", "yes"], ["2", "20", "no"]]
    assert reading.source.notes_below
    assert "notes below the rows, left out: rows 5, 6" in reading.notes


def test_a_first_row_with_an_empty_cell_where_the_rows_below_have_numbers_is_no_header(tmp_path):
    with pytest.raises(DataError, match="--no-header"):
        read(tmp_path, "1\tWeb\t\t39\n2\tTel\t105\t40\n3\tWeb\t11\t41\n")
    assert read(tmp_path, ",a,b\n0,1,2\n1,3,4\n").header == ["column_1", "a", "b"]


def test_a_first_row_with_a_marker_where_the_rows_below_have_numbers_is_no_header(tmp_path):
    with pytest.raises(DataError, match="--no-header"):
        read(tmp_path, "?,u,2.5,+\n30,y,1.5,-\n31,y,?,+\n")
    assert read(tmp_path, "NA,name\n1,x\n2,y\n").header == ["NA", "name"]


def test_a_number_with_an_unquoted_comma_shifts_no_column(tmp_path):
    with pytest.raises(DataError, match=r"row 2: 3 cells, expected 2.*a cell that holds a comma needs quotes"):
        read(tmp_path, "income,y\n12,500,yes\n13,500,no\n")


def test_a_header_that_stands_again_is_no_row_on_any_path(tmp_path):
    data, remarks = "home,y\nown,1\nhome,y\nrent,0\n", []
    reading = read(tmp_path, data)
    assert reading.rows == [["own", "1"], ["rent", "0"]]
    assert reading.notes[1:] == ("rows that repeat the header, left out: row 3",)
    lines = split_rows(io.StringIO(data), "comma")
    assert list(clean_rows(lines, reading.source, (), "y", remarks))[1:] == reading.rows
    assert remarks == ["rows that repeat the header, left out: row 3"]
    assert len(read(tmp_path, "own,a\nown,a\nrent,b\n", Form(names=("home", "y"))).rows) == 3


def test_a_rule_below_the_header_is_no_row(tmp_path):
    assert read(tmp_path, "a,b\n----,-\n1,2\n").rows == [["1", "2"]]
    assert read(tmp_path, " a | b \n-----+----\n 1 | 2\n").rows == [["1", "2"]]
    assert read(tmp_path, "a,b\n---,-\n1,2\n").rows == [["---", "-"], ["1", "2"]]


@pytest.mark.parametrize(
    ("data", "advice"),
    [
        ("a;b\n1;2;\n3;4;\n", "rows end with a separator and the header does not: add one to it"),
        ("'a','b'\n'1','2, 3'\n", "names in single quotes, expected none or double ones"),
        ("[1, 2, true]\n[3, 4, false]\n", "lines=True"),
    ],
)
def test_a_form_that_is_not_read_is_refused_with_what_to_do(tmp_path, data, advice):
    with pytest.raises(DataError, match=re.escape(advice)):
        read(tmp_path, data)

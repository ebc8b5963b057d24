import io
import zipfile
from pathlib import Path

import openpyxl
import pytest

from loan_approval.data.reading import Form, read_file
from loan_approval.data.workbooks import read_excel
from loan_approval.errors import DataError

XLS = Path(__file__).parents[1] / "loans.xls"


def workbook(*rows, **cells) -> bytes:
    book, file = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    for place, value in cells.items():
        book.active[place] = value
    book.save(file)
    return file.getvalue()


def test_line_ends_in_a_cell_are_one_kind():
    rows, _ = read_excel(workbook(["a", "b"], ["home_x000D_loan", "car_x000D_\nloan"]))
    assert rows[1] == ["home\nloan", "car\nloan"]


@pytest.mark.parametrize("cut", [10, 600])
def test_a_damaged_old_workbook_is_refused_without_a_word_from_the_reader(cut, capfd):
    with pytest.raises(DataError, match="it may be damaged"):
        read_excel(XLS.read_bytes()[:-cut])
    assert capfd.readouterr() == ("", "")


def test_an_archive_without_a_workbook_is_to_be_unpacked():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("my.csv", "a,b\n1,2\n")
    with pytest.raises(DataError, match="unpack it first"):
        read_excel(file.getvalue())


@pytest.mark.parametrize("far", [{"XFD1": 1, "A1048576": 1}, {"XFD1048576": "x"}])
def test_a_sheet_with_a_cell_far_away_is_refused_with_what_to_delete(far, monkeypatch):
    # The reader would end the whole process.
    class Book:
        sheet_names = ("Sheet",)

        def get_sheet_by_name(self, name):
            pytest.fail("the reader was asked")

    monkeypatch.setattr("python_calamine.load_workbook", lambda file: Book())
    with pytest.raises(DataError, match=r"reaches to XFD1048576.*delete the stray cells in row 1048576 and column XFD"):
        read_excel(workbook(["a", "b"], [1, 2], **far))


def test_a_long_sheet_is_read():
    assert read_excel(workbook(["a", "b"], [1, 2], B100000=3))[0][-1] == ["", "3"]


def test_rows_without_a_value_are_counted(tmp_path):
    (tmp_path / "my.xlsx").write_bytes(workbook(["a", "b"], [1, 2], ["#N/A", "#N/A"], [3, 4]))
    reading = read_file(tmp_path / "my.xlsx", Form())
    assert reading.rows == [["1", "2"], ["3", "4"]]
    assert "rows passed over, as every cell is empty or has an error: 1" in reading.notes
    assert reading.notes[0].endswith("; read as empty, having an error such as #N/A: 2 cells of the workbook")


def test_a_note_below_the_rows_of_a_sheet_is_one_cell_but_a_value_of_its_column_is_none():
    rows = [["purpose", "amount"], ["home loan", 1], ["car loan", 2], ["home loan"], ["3 000"], ["(4 rows affected)"]]
    assert [len(row) for row in read_excel(workbook(*rows))[0]] == [2, 2, 2, 2, 2, 1]
    assert [len(row) for row in read_excel(workbook(*rows[:4]))[0]] == [2, 2, 2, 2]


def test_sheets_that_are_not_read_are_named():
    book = openpyxl.Workbook()
    book.active.append(["Cover"])
    book.create_sheet("Data").append(["a", "b"])
    book.save(file := io.BytesIO())
    _, (remark,) = read_excel(file.getvalue())
    assert remark.startswith("read as Excel, sheet 'Sheet', the first with cells; not read: Data (to read another,")

"""The owner's file itself, whatever its form, is scored and checked as the clean data set that `init` made of it."""

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loan_approval.batch.clean_copies import clean_copies
from loan_approval.batch.files import absolute, list_inputs
from loan_approval.batch.shards import plan_shards
from loan_approval.batch.tables import read_rows
from loan_approval.data.datasets import read_dataset
from loan_approval.data.drafting import draft_data_set
from loan_approval.data.reading import Form
from loan_approval.data.wishes import Wishes
from loan_approval.data_check.table import read_table
from loan_approval.errors import BatchError, DataError
from serve.contract.contract import Contract
from serve.contract.tables import encode_csv

ROWS = 60
FRAME = pd.DataFrame(
    {
        "id": range(ROWS),
        "income": [f"{1000 + 7 * row * row % 9000}.25" for row in range(ROWS)],
        "country": [("ZA", "NA", "None")[row // 2 % 3] for row in range(ROWS)],
        "owns": [("True", "False")[row // 3 % 2] for row in range(ROWS)],
        "grade": [("1", "2", "NA")[row // 2 % 3] for row in range(ROWS)],
        "granted": [("yes", "no", "Yes", "NO")[row % 4] for row in range(ROWS)],
    }
)


def as_csv(separator=",", frame=FRAME, end="\n"):
    return frame.to_csv(index=False, sep=separator, lineterminator=end)


def with_comma(frame=FRAME):
    return frame.assign(income=frame["income"].str.replace(".", ","))


def with_points(frame=FRAME):
    return frame.assign(income=[f"{float(cell):,.2f}".translate({44: 46, 46: 44}) for cell in frame["income"]])


KINDS = {
    "comma": as_csv(),
    "semicolon": as_csv(";", with_comma()),
    "thousands": as_csv(";", with_points()),
    "quoted decimal comma": as_csv(",", with_comma()),
    "quoted thousands": as_csv(",", with_points()),
    "tab": as_csv("\t"),
    "bar": as_csv("|"),
    "space": as_csv(" "),
    "CRLF": as_csv(end="\r\n"),
    "CR": as_csv(end="\r"),
    "sep line": "sep=,\n" + as_csv(),
    "notes below": as_csv() + "\nAmount funded in all: 2087217200\n(60 rows affected)\n",
    "comments": "# a comment\n" + as_csv() + "\n# the end\n",
    "dollars": as_csv(frame=FRAME.assign(income=[f"${float(cell):,.2f}" for cell in FRAME["income"]])),
    "percent": as_csv(frame=FRAME.assign(income=FRAME["income"] + "%")),
    "markers": as_csv(frame=FRAME.assign(income=FRAME["income"].where(FRAME.index % 9 > 0, "#N/A"))),
    "codes": as_csv(frame=FRAME.assign(income=FRAME["income"].where(FRAME.index % 9 > 0, "-999"))),
    "unlabelled": as_csv(frame=FRAME.assign(granted=FRAME["granted"].where(FRAME.index % 9 > 0, "?"))),
    "UTF-16": as_csv("\t").encode("utf-16"),
    "Latin-1": as_csv(";", with_comma(FRAME.replace("ZA", "São"))).encode("latin-1"),
    "byte-order mark": as_csv().encode("utf-8-sig"),
    "no last newline": as_csv().rstrip(),
    "no header": as_csv().partition("\n")[2],
}


@pytest.fixture(params=KINDS)
def kind(request, tmp_path):
    """A source of each form, the contract that was drafted from it with its questions answered, and the clean CSV."""
    data = KINDS[request.param]
    path = tmp_path / "source.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    form = Form(has_header=False, names=tuple(FRAME)) if request.param == "no header" else Form()
    draft = draft_data_set(tmp_path / "mine", path, "granted", Wishes(form))
    text = re.sub(r"(?m)^question = .*\n", "", draft.contract.read_text())
    draft.contract.write_text(text)
    return request.param, path, Contract.load(draft.contract), draft.dataset


def scored(path: Path, contract: Contract, keep=()) -> tuple[np.ndarray, dict]:
    files = list_inputs(absolute(str(path)))
    with clean_copies(files, contract, keep) as readable:
        parts = [rows for shard in plan_shards(readable, contract, keep) for rows in read_rows(shard, contract, keep)]
    return np.concatenate([rows.X for rows in parts]), {
        key: value for rows in parts for key, value in rows.faults.items()
    }


def test_every_path_reads_the_source_as_the_clean_data_set(kind):
    name, path, contract, dataset = kind
    loaded = read_dataset(dataset, contract, "mine")
    assert loaded.X.shape[1] == 3
    assert "NA" in loaded.frame["country"].tolist()
    assert loaded.frame["income"].median() > 900
    np.testing.assert_array_equal(encode_csv(contract, dataset.read_bytes()), loaded.X)
    for file in (path, dataset):
        table = read_table(file, contract)
        assert table.broken == []
        pd.testing.assert_frame_equal(table.frame, loaded.frame, check_dtype=False)
        X, faults = scored(file, contract)
        assert faults == {}
        if name == "unlabelled" and file == path:  # each row is decided
            X = X[np.arange(ROWS) % 9 > 0]
        np.testing.assert_array_equal(X, loaded.X)


def test_a_column_that_the_data_set_leaves_out_can_be_kept(kind):
    _, path, contract, _ = kind
    files = list_inputs(absolute(str(path)))
    with clean_copies(files, contract, ["id"]) as readable:
        (shard,) = plan_shards(readable, contract, ["id"])
        (rows,) = read_rows(shard, contract, ["id"])
    assert [str(value) for value in rows.kept[0].to_pylist()] == [str(row) for row in range(ROWS)]


@pytest.mark.parametrize("suffix", [".xlsx", ".xls", ".parquet"])
def test_excel_and_parquet_sources_are_read_on_every_path(tmp_path, suffix):
    frame = FRAME.drop(columns="grade").assign(income=FRAME["income"].astype(float), owns=FRAME["owns"] == "True")
    path = tmp_path / f"source{suffix}"
    if suffix == ".xls":
        path.write_bytes((Path(__file__).parents[1] / "loans.xls").read_bytes())
    else:
        frame.to_excel(path, index=False) if suffix == ".xlsx" else frame.to_parquet(path)
    answers = {"positive": "yes", "meaning": "repaid"}
    draft = draft_data_set(tmp_path / "mine", path, "granted", Wishes(answers=answers))
    contract = Contract.load(draft.contract)
    loaded = read_dataset(draft.dataset, contract, "mine")
    assert read_table(path, contract).broken == []
    X, faults = scored(path, contract)
    assert faults == {}
    np.testing.assert_array_equal(X, loaded.X)


DRESSED = {
    "text": FRAME["income"],
    "decimal comma": with_points()["income"],
    "dollars": [f"${float(cell):,.2f}" for cell in FRAME["income"]],
    "markers": FRAME["income"].where(FRAME.index % 9 > 0, "n/a"),
    "dictionary": FRAME["income"].astype("category"),
    "decimals": list(map(Decimal, FRAME["income"])),
}


@pytest.mark.parametrize("kind", DRESSED)
def test_parquet_whose_numbers_are_no_numbers_is_scored_as_the_clean_data_set(tmp_path, kind):
    path = tmp_path / "source.parquet"
    FRAME.assign(income=DRESSED[kind]).to_parquet(path)
    draft = draft_data_set(tmp_path / "mine", path, "granted", Wishes(answers={"positive": "yes", "meaning": "repaid"}))
    contract = Contract.load(draft.contract)
    X, faults = scored(path, contract)
    assert faults == {}
    np.testing.assert_array_equal(X, read_dataset(draft.dataset, contract, "mine").X)


def test_parquet_of_right_types_is_not_copied_and_one_of_wrong_types_is_refused(tmp_path, homes_contract):
    contract = replace(homes_contract, source={"missing": {"home": ["?"]}})
    path = tmp_path / "batch.parquet"
    for home, amount in (([0, 1], [1.5, 2]), (["own", "rent"], [[1.5], [2.0]])):
        pd.DataFrame({"amount": amount, "home": home}).to_parquet(path)
        files = list_inputs(str(path))
        with clean_copies(files, contract, ()) as readable:
            assert readable == files
            with pytest.raises(DataError, match="expected"):
                plan_shards(readable, contract)
    pd.DataFrame({"amount": [1.5, 2], "home": ["own", "?"]}).to_parquet(path)
    np.testing.assert_array_equal(scored(path, contract)[0], [[0, 1.5, np.nan], [np.nan, 2, np.nan]])


def test_lines_that_end_in_cr_alone_are_scored_without_a_source_too(tmp_path, homes_contract):
    path = tmp_path / "batch.csv"
    path.write_bytes(b"home,amount\rown,10\rrent,20\r")
    np.testing.assert_array_equal(scored(path, homes_contract)[0], [[0, 10, np.nan], [1, 20, np.nan]])


def test_a_clean_file_is_not_copied(tmp_path, homes_contract):
    (tmp_path / "batch.csv").write_bytes(b"home,amount\r\nown,10\r\n")
    files = list_inputs(str(tmp_path / "batch.csv"))
    with clean_copies(files, homes_contract, ()) as readable:
        assert readable == files


def test_a_file_that_cannot_be_copied_is_named(tmp_path, homes_contract):
    (tmp_path / "batch.csv").write_bytes(b'home,amount\r"own"x,10\r')
    files = list_inputs(str(tmp_path / "batch.csv"))
    with pytest.raises(DataError, match=r"batch\.csv: can't be read"), clean_copies(files, homes_contract, ()):
        pass


def test_on_a_cluster_a_file_must_be_clean(tmp_path, homes_contract, monkeypatch):
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://127.0.0.1:1")
    (tmp_path / "batch.csv").write_bytes(b"home,amount\rown,10\r")
    files = list_inputs(str(tmp_path / "batch.csv"))
    with pytest.raises(BatchError, match="on a cluster expected CSV as init writes it"):
        clean_copies(files, homes_contract, ()).__enter__()


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_rows_below_are_left_out_with_a_word_and_no_applicant_is(tmp_path, homes_contract, suffix):
    contract, path, said = replace(homes_contract, source={"notes_below": True}), tmp_path / f"batch{suffix}", []
    table = [
        ["home", "amount"],
        ["own", "10"],
        ["a b", ""],
        ["a b", ""],
        ["(3 rows affected)", None][: 1 + (suffix == ".xlsx")],
    ]
    if suffix == ".csv":
        path.write_text("\n".join(map(",".join, table)))
    else:
        pd.DataFrame(table).to_excel(path, index=False, header=False)
    with clean_copies(list_inputs(str(path)), contract, (), said.append) as (file,):
        assert len(Path(file.copy).read_text().splitlines()) == 4
    assert said[-1] == f"{path}: notes below the rows, left out: row 5"
    assert read_table(path, contract).remarks == [each.removeprefix(f"{path}: ") for each in said]

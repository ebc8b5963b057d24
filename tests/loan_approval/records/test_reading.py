from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loan_approval.errors import LogError
from loan_approval.records.reading import (
    read_decisions,
    read_refusals,
    read_reviews,
    read_shadow,
    require_contract,
    require_rows,
)
from serve.contract.contract import Contract
from tests.prediction_logs import NOON, make_id, make_line, write_lines, write_time

MIXED = {"amount": 10, "home": "own"}
CONTRACT = Contract.load(Path(__file__).parents[3] / "data/loans/contract.toml")
DAY = timedelta(days=1)


def test_a_decision_is_a_row_with_its_features_as_columns(tmp_path: Path) -> None:
    line = make_line(MIXED, NOON, **{"monitored.region": "north"})
    write_lines(tmp_path, [line])
    lines = read_decisions(tmp_path)
    row = lines.frame.iloc[0]
    assert (len(lines.frame), lines.torn) == (1, 0)
    assert row["time"] == pd.Timestamp(NOON)
    assert row["decision_id"] == line["decision_id"]
    assert (row["input.amount"], row["input.home"], row["monitored.region"]) == (10.0, "own", "north")
    assert list(row["reasons"]) == ["CREDIT_SCORE"]
    assert lines.frame["input.amount"].dtype == np.float64


def test_decisions_of_several_writers_and_days_are_in_the_order_of_their_times(tmp_path: Path) -> None:
    write_lines(tmp_path, [make_line({"n": 3}, NOON + DAY), make_line({"n": 1}, NOON)], writer="b-000000")
    write_lines(tmp_path, [make_line({"n": 2}, NOON + DAY / 4)], writer="a-000000")
    assert read_decisions(tmp_path).frame["input.n"].tolist() == [1, 2, 3]


def test_the_window_takes_its_beginning_and_leaves_its_end(tmp_path: Path) -> None:
    hours = [make_line({"n": n}, NOON + timedelta(hours=n)) for n in range(4)]
    write_lines(tmp_path, hours)
    frame = read_decisions(tmp_path, NOON + timedelta(hours=1), NOON + timedelta(hours=3)).frame
    assert frame["input.n"].tolist() == [1, 2]


def test_a_time_without_a_zone_is_utc(tmp_path: Path) -> None:
    write_lines(tmp_path, [make_line(MIXED)])
    assert len(read_decisions(tmp_path, datetime(2026, 11, 23, 12), datetime(2026, 11, 23, 12, 1)).frame) == 1


def test_only_the_days_of_the_window_are_opened(tmp_path: Path) -> None:
    write_lines(tmp_path, [make_line(MIXED)])
    for day in ("2026-11-22", "2026-11-25"):
        (tmp_path / "decisions" / day).mkdir()
        (tmp_path / "decisions" / day / "w1-000000.jsonl").write_text("broken\n")
    assert len(read_decisions(tmp_path, NOON, NOON + DAY).frame) == 1


def test_a_torn_last_line_is_skipped_and_counted(tmp_path: Path) -> None:
    write_lines(tmp_path, [make_line(MIXED)], tail='{"time":"2026-11-23T12:0')
    lines = read_decisions(tmp_path)
    assert (len(lines.frame), lines.torn) == (1, 1)


def test_a_file_that_is_one_torn_line_or_empty_holds_no_decision(tmp_path: Path) -> None:
    day = tmp_path / "decisions/2026-11-23"
    day.mkdir(parents=True)
    (day / "a-000000.jsonl").write_text('{"ti')
    (day / "b-000000.jsonl").write_text("")
    lines = read_decisions(tmp_path)
    assert (len(lines.frame), lines.torn) == (0, 1)


def test_a_last_line_that_lacks_its_newline_only_is_whole(tmp_path: Path) -> None:
    (path,) = write_lines(tmp_path, [make_line(MIXED), make_line(MIXED)])
    path.write_bytes(path.read_bytes()[:-1])
    lines = read_decisions(tmp_path)
    assert (len(lines.frame), lines.torn) == (2, 0)


@pytest.mark.parametrize(
    "broken",
    ['{"input.amount": 77777', "77777", '{"time": "soon", "decision_id": "77777"}', '{"input.amount": 77777}', ""],
)
def test_a_broken_line_in_the_middle_is_named_by_file_and_number_without_its_content(
    tmp_path: Path, broken: str
) -> None:
    write_lines(tmp_path, [make_line(MIXED)], tail=broken + "\n")
    write_lines(tmp_path, [make_line(MIXED)])
    with pytest.raises(LogError, match=r"w1-000000\.jsonl: line 2 ") as caught:
        read_decisions(tmp_path)
    assert "77777" not in str(caught.value)


def test_a_line_without_its_id_is_named(tmp_path: Path) -> None:
    write_lines(tmp_path, [make_line(MIXED), make_line(MIXED, decision_id=None)])
    with pytest.raises(LogError, match="line 2 lacks time or decision_id"):
        read_decisions(tmp_path)


def test_a_feature_may_change_its_type_from_one_contract_to_the_next(tmp_path: Path) -> None:
    write_lines(tmp_path, [make_line({"home": 1}), make_line({"home": "own"})])  # in one file, and over two files
    write_lines(tmp_path, [make_line({"home": 2})], writer="w2-000000")
    assert read_decisions(tmp_path).frame["input.home"].tolist() == [1, "own", 2]


def test_categories_that_look_like_dates_stay_text(tmp_path: Path) -> None:
    write_lines(tmp_path, [make_line({"cohort": "2020-01-01"}), make_line({"cohort": None})])
    assert read_decisions(tmp_path).frame["input.cohort"][0] == "2020-01-01"


def test_a_feature_that_is_missing_throughout_a_file_keeps_its_type(tmp_path: Path) -> None:
    write_lines(tmp_path, [make_line({"amount": None})])
    write_lines(tmp_path, [make_line({"amount": 5})], writer="w2-000000")
    column = read_decisions(tmp_path).frame["input.amount"]
    assert column.dtype == np.float64
    assert column.isna().tolist() == [True, False]


def test_an_unfinished_rewrite_and_a_request_to_rotate_are_no_files_of_the_log(tmp_path: Path) -> None:
    (path,) = write_lines(tmp_path, [make_line(MIXED)])
    path.with_name(".w1-000000.jsonl.12ab").write_text("half")
    path.with_name("w1-000000.jsonl.rotate").write_text("")
    lines = read_decisions(tmp_path)
    assert (len(lines.frame), lines.torn) == (1, 0)


def test_an_empty_log_has_columns_and_no_rows(tmp_path: Path) -> None:
    lines = read_decisions(tmp_path)
    assert lines.frame.empty
    assert {"time", "probability", "band"} <= set(lines.frame.columns)
    with pytest.raises(LogError, match=r"nothing was logged from 2026-11-23 12:00:00\+00:00 to now"):
        require_rows(lines, tmp_path, NOON)


def test_decisions_of_another_contract_are_named_by_its_fingerprint(tmp_path: Path) -> None:
    right = [make_line({}, contract=CONTRACT.fingerprint) for _ in range(3)]
    write_lines(tmp_path, [*right, make_line({}, contract="f" * 64)])
    frame = read_decisions(tmp_path).frame
    assert len(require_contract(frame[:3], CONTRACT)) == 3
    with pytest.raises(LogError, match=f"1 of 4 decisions .* {'f' * 64}, expected .* {CONTRACT.fingerprint}"):
        require_contract(frame, CONTRACT)


def test_decisions_of_another_model_name_are_refused(tmp_path: Path) -> None:
    write_lines(tmp_path, [make_line({}, contract=CONTRACT.fingerprint, model_name="another_model")])
    with pytest.raises(LogError, match="'another_model'"):
        require_contract(read_decisions(tmp_path).frame, CONTRACT)


def test_refusals_are_counts_of_a_minute(tmp_path: Path) -> None:
    counts = {"route": "/api/v2/predict", "field": "Age", "kind": "out of range", "count": 3}
    lines = [{"minute": f"2026-11-23T12:3{n}Z", **counts} for n in (4, 5)]
    write_lines(tmp_path, lines, "refusals", "w1")
    frame = read_refusals(tmp_path, NOON, NOON + timedelta(minutes=35)).frame
    assert frame["minute"].tolist() == [pd.Timestamp(NOON + timedelta(minutes=34))]
    assert frame["count"].tolist() == [3]


def test_shadow_scores_and_reviews_are_read_alike(tmp_path: Path) -> None:
    score = {"time": write_time(NOON), "decision_id": make_id(), "probability": 0.5, "code": 0}
    write_lines(tmp_path, [score], "shadow")
    (tmp_path / "reviews.jsonl").write_text(f'{{"time":"{write_time(NOON)}","decision_id":"d","outcome":"approve"}}\n')
    shadow, reviews = read_shadow(tmp_path), read_reviews(tmp_path)
    assert shadow.frame["code"].tolist() == [0]
    assert reviews.frame["outcome"].tolist() == ["approve"]

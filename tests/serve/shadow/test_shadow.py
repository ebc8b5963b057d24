import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask

from serve.api.lane import TARGET, Lane
from serve.contract.contract import Contract
from serve.metrics.observer import Observer
from serve.records.decided import Decided
from serve.records.log_file import LogFile
from serve.shadow import shadow as shadow_module
from serve.shadow.comparison import ShadowCounts
from serve.shadow.shadow import Shadow, make_shadow
from serve.store.live import LiveModel, Loaded
from serve.store.pointer import Pointer
from serve.store.store import Store
from tests.exposition import read_series
from tests.server_process import point_without_check

AT = 1795435200.25  # 2026-11-23T12:00:00.250Z
PAIR = ("version", "champion")
LABELS = {
    "loan_shadow_scored_total": PAIR,
    "loan_shadow_flips_total": (*PAIR, "decision"),
    "loan_shadow_difference_bucket": (*PAIR, "side", "le"),
    "loan_shadow_difference_sum": (*PAIR, "side"),
    "loan_shadow_difference_count": (*PAIR, "side"),
    "loan_shadow_dropped_total": ("reason",),
    "loan_shadow_swaps_total": ("result",),
    "loan_shadow_workers": ("version", "sha256"),
}


@dataclass(frozen=True)
class Stage:
    """A champion, and a shadow that scores on demand."""

    champion: Loaded
    shadow: Shadow
    observer: Observer
    folder: Path

    def put(self, X: np.ndarray, many: bool = True, decision_id: str = "an-id", champion: Loaded | None = None) -> None:
        """Answer rows as a server does."""
        champion = champion or self.champion
        p = champion.scorer.score(X)
        codes = champion.scorer.decide(p)
        decided = Decided(AT, decision_id, "/", champion, X, p.tolist(), codes.tolist(), 0.001, many=many)
        self.shadow.put(decided)

    def series(self, name: str) -> dict[tuple[str, ...], float]:
        return read_series(self.observer.expose().decode(), name, *LABELS.get(name, ()))

    def dropped(self) -> dict[str, float]:
        """Return the reasons for which something was dropped."""
        return {reason: count for (reason,), count in self.series("loan_shadow_dropped_total").items() if count}

    def lines(self) -> list[dict[str, Any]]:
        """Return the shadow log."""
        paths = sorted(self.folder.glob("shadow/*/*.jsonl"))
        return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


@pytest.fixture
def challenge(shelf) -> Callable[..., Pointer]:
    """Return a function that puts a model file into the shadow."""

    def point(name: str, version: str = "8") -> Pointer:
        scorer = shelf.store.install(shelf.model_file(name), {})
        pointer = Pointer(scorer.sha256, scorer.contract.model_name, "challenger", version, "run-2", "passed")
        Store(shelf.store.path, "challenger").point(pointer)
        return pointer

    return point


@pytest.fixture
def stage(shelf, tmp_path) -> Stage:
    shelf.promote("loans", version="7")
    live, observer = LiveModel(shelf.store), Observer()
    live.refresh()
    challenger = LiveModel(Store(shelf.store.path, "challenger"), shadow=True)
    folder = tmp_path / "predictions"
    shadow = Shadow(challenger, ShadowCounts(observer.tallies), LogFile(folder, "shadow", 2**20))
    return Stage(live.current, shadow, observer, folder)


@pytest.fixture
def rows(loans: Contract, application) -> np.ndarray:
    """Applications that differ in their credit score, so that models with another bias decide some otherwise."""
    scores = np.linspace(300, 850, 56).round()
    return np.concatenate([loans.encode(application | {"Credit_Score": score}) for score in scores])


def score(stage: Stage) -> None:
    stage.shadow.live.refresh()
    stage.shadow.score_waiting()


def test_what_was_answered_is_scored_and_flips_and_differences_are_counted(stage, challenge, rows):
    pointer = challenge("loans_strict")
    stage.put(rows)
    score(stage)
    p = stage.champion.scorer.score(rows)
    strict = stage.shadow.live.current.scorer
    new, codes, before = strict.score(rows), strict.decide(strict.score(rows)), stage.champion.scorer.decide(p)
    flips = {"Approved": int(np.sum(codes > before)), "Não Aprovado": int(np.sum(codes < before))}
    assert flips["Não Aprovado"] > 0
    assert stage.series("loan_shadow_scored_total") == {("8", "7"): len(rows)}
    assert stage.series("loan_shadow_flips_total") == {("8", "7", label): count for label, count in flips.items()}
    counts, sums = stage.series("loan_shadow_difference_count"), stage.series("loan_shadow_difference_sum")
    assert counts == {("8", "7", "above"): np.sum(new >= p), ("8", "7", "below"): np.sum(new < p)}
    assert sums["8", "7", "below"] == pytest.approx(np.sum(p[new < p] - new[new < p]))
    assert stage.series("loan_shadow_workers") == {("8", pointer.sha256): 1}
    assert stage.dropped() == {}


def test_each_row_has_a_line_with_the_id_of_its_decision(stage, challenge, rows):
    pointer = challenge("loans_strict")
    stage.put(rows[:1], many=False, decision_id="one")
    stage.put(rows[1:4], decision_id="several")
    score(stage)
    lines = stage.lines()
    assert [line["decision_id"] for line in lines] == ["one", "several.0", "several.1", "several.2"]
    p, new = stage.champion.scorer.score(rows[:4]), stage.shadow.live.current.scorer.score(rows[:4])
    assert [line["probability"] for line in lines] == new.tolist()
    assert [line["champion_probability"] for line in lines] == p.tolist()
    first = {
        key: value for key, value in lines[0].items() if key not in ("time", "probability", "champion_probability")
    }
    assert first == {
        "decision_id": "one",
        "model_version": "8",
        "model_sha256": pointer.sha256,
        "code": int(new[0] >= stage.shadow.live.current.scorer.threshold),
        "champion_sha256": stage.champion.scorer.sha256,
        "champion_code": int(p[0] >= stage.champion.scorer.threshold),
    }
    assert lines[0]["time"] == "2026-11-23T12:00:00.250000Z"
    assert [path.parent.name for path in stage.folder.glob("shadow/*/*")] == ["2026-11-23"]


def test_a_batch_longer_than_a_step_keeps_its_rows_in_order(stage, challenge, rows):
    challenge("loans_strict")
    many = np.tile(rows, (7, 1))
    stage.put(many, decision_id="batch")
    score(stage)
    lines = stage.lines()
    assert [line["decision_id"] for line in lines] == [f"batch.{row}" for row in range(len(many))]
    assert [line["champion_probability"] for line in lines] == stage.champion.scorer.score(many).tolist()
    assert stage.series("loan_shadow_scored_total") == {("8", "7"): len(many)}


def test_a_full_queue_drops_what_is_one_too_many_and_counts_it(stage, challenge, rows, monkeypatch):
    monkeypatch.setattr(shadow_module, "SHADOW_QUEUE_ROWS", 60)
    challenge("loans_strict")
    stage.put(rows, decision_id="first")
    stage.put(rows, decision_id="second")
    stage.put(rows[:1], many=False, decision_id="third")
    assert stage.dropped() == {"queue full": 2 * len(rows) + 1 - 60}
    score(stage)
    assert [line["decision_id"] for line in stage.lines()[-4:]] == [f"second.{row}" for row in range(4)]
    stage.put(rows[:1], many=False, decision_id="fourth")  # there is room again
    score(stage)
    assert stage.lines()[-1]["decision_id"] == "fourth"
    assert stage.series("loan_shadow_scored_total") == {("8", "7"): 61}


def test_without_a_challenger_nothing_is_scored_and_one_line_says_so(stage, rows, caplog):
    for _ in range(3):
        stage.put(rows)
        score(stage)
    assert stage.dropped() == {"no challenger": 3 * len(rows)}
    assert [record.getMessage() for record in caplog.records] == [
        "there is no challenger: nothing is scored in the shadow"
    ]
    assert stage.lines() == []


@pytest.mark.parametrize(
    ("challenger", "reason", "words"),
    [
        ("loans", "same model", "version 8, is the file that answers"),
        (
            *("mixed", "other contract"),
            "version 8 can't score in the shadow of version 7, its scored features are others",
        ),
    ],
)
def test_a_challenger_that_can_not_differ_or_not_read_is_not_asked_and_one_line_says_why(
    stage, challenge, rows, caplog, challenger, reason, words
):
    challenge(challenger)
    for _ in range(2):
        stage.put(rows)
        score(stage)
    assert stage.dropped() == {reason: 2 * len(rows)}
    assert len(caplog.records) == 1
    assert words in caplog.text


def test_a_broken_challenger_is_refused_and_counted_and_the_old_one_goes_on(stage, shelf, challenge, rows, caplog):
    pointer = challenge("loans_strict")
    score(stage)
    (shelf.store.path / f"{pointer.sha256}.onnx").write_bytes(b"broken")
    point_without_check(Store(shelf.store.path, "challenger"), replace(pointer, version="9"))
    for _ in range(2):
        stage.put(rows)
        score(stage)
    assert stage.series("loan_shadow_swaps_total") == {("taken",): 1, ("refused",): 1}
    assert stage.series("loan_shadow_scored_total") == {("8", "7"): 2 * len(rows)}
    assert sum("challenger refused, the old one goes on" in record.getMessage() for record in caplog.records) == 1
    assert stage.series("loan_shadow_workers") == {("8", pointer.sha256): 1}


def test_a_challenger_whose_pointer_is_gone_scores_no_more(stage, shelf, challenge, rows):
    challenge("loans_strict")
    stage.put(rows)
    score(stage)
    Store(shelf.store.path, "challenger").unpoint()
    stage.put(rows)
    score(stage)
    assert stage.dropped() == {"no challenger": len(rows)}
    assert stage.series("loan_shadow_workers") == {}
    challenge("loans_strict", version="9")
    stage.put(rows)
    score(stage)
    assert stage.series("loan_shadow_scored_total") == {("8", "7"): len(rows), ("9", "7"): len(rows)}


def test_after_a_swap_of_either_model_each_row_is_compared_with_the_one_that_answered_it(stage, shelf, challenge, rows):
    challenge("loans_strict")
    stage.put(rows)
    shelf.promote("loans_reviewed", version="17")
    live = LiveModel(shelf.store)
    live.refresh()
    stage.put(rows, champion=live.current)
    score(stage)
    newer = challenge("loans_bandless", version="18")
    stage.put(rows, champion=live.current)
    score(stage)
    assert stage.series("loan_shadow_scored_total") == dict.fromkeys((("8", "7"), ("8", "17"), ("18", "17")), len(rows))
    assert stage.series("loan_shadow_workers") == {("18", newer.sha256): 1}
    shas = [line["champion_sha256"] for line in stage.lines()]
    assert shas == [stage.champion.scorer.sha256] * len(rows) + [live.current.scorer.sha256] * 2 * len(rows)


def test_a_challenger_that_fails_is_counted_told_once_and_asked_again(stage, challenge, rows, caplog, monkeypatch):
    challenge("loans_strict")
    stage.shadow.live.refresh()
    scorer = stage.shadow.live.current.scorer
    with monkeypatch.context() as patch:
        patch.setattr(scorer, "score", lambda X: 1 / 0)
        for _ in range(2):
            stage.put(rows)
            stage.shadow.score_waiting()
    assert stage.dropped() == {"failed": 2 * len(rows)}
    assert sum("ZeroDivisionError" in record.getMessage() for record in caplog.records) == 1
    stage.put(rows)
    stage.shadow.score_waiting()
    assert stage.series("loan_shadow_scored_total") == {("8", "7"): len(rows)}


def test_a_log_that_cant_be_written_costs_lines_and_nothing_else(stage, challenge, rows, caplog):
    challenge("loans_strict")
    stage.folder.mkdir()
    (stage.folder / "shadow").write_text("a file where a folder should be")
    for _ in range(2):
        stage.put(rows)
        score(stage)
        stage.shadow._maintain_file(LogFile.tick)
    assert stage.series("loan_shadow_scored_total") == {("8", "7"): 2 * len(rows)}
    assert stage.series("loan_shadow_unlogged_total") == {(): 2 * len(rows)}
    assert sum("the shadow log can't be written" in record.getMessage() for record in caplog.records) == 1


@pytest.fixture
def shaded(shelf, make_app, challenge, tmp_path) -> Iterator[Flask]:
    """An application with a challenger; it scores on its own thread, until it is closed."""
    shelf.promote("loans", version="7")
    challenge("loans_strict")
    app = make_app(shadow_alias="challenger", prediction_log=tmp_path / "predictions")
    app.extensions["shadow"].live.refresh()
    yield app
    app.extensions["shadow"].close()


def logged(app: Flask, folder: Path) -> list[dict[str, Any]]:
    """End the shadow, and return what it wrote."""
    app.extensions["shadow"].close()
    assert "shadow" not in [thread.name for thread in threading.enumerate()]
    return [json.loads(line) for path in folder.glob("shadow/*/*.jsonl") for line in path.read_text().splitlines()]


def test_every_way_to_ask_is_scored_under_the_id_it_was_answered_with(shaded, application, loans, tmp_path):
    client, ids = shaded.test_client(), []

    def ask(path: str, document: Any, rows: int) -> None:
        response = client.post(path, json=document)
        assert response.status_code == 200
        decision_id = response.headers["X-Decision-Id"]
        ids.extend([decision_id] if rows == 0 else [f"{decision_id}.{row}" for row in range(rows)])

    ask("/api/v2/predict", application, 0)
    ask("/api/v2/decision", application, 0)
    ask("/api/v2/predict/batch", [application] * 3, 3)
    ask("/invocations", {"dataframe_records": [application] * 2}, 2)
    tensor = {"name": "X", "shape": [1, 7], "datatype": "FP64", "data": loans.encode(application)[0].tolist()}
    ask("/v2/models/loan_approval_model/infer", {"inputs": [tensor]}, 1)
    lane = Lane(shaded.extensions["live_model"], shaded.extensions["observer"], shadow=shaded.extensions["shadow"])
    answer = lane(b"POST", TARGET, {b"content-type": b"application/json"})(json.dumps(application).encode())
    ids.append(answer.partition(b"X-Decision-Id: ")[2].partition(b"\r\n")[0].decode())
    lines = logged(shaded, tmp_path / "predictions")
    assert [line["decision_id"] for line in lines] == ids
    assert {(line["champion_code"], line["code"]) for line in lines} == {(1, 0)}
    assert len({line["probability"] for line in lines}) == 1


def test_a_refused_application_is_not_scored(shaded, application, tmp_path):
    client = shaded.test_client()
    for path, document in (
        ("/api/v2/predict", application | {"Age": -1}),
        ("/api/v2/predict/batch", [application, application | {"Age": -1}]),
    ):
        assert client.post(path, json=document).status_code == 422
    assert logged(shaded, tmp_path / "predictions") == []


def test_without_an_alias_there_is_no_shadow(client, application):
    assert client.application.extensions["shadow"] is None
    assert make_shadow(client.application.extensions["settings"], Observer().tallies) is None
    assert client.post("/api/v2/predict", json=application).status_code == 200

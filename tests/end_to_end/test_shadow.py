"""A challenger in the shadow of a real server: what it scores is told, and no answer changes."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serve.model.scorer import Scorer
from serve.store.pointer import Pointer
from serve.store.store import Store
from tests.end_to_end.observed import Observed, exchange, observed_server, prediction
from tests.load import EXAMPLE, PREDICT, load
from tests.model_files import LOANS, LOANS_SCALING, good_files, make_file
from tests.raw_http import post
from tests.server_process import point_without_check, promote, running_server

FILES = good_files() | {"loans_lenient": make_file(LOANS, LOANS_SCALING, bias=2.0)}
CODES = {Scorer(FILES[name]).sha256: code for name, code in {"loans": 1, "loans_strict": 0, "loans_lenient": 1}.items()}
PAIR = ("version", "champion")
ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def challenge(store: Store, name: str, version: str) -> Pointer:
    """Put a file into the shadow."""
    scorer = store.install(FILES[name], {})
    pointer = Pointer(scorer.sha256, scorer.contract.model_name, "challenger", version, "run-2", "passed")
    Store(store.path, "challenger").point(pointer)
    return pointer


def read_lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in folder.glob("shadow/*/*.jsonl") for line in path.read_text().splitlines()]


def ask(path: str, document: Any) -> bytes:
    return post(json.dumps(document).encode()).replace(b"/api/v2/predict", path.encode(), 1)


REQUESTS = [
    prediction(EXAMPLE),
    prediction(EXAMPLE, kind="application/json;charset=utf-8"),  # past the fast lane
    prediction(EXAMPLE | {"Age": 5}),
    ask("/api/v2/decision", EXAMPLE),
    ask("/api/v2/predict/batch", [EXAMPLE] * 3),
    ask("/invocations", {"dataframe_records": [EXAMPLE]}),
]
ROWS = 7  # that are answered


def test_answers_are_the_same_bytes_beside_a_challenger_and_what_it_says_is_told(tmp_path: Path) -> None:
    store, folder = Store(tmp_path / "store"), tmp_path / "predictions"
    champion = promote(store, FILES["loans"], "7")
    challenger = challenge(store, "loans_strict", "8")
    with running_server(tmp_path / "alone", store.path) as alone:
        expected = [ID.sub(b"*", answer) for answer in exchange(alone.port, *REQUESTS)]
    told = {"SERVE_SHADOW_ALIAS": "challenger", "SERVE_PREDICTION_LOG": str(folder)}
    with observed_server(tmp_path / "beside", store.path, **told) as server:
        server.wait_until(lambda: server.series("loan_shadow_workers", "version", "sha256"))
        assert [ID.sub(b"*", answer) for answer in exchange(server.server.port, *REQUESTS)] == expected
        server.wait_until(lambda: server.series("loan_shadow_scored_total", *PAIR) == {("8", "7"): ROWS})
        flips = server.series("loan_shadow_flips_total", *PAIR, "decision")
        assert flips == {("8", "7", "Approved"): 0, ("8", "7", "Não Aprovado"): ROWS}
        assert server.server.stop() == 0
    lines = read_lines(folder)
    assert len({line["decision_id"] for line in lines}) == ROWS
    shas = {(line["champion_sha256"], line["champion_code"], line["model_sha256"], line["code"]) for line in lines}
    assert shas == {(champion.sha256, 1, challenger.sha256, 0)}
    assert not any(str(value) in server.server.log.read_text() for value in (85000, 25000))


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Observed, Store, Path]]:
    """A server with two workers and a challenger, its store, and its prediction log."""
    folder = tmp_path_factory.mktemp("beside")
    store = Store(folder / "store")
    promote(store, FILES["loans"], "v1")
    challenge(store, "loans_strict", "v2")
    told = {"SERVE_SHADOW_ALIAS": "challenger", "SERVE_PREDICTION_LOG": str(folder / "log"), "SERVE_WORKERS": "2"}
    with observed_server(folder, store.path, **told) as server:
        server.wait_until(lambda: sum(server.series("loan_shadow_workers", "version", "sha256").values()) == 2)
        yield server, store, folder / "log"


def dealt_with(server: Observed) -> float:
    """Return how many answers were scored, or dropped and counted."""
    scored, dropped = (server.series(f"loan_shadow_{name}_total", *labels) for name, labels in COUNTED.items())
    return sum(scored.values()) + sum(dropped.values())


COUNTED = {"scored": PAIR, "dropped": ("reason",)}


def test_both_models_are_swapped_under_load_and_no_line_mixes_them(beside: tuple[Observed, Store, Path]) -> None:
    server, store, folder = beside
    before = dealt_with(server)

    def wait_for_pair(challenger: str, champion: str) -> None:
        server.wait_until(lambda: workers("shadow", challenger) == workers("model", champion) == 2)
        server.wait_until(lambda: server.series("loan_shadow_scored_total", *PAIR).get((challenger, champion), 0) > 0)

    def workers(kind: str, version: str) -> float:
        series = server.series(f"loan_{kind}_workers", "version", "sha256")
        return sum(count for (of, _), count in series.items() if of == version)

    with load(server.server.port, 2, PREDICT, pause=0.002) as asked:
        wait_for_pair("v2", "v1")
        promote(store, FILES["loans_lenient"], "v3")
        wait_for_pair("v2", "v3")
        challenge(store, "loans", "v4")
        wait_for_pair("v4", "v3")
    assert asked.broken == []
    assert {answer.status for answer in asked.answers} == {200}
    server.wait_until(lambda: dealt_with(server) == before + len(asked.answers))
    lines = {line["decision_id"]: line for line in read_lines(folder)}
    assert all(CODES[line["model_sha256"]] == line["code"] for line in lines.values())
    for answer in asked.answers:
        line = lines.get(answer.header("x-decision-id"))
        assert line is None or line["champion_sha256"] == answer.header("x-model-sha256")
    assert len({(line["model_sha256"], line["champion_sha256"]) for line in lines.values()}) == 3


def test_a_broken_challenger_touches_neither_answers_nor_the_challenger_before_it(
    beside: tuple[Observed, Store, Path],
) -> None:
    server, store, _ = beside
    shadow = Store(store.path, "challenger")
    right, answering = shadow.pointer(), store.pointer()
    before = dealt_with(server)
    (store.path / f"{'0' * 64}.json").write_text("{}")
    (store.path / f"{'0' * 64}.onnx").write_bytes(b"not a model")
    with load(server.server.port, 1, PREDICT, pause=0.002) as asked:
        point_without_check(shadow, replace(right, sha256="0" * 64, version="v9"))
        server.wait_until(lambda: server.series("loan_shadow_swaps_total", "result")["refused",] == 2)
        shadow.pointer_path.write_text("{")
        server.wait_until(lambda: server.series("loan_shadow_swaps_total", "result")["refused",] == 4)
    server.wait_until(lambda: dealt_with(server) == before + len(asked.answers))
    assert asked.broken == []
    assert {answer.header("x-model-sha256") for answer in asked.answers} == {answering.sha256}
    assert server.series("loan_shadow_workers", "version", "sha256") == {(right.version, right.sha256): 2}
    assert server.series("loan_model_swaps_total", "result")["refused",] == 0


def test_a_challenger_is_gone_with_its_pointer(beside: tuple[Observed, Store, Path]) -> None:
    server, store, _ = beside
    Store(store.path, "challenger").unpoint()
    server.wait_until(lambda: server.series("loan_shadow_workers", "version", "sha256") == {})
    before = dealt_with(server)
    scored = server.series("loan_shadow_scored_total", *PAIR)
    exchange(server.server.port, PREDICT)
    server.wait_until(lambda: dealt_with(server) == before + 1)
    assert server.series("loan_shadow_scored_total", *PAIR) == scored

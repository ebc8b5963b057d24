"""`promote`, `rollback`, `history`, `shadow`, `serve` and `mlflow`: what they call, and what they say."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from loan_approval import cli

VERSION = SimpleNamespace(number="3", sha256="abc", signature="")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Make every data set's model `m` with a store in a temporary folder, and report no promotion."""
    store = SimpleNamespace(path=tmp_path)
    monkeypatch.setattr("loan_approval.registry.stores.model_and_store", lambda dataset: ("m", store))
    monkeypatch.setattr("loan_approval.pipeline.card_page.write_card", lambda *_: None)
    return store


@pytest.mark.parametrize("command", ["promote", "rollback", "history", "shadow", "reproduce", "serve"])
def test_an_unknown_data_set_is_refused_with_the_names_there_are(command: str) -> None:
    with pytest.raises(SystemExit, match="DataError: no data set 'lons', expected boston, loans"):
        cli.main([command, "--dataset", "lons"])


def test_promote_takes_version_and_reason_and_warns_of_uncommitted_code(
    store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []
    monkeypatch.setattr("loan_approval.registry.promotion.promote", lambda *called: calls.append(called) or VERSION)
    monkeypatch.setattr("loan_approval.registry.promotion.uncommitted_code", lambda _: "0123456789abcdef")
    cli.main(["promote", "--version", "3", "--force", "urgent"])
    output = capsys.readouterr()
    assert calls == [("m", "3", store, "urgent")]
    assert output.out == "m: version 3 is in production, sha256 abc\n"
    assert "no commit (changes 0123456789ab)" in output.err


def test_rollback_says_which_version_answers_now(
    store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("loan_approval.registry.promotion.rollback", lambda name, _: VERSION)
    cli.main(["rollback"])
    assert capsys.readouterr().out == "m: back to version 3, sha256 abc\n"


def test_history_is_a_line_for_each_event(
    store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    event = {"at": "2026-11-01", "event": "promoted", "version": "3", "by": "ana"}
    events = [event | {"verdict": "forced", "reason": "urgent"}, event]
    monkeypatch.setattr("loan_approval.registry.history.read", lambda name: events)
    cli.main(["history"])
    assert capsys.readouterr().out.splitlines() == [
        "2026-11-01 promoted version 3 forced by ana: urgent",
        "2026-11-01 promoted version 3 by ana",
    ]


@pytest.mark.parametrize(("same", "last"), [(True, "the same bytes\n"), (False, "- threshold\n")])
def test_reproduce_exits_with_one_unless_the_bytes_are_the_same(
    store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], same: bool, last: str
) -> None:
    rebuild = SimpleNamespace(sha256="abc" if same else "def", notes=[], differences=[] if same else ["threshold"])
    monkeypatch.setattr("loan_approval.registry.tracking.find_version", lambda name, version: VERSION)
    monkeypatch.setattr("loan_approval.reproduction.reproduce.reproduce", lambda *_: rebuild)
    if same:
        cli.main(["reproduce", "3"])
    else:
        with pytest.raises(SystemExit, match="it differs"):
            cli.main(["reproduce", "3"])
    assert capsys.readouterr().out.endswith(last)


def test_shadow_starts_or_stops_by_alias(
    store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("loan_approval.registry.shadowing.start_shadow", lambda *called: VERSION)
    monkeypatch.setattr("loan_approval.registry.shadowing.stop_shadow", lambda name, _, alias: f"3 of {alias}")
    cli.main(["shadow", "--alias", "beta"])
    cli.main(["shadow", "--alias", "beta", "--stop"])
    assert capsys.readouterr().out.splitlines() == [
        "m: version 3 scores in the shadow, sha256 abc",
        "servers with SERVE_SHADOW_ALIAS=beta take it; no answer changes",
        "m: version 3 of beta scores in the shadow no more",
    ]


def test_serve_becomes_the_server_with_the_models_name_and_store(store, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr("os.execve", lambda *called: calls.append(called))
    cli.main(["serve"])
    ((path, command, environment),) = calls
    assert (path, command) == (sys.executable, [sys.executable, "-m", "serve"])
    assert (environment["SERVE_MODEL_NAME"], environment["SERVE_STORE"]) == ("m", str(store.path))


def test_mlflow_listens_on_the_port_of_the_environment_and_starts_no_workers_for_jobs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []
    monkeypatch.setattr("os.execve", lambda *called: calls.append(called))
    monkeypatch.setenv("MLFLOW_PORT", "5123")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://ana:secret@db/mlflow")
    cli.main(["mlflow"])
    ((_, command, environment),) = calls
    assert command[1:] == ["-m", "mlflow", "server", "--port", "5123"]
    assert environment["MLFLOW_BACKEND_STORE_URI"] == "postgresql://ana:secret@db/mlflow"
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace

import pytest

from serve.model.scorer import LARGEST_FILE
from serve.model.verify import verify
from serve.registry import follower as following
from serve.registry.follower import Follower, ShadowFollower, wait_after
from serve.registry.mlflow_client import LARGEST_DOCUMENT
from serve.store.pointer import Pointer
from serve.store.store import Store, open_store
from tests.fake_registry import NAME, FakeRegistry, Handler, fake_registry
from tests.signing_keys import Keys, make_keys


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with fake_registry() as registry:
        yield registry


@pytest.fixture
def follower(settings, caplog) -> Follower:
    caplog.set_level(logging.INFO, logger="serve")
    return Follower(settings)


@pytest.fixture
def impatient(monkeypatch) -> None:
    """A refused version is asked for again with the next step."""
    monkeypatch.setattr(following, "wait_after", lambda failures, poll: 0.0)


@pytest.fixture
def quick(monkeypatch) -> None:
    """A download may take as long as any answer."""
    monkeypatch.setattr("serve.registry.mlflow_client.DOWNLOAD_TIMEOUTS", 1)


def errors(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("proxied", [True, False])
@pytest.mark.parametrize("verdict", ["passed", "forced"])
def test_the_version_behind_the_alias_is_installed_with_its_metadata(
    registry, follower, store, model_file, proxied, verdict
):
    registry.proxied = proxied
    kept = registry.register("7", model_file("loans"), verdict=verdict)
    follower.step()
    pointer = store.pointer()
    assert pointer == Pointer(kept.sha256, kept.name, "production", "7", "run7", verdict)
    scorer, metadata = store.load(pointer)
    assert scorer.sha256 == kept.sha256
    assert metadata == kept.metadata | {"name": kept.name, "version": "7", "run": "run7"}
    assert (follower.status.version, follower.status.failures, follower.status.error) == ("7", 0, "")


def test_without_a_change_one_question_is_asked_and_nothing_is_written_or_loaded(
    registry, follower, store, model_file, monkeypatch
):
    registry.register("1", model_file("loans"))
    follower.step()
    monkeypatch.setattr(Store, "load", None)
    written = store.pointer_path.stat().st_mtime_ns
    registry.asked.clear()
    for _ in range(3):
        follower.step()
    assert registry.asked == ["alias"] * 3
    assert store.pointer_path.stat().st_mtime_ns == written


def test_what_a_promotion_installed_is_neither_downloaded_nor_written_again(registry, follower, store, model_file):
    kept = registry.register("1", model_file("loans"))
    store.install(kept.data, kept.metadata)
    store.point(Pointer(kept.sha256, kept.name, "production", "1", "run1", "passed"))
    written = store.pointer_path.stat().st_mtime_ns
    follower.step()
    assert registry.asked == ["alias"]
    assert store.pointer_path.stat().st_mtime_ns == written
    assert follower.status.error == ""


def test_an_installed_file_is_not_downloaded_again_for_another_version(registry, follower, store, model_file):
    registry.register("1", model_file("loans"))
    follower.step()
    registry.register("2", model_file("loans"))
    registry.asked.clear()
    follower.step()
    assert "file" not in registry.asked
    assert store.pointer().version == "2"
    assert store.load(store.pointer())[1]["version"] == "2"


def test_a_damaged_file_is_replaced_at_the_start(registry, settings, store, model_file):
    kept = registry.register("1", model_file("loans"))
    Follower(settings).step()
    (store.path / f"{kept.sha256}.onnx").write_bytes(kept.data[:100])
    written = store.pointer_path.stat().st_mtime_ns
    Follower(settings).step()
    assert store.pointer_path.stat().st_mtime_ns == written
    assert store.load(store.pointer())[0].sha256 == kept.sha256


def test_a_damaged_pointer_is_replaced(registry, follower, store, model_file):
    registry.register("1", model_file("loans"))
    follower.step()
    store.pointer_path.write_text("{")
    follower.step()
    assert store.pointer().version == "1"


def test_a_new_verdict_on_the_same_version_is_followed(registry, follower, store, model_file):
    registry.register("1", model_file("loans"))
    follower.step()
    registry.register("1", model_file("loans"), verdict="forced")
    follower.step()
    assert store.pointer().verdict == "forced"


@pytest.fixture
def keys(tmp_path) -> Keys:
    return make_keys(tmp_path)


@pytest.fixture
def signed_only(settings, keys, caplog) -> Follower:
    """A follower that takes signed files only."""
    caplog.set_level(logging.INFO, logger="serve")
    return Follower(replace(settings, public_key_file=keys.public))


def test_a_signed_version_is_installed_with_its_signature(registry, signed_only, settings, keys, model_file):
    kept = registry.register("1", model_file("loans"))
    kept.signature = keys.sign(NAME, kept.sha256)
    signed_only.step()
    store = open_store(replace(settings, public_key_file=keys.public))
    assert store.load(store.pointer())[0].sha256 == kept.sha256


@pytest.mark.parametrize("signature", [None, "", "AAAA", "\ud800", "A" * 100_000])
def test_a_version_without_a_right_signature_is_not_taken_until_it_has_one(
    registry, signed_only, store, keys, model_file, caplog, signature
):
    first = registry.register("1", model_file("loans"))
    first.signature = keys.sign(NAME, first.sha256)
    signed_only.step()
    second = registry.register("2", model_file("loans_strict"))
    second.signature = signature
    for _ in range(2):
        signed_only.step()
    assert store.pointer().version == "1"
    assert (signed_only.status.error, signed_only.status.version) == ("signature", "1")
    assert len(errors(caplog)) == 1
    assert "version 2 of loan_approval_model is not taken, version 1 goes on" in errors(caplog)[0]
    second.signature = keys.sign(NAME, second.sha256)  # another tag is another description: no waiting
    signed_only.step()
    assert store.pointer().version == "2"


@pytest.mark.parametrize("signature", ["\ud800", "A" * 100_000])
def test_a_malformed_signature_is_ignored_where_none_is_required(registry, follower, store, model_file, signature):
    registry.register("1", model_file("loans")).signature = signature
    follower.step()
    assert store.load(store.pointer())


def test_a_file_larger_than_the_setting_is_not_downloaded(registry, settings, store, model_file):
    registry.register("1", model_file("loans"))
    follower = Follower(replace(settings, max_model_bytes=1000))
    follower.step()
    assert (follower.status.error, store.pointer()) == ("answer", None)


def never(handler: Handler) -> None:
    handler.registry.closing.wait()
    handler.close_connection = True


def drip_body(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    handler.drip(b" ")


def drip_headers(handler: Handler) -> None:
    handler.send_response(200)
    handler.flush_headers()
    handler.drip(b"a")


def hang_up(handler: Handler) -> None:
    handler.close_connection = True


def not_http(handler: Handler) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    handler.close_connection = True


def end_early(handler: Handler) -> None:
    handler.send(200, b'{"model_version"', length=5000)
    handler.close_connection = True


def status(code: int, **headers: str) -> Callable[[Handler], None]:
    return lambda handler: handler.send(code, b"<html>proxy</html>", **headers)


def body(data: bytes) -> Callable[[Handler], None]:
    return lambda handler: handler.send(200, data)


def described(**changes: object) -> Callable[[Handler], None]:
    """Answer with a version that has something odd about it."""
    version = {"name": NAME, "version": "1", "run_id": "run1", "tags": []} | changes
    return body(json.dumps({"model_version": version}).encode())


def to_itself(handler: Handler) -> None:
    handler.send(302, b"", Location=handler.path)


ANY_QUESTION = {
    "never": (never, "timeout"),
    "drip body": (drip_body, "timeout"),
    "drip headers": (drip_headers, "timeout"),
    "hang up": (hang_up, "unreachable"),
    "not HTTP": (not_http, "unreachable"),
    "end early": (end_early, "answer"),
    "401": (status(401), "denied"),
    "403": (status(403), "denied"),
    "500": (status(500), "answer"),
    "503": (status(503), "answer"),
    "204": (status(204), "answer"),
    "redirect without end": (to_itself, "answer"),
    "redirect to a file": (status(302, Location="file:///etc/passwd"), "answer"),
    "redirect nowhere": (status(302, Location="http://[::1"), "unreachable"),
}
DOCUMENTS = {
    "HTML": (body(b"<html>hello</html>"), "answer"),
    "nothing": (body(b""), "answer"),
    "a list": (body(b"[]"), "answer"),
    "an empty object": (body(b"{}"), "answer"),
    "nested without end": (body(b"[" * 100_000), "answer"),
    "too long": (body(b'{"a": "' + b"x" * LARGEST_DOCUMENT + b'"}'), "answer"),
}
FAULTS = [
    *[(kind, *fault) for kind in ("alias", "file") for fault in ANY_QUESTION.items()],
    *[(kind, *fault) for kind in ("alias", "uri", "run") for fault in DOCUMENTS.items()],
    ("metadata", "HTML", DOCUMENTS["HTML"]),
    ("metadata", "an empty object", (body(b"{}"), "content")),
    ("metadata", "NaN", (body(b'{"verdict": {"verdict": "passed"}, "auc": NaN}'), "store")),
    ("metadata", "of another file", (body(b'{"verdict": {"verdict": "passed"}, "sha256": "0"}'), "store")),
    ("metadata", "of a failed file", (body(b'{"verdict": {"verdict": "failed"}}'), "content")),
    ("metadata", "404", (status(404), "missing")),
    ("file", "404", (status(404), "missing")),
    ("file", "HTML", (body(b"<html>hello</html>"), "content")),
    ("file", "too large", (body(bytes(LARGEST_FILE + 1)), "answer")),
    ("alias", "404", (status(404), "alias")),
    ("alias", "a path for a number", (described(version="../1"), "answer")),
    ("alias", "a path for a run", (described(run_id="../1"), "answer")),
    ("alias", "a number for a number", (described(version=2), "answer")),
    ("alias", "tags that are none", (described(tags=3), "answer")),
    ("alias", "a tag that is no text", (described(tags=[{"key": "sha256", "value": 1}]), "answer")),
]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("question", "fault"), [pytest.param(q, f, id=f"{q}: {n}") for q, n, f in FAULTS])
def test_after_any_bad_answer_the_old_model_stays_and_one_line_is_logged(
    registry, settings, store, model_file, caplog, impatient, question, fault
):
    registry.register("1", model_file("loans"))
    Follower(settings).step()
    old = store.pointer()
    registry.register("2", model_file("loans_strict"))
    misbehave, kind = fault
    registry.faults[question] = misbehave
    follower = Follower(replace(settings, registry_timeout_seconds=1 if kind == "timeout" else 20))
    for _ in range(2):
        follower.step()
    assert store.pointer() == old
    assert (follower.status.version, follower.status.failures, follower.status.error) == ("1", 2, kind)
    assert len(errors(caplog)) == 1
    assert "version 1 goes on" in errors(caplog)[0]
    registry.faults.clear()
    follower.step()
    assert store.pointer().version == "2"
    assert follower.status.error == ""


@pytest.mark.parametrize(
    ("recorded", "kind"),
    [
        ({"verdict": "failed"}, "verdict"),
        ({"verdict": "none"}, "verdict"),
        ({"sha256": "0" * 64}, "content"),
        ({"sha256": ""}, "content"),
        ({"sha256": "../" + "0" * 61}, "content"),
        ({"metadata": {"verdict": {"verdict": "forced"}}}, "content"),
        ({"name": "another_model"}, "answer"),
    ],
)
def test_a_version_that_cannot_be_trusted_is_refused_and_logged_once(
    registry, follower, store, model_file, caplog, recorded, kind
):
    registry.register("1", model_file("loans"))
    follower.step()
    registry.register("2", model_file("loans_strict"), **recorded)
    for _ in range(3):
        follower.step()
    assert store.pointer().version == "1"
    assert follower.status.error == kind
    assert len(errors(caplog)) == 1
    if kind != "answer":
        assert "version 2 of loan_approval_model is not taken, version 1 goes on" in errors(caplog)[0]
    registry.alias = "1"
    follower.step()
    assert follower.status.error == ""


def test_a_file_that_does_not_replay_its_golden_rows_is_refused(registry, follower, store, model_file, caplog):
    registry.register("1", model_file("broken/golden_score_wrong"))
    follower.step()
    assert store.pointer() is None
    assert follower.status.error == "file"
    assert "there is no model: golden row 0 scores otherwise" in errors(caplog)[0]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("broken/graph_loop", "the graph uses the operator ai.onnx:Loop"),
        ("broken/graph_rows_fixed_inside", "the golden rows can't be scored one by one"),
        ("bombs/memory_while_loading", "the golden rows can't be scored"),
    ],
)
def test_a_file_that_a_promotion_would_refuse_is_refused_and_the_old_one_goes_on(
    registry, follower, store, model_file, caplog, name, reason
):
    registry.register("1", model_file("loans"))
    follower.step()
    registry.register("2", model_file(name))
    follower.step()
    assert store.pointer().version == "1"
    assert (follower.status.error, follower.status.failures) == ("file", 1)
    assert reason in errors(caplog)[0]


def test_a_refused_file_that_the_pointer_names_is_verified_once_a_step(
    registry, follower, store, model_file, monkeypatch
):
    kept = registry.register("1", model_file("broken/golden_score_wrong"))
    store.path.mkdir()
    (store.path / f"{kept.sha256}.onnx").write_bytes(kept.data)
    (store.path / f"{kept.sha256}.json").write_text("{}")
    pointer = Pointer(kept.sha256, kept.name, "production", "1", "run1", "passed")
    store.pointer_path.write_text(json.dumps(asdict(pointer)))
    verified = []
    monkeypatch.setattr("serve.store.store.verify", lambda *file: verified.append(file) or verify(*file))
    follower.step()
    assert (follower.status.error, len(verified)) == ("file", 1)
    assert "file" not in registry.asked


def test_a_file_that_another_process_verifies_is_waited_for(registry, follower, store, model_file, monkeypatch):
    kept = registry.register("1", model_file("loans"))
    store.install(kept.data, kept.metadata)
    store.point(Pointer(kept.sha256, kept.name, "production", "1", "run1", "passed"))
    (store.path / f"{kept.sha256}.verified").unlink()
    monkeypatch.setattr("serve.model.verify._passed", set())
    with store._lock(".verify.lock", wait=False):
        follower.step()
    assert (registry.asked, follower.status.failures) == (["alias"], 0)
    follower.step()
    assert (registry.asked, follower.status.version) == (["alias"] * 2, "1")


def test_a_refused_file_is_not_downloaded_with_every_step_but_a_moved_alias_is_followed_at_once(
    registry, follower, store, model_file, monkeypatch
):
    monkeypatch.setattr(following, "wait_after", lambda failures, poll: 3600.0)
    registry.register("1", model_file("loans"), sha256="0" * 64)
    for _ in range(3):
        follower.step()
    assert registry.asked.count("file") == 1
    registry.register("2", model_file("loans"))
    follower.step()
    assert store.pointer().version == "2"


def test_a_refused_file_is_asked_for_less_and_less_often(registry, follower, model_file, monkeypatch):
    failures = []
    monkeypatch.setattr(following, "wait_after", lambda count, poll: failures.append(count) or 0.0)
    registry.register("1", model_file("loans"), sha256="0" * 64)
    for _ in range(3):
        follower.step()
    assert [count for count in failures if count] == [1, 2, 3]
    assert registry.asked.count("file") == 3


def test_a_deleted_alias_leaves_the_model_and_is_logged(registry, follower, store, model_file, caplog):
    registry.register("1", model_file("loans"))
    follower.step()
    registry.alias = None
    waits = [follower.step() for _ in range(3)]
    assert store.pointer().version == "1"
    assert errors(caplog) == [
        "can't follow loan_approval_model, version 1 goes on: loan_approval_model has no alias production"
    ]
    assert waits == [0.05] * 3  # the registry is well, so it is asked as often as ever


def test_without_the_registry_the_store_keeps_its_model(registry, settings, store, model_file, caplog):
    registry.register("1", model_file("loans"))
    Follower(settings).step()
    gone = Follower(replace(settings, tracking_uri="http://127.0.0.1:9"))
    for _ in range(3):
        gone.step()
    assert store.load(store.pointer())[0]
    assert (gone.status.error, gone.status.failures, gone.status.last_success) == ("unreachable", 3, 0.0)
    assert len(errors(caplog)) == 1
    assert "Connection refused" in errors(caplog)[0]


def test_the_last_success_stays_while_the_registry_fails(registry, follower, model_file):
    registry.register("1", model_file("loans"))
    before = time.time()
    follower.step()
    success = follower.status.last_success
    assert before <= success <= time.time()
    registry.faults["alias"] = status(500)
    follower.step()
    assert follower.status.last_success == success


def test_each_failure_and_each_recovery_is_logged_once(registry, follower, model_file, caplog):
    registry.register("1", model_file("loans"))
    for faults in ({}, {"alias": status(500)}, {}, {"alias": status(500)}, {"alias": status(401)}, {}):
        registry.faults = faults
        for _ in range(2):
            follower.step()
    installed, *levels = [record.levelname for record in caplog.records]
    assert installed == "INFO"
    assert levels == ["ERROR", "INFO", "ERROR", "ERROR", "INFO"]


def test_a_store_locked_by_a_promotion_is_left_alone(registry, follower, store, model_file, caplog):
    registry.register("1", model_file("loans"))
    with store.locked():
        follower.step()
        assert store.pointer() is None
    assert (errors(caplog), follower.status.failures) == ([], 0)
    follower.step()
    assert store.pointer().version == "1"


def test_a_version_whose_alias_moves_during_the_download_is_not_installed(registry, follower, store, model_file):
    registry.register("2", model_file("loans_strict"))
    late = registry.register("1", model_file("loans"))

    def move_meanwhile(handler: Handler) -> None:
        registry.alias = "2"
        handler.send(200, json.dumps(late.metadata).encode())

    registry.faults["metadata"] = move_meanwhile
    follower.step()
    assert store.pointer() is None
    registry.faults.clear()
    follower.step()
    assert store.pointer().version == "2"


def test_a_store_that_cannot_be_written_is_logged_once(registry, settings, model_file, tmp_path, caplog, impatient):
    registry.register("1", model_file("loans"))
    (tmp_path / "file").write_text("")
    follower = Follower(replace(settings, store=tmp_path / "file" / "store"))
    for _ in range(2):
        follower.step()
    assert follower.status.error == "store"
    assert len(errors(caplog)) == 1


def test_waits_double_with_each_failure_up_to_a_limit_and_differ(monkeypatch):
    assert wait_after(0, 10) == 10
    for failures, longest in ((1, 20), (2, 40), (3, 80), (5, 300), (1000, 300)):
        waits = {wait_after(failures, 10) for _ in range(20)}
        assert longest / 2 <= min(waits) < max(waits) <= longest
    assert wait_after(9, 3600) >= 1800


def test_waits_grow_while_the_registry_is_silent_and_are_reset_by_an_answer(registry, follower, model_file):
    registry.register("1", model_file("loans"))
    registry.faults["alias"] = status(500)
    for _ in range(6):
        wait = follower.step()
    assert wait > 0.05 * 10
    registry.faults.clear()
    assert follower.step() == 0.05
    registry.faults["alias"] = status(500)
    assert follower.step() <= 0.1


@pytest.fixture
def shadow_store(settings) -> Store:
    """The store with the challenger's pointer."""
    return Store(settings.store, "challenger")


@pytest.fixture
def challenger(registry, settings, model_file, caplog) -> ShadowFollower:
    """The follower of the challenger's alias, with version 1 in production and no challenger."""
    registry.register("1", model_file("loans"))
    caplog.set_level(logging.INFO, logger="serve")
    return ShadowFollower(replace(settings, model_alias="challenger"))


def challenge(registry: FakeRegistry, number: str, data: bytes, **recorded: str) -> str:
    """Register a version behind the challenger's alias; return its sha256."""
    in_production = registry.alias
    kept = registry.register(number, data, **recorded)
    registry.alias, registry.challenger = in_production, number
    return kept.sha256


def warnings(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_the_challengers_pointer_follows_its_alias(registry, settings, store, shadow_store, challenger, model_file):
    sha256 = challenge(registry, "2", model_file("loans_strict"))
    challenger.step()
    assert shadow_store.pointer() == Pointer(sha256, "loan_approval_model", "challenger", "2", "run2", "passed")
    assert store.pointer() is None
    Follower(settings).step()
    assert store.pointer().version == "1"
    assert shadow_store.pointer().version == "2"


def test_a_deleted_alias_removes_the_challenger(registry, shadow_store, challenger, model_file, caplog):
    challenge(registry, "2", model_file("loans_strict"))
    challenger.step()
    registry.challenger = None
    for _ in range(2):
        challenger.step()
    assert shadow_store.pointer() is None
    assert len(warnings(caplog)) == 1
    assert (challenger.status.failures, challenger.status.error, challenger.status.version) == (
        0,
        "",
        "",
    )
    registry.challenger = "2"
    challenger.step()
    assert shadow_store.pointer().version == "2"


def test_a_failing_registry_leaves_the_challenger(registry, shadow_store, challenger, model_file):
    challenge(registry, "2", model_file("loans_strict"))
    challenger.step()
    registry.faults["alias"] = lambda handler: handler.send(503, b"")
    challenger.step()
    assert shadow_store.pointer().version == "2"
    assert challenger.status.failures == 1


def test_an_alias_set_meanwhile_keeps_its_pointer(registry, shadow_store, challenger, model_file, monkeypatch):
    challenge(registry, "2", model_file("loans_strict"))
    challenger.step()
    registry.challenger = None
    ask, answers = challenger._ask, []

    def ask_and_then_set() -> object:
        try:
            return ask()
        finally:
            answers.append(1)
            registry.challenger = "2"

    monkeypatch.setattr(challenger, "_ask", ask_and_then_set)
    challenger.step()
    assert len(answers) == 2
    assert shadow_store.pointer().version == "2"


@pytest.mark.parametrize("verdict", ["none", "failed"])
def test_a_challenger_that_is_not_validated_is_a_warning_and_not_taken(
    registry, shadow_store, challenger, model_file, caplog, verdict
):
    challenge(registry, "2", model_file("loans_strict"), verdict=verdict)
    for _ in range(2):
        challenger.step()
    assert shadow_store.pointer() is None
    assert [record.levelname for record in caplog.records if record.levelno >= logging.WARNING] == ["WARNING"]
    assert "version 2 of loan_approval_model is not taken, there is no challenger" in warnings(caplog)[0]

"""The process that verifies a file: what it refuses, its limits, and that each file costs one process."""

import hashlib
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from serve.errors import ModelFileError, StoreError
from serve.model import verify as verifying
from serve.model.verify import check, verify

ROOT = Path(__file__).parents[3]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(autouse=True)
def nothing_passed(monkeypatch) -> None:
    monkeypatch.setattr(verifying, "_passed", set())


def test_a_right_file_passes_and_costs_one_process(model_file, monkeypatch):
    data = model_file("loans")
    verify(data, digest(data))
    assert verifying._passed == {digest(data)}
    monkeypatch.setattr(verifying.subprocess, "run", None)
    verify(data, digest(data))


def test_other_bytes_than_those_that_passed_are_refused(model_file):
    data = model_file("loans")
    verify(data, digest(data))
    with pytest.raises(ModelFileError, match=f"expected {digest(data)}"):
        verify(data + b"\0", digest(data))


@pytest.mark.parametrize("fault", ["golden_score_wrong", "graph_loop", "bytes_random", "graph_rows_fixed_inside"])
def test_a_broken_file_is_refused_with_the_reason_that_loading_it_would_give(model_file, fault):
    data = model_file(f"broken/{fault}")
    with pytest.raises(ModelFileError) as expected:
        check(data, digest(data))
    with pytest.raises(ModelFileError) as refused:
        verify(data, digest(data))
    assert str(refused.value) == str(expected.value)
    assert not verifying._passed


@pytest.mark.parametrize("bomb", ["memory_while_loading", "memory_for_many_rows"])
def test_a_file_that_takes_all_memory_is_refused_by_a_process_that_may_not(model_file, bomb):
    data = model_file(f"bombs/{bomb}")
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    with pytest.raises(ModelFileError, match="can't"):
        verify(data, digest(data))
    most = verifying.MEMORY + verifying.MEMORY_A_BYTE * len(data)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= max(before, most / 1024)


def test_a_file_that_takes_for_ever_is_refused_in_time(model_file, monkeypatch):
    monkeypatch.setattr(verifying, "SECONDS", 3)
    data = model_file("bombs/time_while_loading")
    with pytest.raises(ModelFileError, match="the file is not verified within 3 s"):
        verify(data, digest(data))


def test_a_process_whose_parent_was_killed_ends_by_itself(model_file):
    """It is started without a parent that watches the time."""
    code = "from serve.model import verify; verify.SECONDS = 1; verify.main()"
    data = model_file("bombs/time_while_loading")
    result = subprocess.run([sys.executable, "-c", code, digest(data)], input=data, cwd=ROOT, timeout=60, check=False)
    assert result.returncode == -14  # SIGALRM


def test_a_file_whose_background_can_not_be_explained_is_refused(model_file, monkeypatch):
    data = model_file("loans")

    def fail(scorer):
        raise RuntimeError("the graph takes no such rows")

    monkeypatch.setattr(verifying, "Explainer", fail)
    with pytest.raises(ModelFileError, match="the background rows can't be scored: RuntimeError"):
        check(data, digest(data))


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        ("RecursionError", "its verification fails with a RecursionError"),
        ("MemoryError", "its verification fails with a MemoryError"),
        ("lambda: verify.ModelFileError('\\ud800')", r"^\?$"),
        ("lambda: verify.ModelFileError('x' * 10_000)", "^x{1000}$"),
    ],
)
def test_whatever_a_file_makes_fail_is_its_fault(model_file, monkeypatch, failure, reason):
    code = f"""
from serve.model import verify
def check(data, sha256):
    raise ({failure})()
verify.check = check
verify.main()
"""
    monkeypatch.setattr(verifying.subprocess, "run", ending(code))
    data = model_file("loans")
    with pytest.raises(ModelFileError, match=reason):
        verify(data, digest(data))


def test_the_process_inherits_no_password(model_file, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    code = "import os, sys; sys.exit('secret' in os.environ.values())"
    monkeypatch.setattr(verifying.subprocess, "run", ending(code))
    data = model_file("loans")
    verify(data, digest(data))


def ending(code: str):
    """Return a Python that does something else than to verify."""
    run = subprocess.run
    return lambda command, **options: run([sys.executable, "-c", code, *command[3:]], **options)


@pytest.mark.parametrize(
    ("code", "error", "reason"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", ModelFileError, "ends the process .*: Segm"),
        ("raise ImportError", StoreError, "failed with exit code 1"),
    ],
)
def test_a_process_that_ends_otherwise_passes_nothing(model_file, monkeypatch, code, error, reason):
    monkeypatch.setattr(verifying.subprocess, "run", ending(code))
    data = model_file("loans")
    with pytest.raises(error, match=reason):
        verify(data, digest(data))
    assert not verifying._passed


def test_a_process_that_can_not_be_started_is_not_the_files_fault(model_file, monkeypatch):
    monkeypatch.setattr(verifying.sys, "executable", "/nowhere/python")
    data = model_file("loans")
    with pytest.raises(StoreError, match="can't be started: No such file"):
        verify(data, digest(data))

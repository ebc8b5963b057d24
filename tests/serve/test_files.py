import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve.files import ABANDONED_SECONDS, read_regular, sweep, try_lock, write_atomically

ROOT = Path(__file__).parents[2]
# Begins to write a file and waits in the middle: `fsync` is called before the rename.
WRITER = """
import os, sys
from pathlib import Path
from serve import files

def wait(_descriptor):
    print("writing", flush=True)
    sys.stdin.read()

files.os.fsync = wait
files.write_atomically(Path(sys.argv[1]), b"half")
"""


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_write_replaces_the_whole_file(tmp_path):
    path = tmp_path / "new" / "file"
    write_atomically(path, b"a longer first version")
    write_atomically(path, b"second")
    assert (path.read_bytes(), names_in(path.parent)) == (b"second", ["file"])


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside(tmp_path, monkeypatch):
    def fail(_descriptor):
        raise OSError(28, "No space left on device")

    path = tmp_path / "file"
    write_atomically(path, b"old")
    monkeypatch.setattr("serve.files.os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert (path.read_bytes(), names_in(tmp_path)) == (b"old", ["file"])


def test_a_rename_that_fails_leaves_nothing_beside(tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path / "file", b"new")
    assert names_in(tmp_path) == ["file"]


def test_a_file_is_read_up_to_its_bound_and_no_further(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert read_regular(path, 3) == b"abc"
    with pytest.raises(OSError, match="File too large"):
        read_regular(path, 2)


def test_pipes_devices_and_folders_are_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(OSError, match=r"not a regular file|Is a directory"):
            read_regular(path, 3)


@pytest.fixture
def writer(tmp_path) -> Iterator[subprocess.Popen]:
    """A process in the middle of writing `file`, begun long ago."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "file")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as process:
        assert process.stdout.readline() == b"writing\n"
        for path in tmp_path.iterdir():
            os.utime(path, (0, 0))
        try:
            yield process
        finally:
            process.kill()


def test_what_a_killed_writer_left_is_swept(tmp_path, writer):
    write_atomically(tmp_path / "other", b"whole")
    (tmp_path / ".lock").touch()
    os.utime(tmp_path / ".lock", (0, 0))
    writer.kill()
    writer.wait()
    assert len(names_in(tmp_path)) == 3
    sweep(tmp_path)
    assert names_in(tmp_path) == [".lock", "other"]


def test_what_is_being_written_is_not_swept(tmp_path, writer):
    before = names_in(tmp_path)
    sweep(tmp_path)
    assert names_in(tmp_path) == before
    writer.communicate()
    assert (tmp_path / "file").read_bytes() == b"half"


def test_what_was_begun_just_now_is_not_swept(tmp_path):
    """Its writer may not hold the lock yet."""
    (tmp_path / ".file.0123abcd").touch()
    sweep(tmp_path)
    assert names_in(tmp_path) == [".file.0123abcd"]
    os.utime(tmp_path / ".file.0123abcd", (0, ABANDONED_SECONDS))
    sweep(tmp_path)
    assert names_in(tmp_path) == []


def test_a_folder_that_is_not_there_has_nothing_to_sweep(tmp_path):
    sweep(tmp_path / "absent")


def test_a_lock_is_held_until_it_is_closed(tmp_path):
    lock = try_lock(tmp_path)
    assert lock is not None
    assert try_lock(tmp_path) is None
    os.close(lock)
    os.close(try_lock(tmp_path))
    assert try_lock(tmp_path / "absent") is None

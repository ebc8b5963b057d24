import os
from pathlib import Path

import pytest

from serve.files import read_regular, write_atomically


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

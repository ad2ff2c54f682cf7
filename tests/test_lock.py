"""A folder that one process at a time writes: the name, the error and the advice are the caller's."""

import json
import os

import pytest

from minilm.lock import FolderLock


class Fault(Exception):
    pass


def lock(folder, name="mine.lock"):
    return FolderLock(folder, name, Fault, "the same command and the folder's new place")


def test_the_file_has_the_name_that_is_asked_and_says_who_holds_it(tmp_path):
    held = lock(tmp_path)
    assert json.loads((tmp_path / "mine.lock").read_text())["pid"] == os.getpid()
    held.check()
    held.release()
    assert list(tmp_path.iterdir()) == []


def test_another_one_is_told_in_the_caller_s_error(tmp_path):
    held = lock(tmp_path)
    with pytest.raises(
        Fault, match=rf"is in use by process {os.getpid()} \(this one\), since .*: wait for it, or end it first"
    ):
        lock(tmp_path)
    other = lock(tmp_path, "another.lock")  # a lock of its own
    held.release()
    lock(tmp_path).release()
    other.release()


def test_a_folder_that_was_moved_is_told_with_how_to_go_on(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    held = lock(folder)
    folder.rename(tmp_path / "moved")
    folder.mkdir()
    assert not held.holds()
    with pytest.raises(
        Fault, match=r"renamed, deleted or replaced. .* Go on with the same command and the folder's new place\."
    ):
        held.check()
    held.release()
    assert (tmp_path / "moved" / "mine.lock").exists()  # another's, for what it knows


def test_a_folder_that_may_not_be_written_is_told(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(Fault, match=r"cannot be written \(Permission denied\): give a folder that may be changed"):
        lock(tmp_path)


def test_what_a_killed_process_left_is_free(tmp_path):
    (tmp_path / "mine.lock").write_text('{"pid": 1, "host": "x", "since": "y", "started": null}')
    lock(tmp_path).release()

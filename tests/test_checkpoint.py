"""Files of a run: written whole or not at all, and read with suspicion."""

import errno
import json
import os
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minilm.checkpoint import CheckpointError, expect_format, load_arrays, load_json, save_arrays, save_json
from minilm.files import atomic_write, remove_leftovers

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b.c": np.array(2, np.int64), "t": np.ones((3, 2)).T}


def test_round_trip(tmp_path):
    save_arrays(tmp_path / "x", ARRAYS, {"format": "f", "n": 2**64, "best": float("inf"), "list": [1, "ä"]})
    arrays, about = load_arrays(tmp_path / "x")
    assert about == {"format": "f", "n": 2**64, "best": float("inf"), "list": [1, "ä"]}
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with pytest.raises(KeyError), atomic_write(path) as file:
        file.write(b"new")
        raise KeyError
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize("save", [lambda path: save_arrays(path, ARRAYS, {}), lambda path: save_json(path, {"n": 1})])
def test_what_cannot_be_written_whole_leaves_the_old_file(save, tmp_path, monkeypatch):
    def disk_is_full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "x"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", disk_is_full)
    with pytest.raises(OSError, match="No space left"):
        save(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]


def test_bytes_are_on_the_disk_before_the_file_is_renamed(tmp_path, monkeypatch):
    calls = []

    def noted(name):
        function = getattr(os, name)
        return lambda *arguments: (calls.append(name), function(*arguments))

    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, noted(name))
    with atomic_write(tmp_path / "x") as file:
        file.write(b"new")
    assert calls[:2] == ["fsync", "replace"]


def test_leftovers_of_killed_writers_are_removed(tmp_path):
    (tmp_path / ".model.safetensors.0123.tmp").write_bytes(b"part")
    (tmp_path / "model.safetensors").write_bytes(b"whole")
    remove_leftovers(tmp_path)
    assert os.listdir(tmp_path) == ["model.safetensors"]


@given(st.integers(0, 10**6), st.binary(max_size=40))
def test_truncated_or_altered_files_are_refused_or_read_whole(tmp_path_factory, cut, noise):
    path = tmp_path_factory.mktemp("c") / "x"
    save_arrays(path, ARRAYS, {"format": "f"})
    content = path.read_bytes()
    place = cut % len(content)
    for damaged in (content[:place], content[:place] + noise + content[place + len(noise) :], noise):
        path.write_bytes(damaged)
        try:
            arrays, _ = load_arrays(path)
        except CheckpointError as error:
            assert str(path) in str(error)
        else:
            assert all(isinstance(array, np.ndarray) for array in arrays.values())


class Evil:
    def __reduce__(self):
        return os.mkdir, ("executed",)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x80", pickle.dumps(Evil()), struct.pack("<Q", 2**62) + b"{}", struct.pack("<Q", 2) + b"[]", b"PK\x03\x04" + b"\0" * 40,
     struct.pack("<Q", 60) + b'{"a":{"dtype":"F32","shape":[9999999999],"data_offsets":[0,4]}}'],
)  # fmt: skip
def test_foreign_files(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        load_arrays(tmp_path / "x")
    assert os.listdir(tmp_path) == ["x"]


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(CheckpointError, match="does not exist"):
        load_arrays(tmp_path / "x")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_arrays(tmp_path)


def test_format_is_checked():
    with pytest.raises(CheckpointError, match="'minilm weights'.*'something'"):
        expect_format("p", {"format": "something"}, "minilm weights")


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_json_that_is_none(tmp_path, content):
    (tmp_path / "c.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"c\.json"):
        load_json(tmp_path / "c.json")


def test_json_round_trip(tmp_path):
    save_json(tmp_path / "c.json", {"ü": 1})
    assert load_json(tmp_path / "c.json") == {"ü": 1}
    assert json.loads((tmp_path / "c.json").read_text(encoding="utf-8")) == {"ü": 1}
    with pytest.raises(ValueError, match="JSON"):
        save_json(tmp_path / "c.json", {"x": float("nan")})
    assert load_json(tmp_path / "c.json") == {"ü": 1}

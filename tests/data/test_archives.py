import io
import lzma
import os
import tarfile
import zipfile

import pytest

from minilm.data.archives import extract
from minilm.data.errors import DataError

CONTENT = "Good. 很好\n".encode()


def tar(files, mode="w:gz", **infos):
    """A tar of files by their names; `infos` changes what the header says of all of them."""
    made = io.BytesIO()
    little = {"preset": 0} if mode == "w:xz" else {}  # a small dictionary, as memory is measured
    with tarfile.open(fileobj=made, mode=mode, **little) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for field, value in infos.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def deb(files):
    """A package of Debian: an ar archive with the files in a tar."""
    made = b"!<arch>\n"
    members = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": tar(files, "w:xz")}
    for name, content in members.items():
        made += (
            f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
            + content
            + b"\n" * (len(content) % 2)
        )
    return made


def wheel(files):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


FILES = {"toy-1.0/setup.py": b"raise SystemExit", "toy-1.0/data/x.txt": CONTENT}
INNER = tar({"texts/_README_.txt": b"", "texts/x.txt": CONTENT})
KINDS = {
    "a.tar.gz": (tar(FILES), "toy-1.0/data/x.txt"),
    "a.tgz": (tar(FILES), "toy-1.0/data/x.txt"),
    "a.tar.xz": (tar(FILES, "w:xz"), "toy-1.0/data/x.txt"),
    "a.tar": (tar(FILES, "w"), "toy-1.0/data/x.txt"),
    "nested.tar.gz": (tar({"toy-1.0/data/texts.tar.gz": INNER}), "toy-1.0/data/texts.tar.gz/texts/x.txt"),
    "a.whl": (wheel(FILES), "toy-1.0/data/x.txt"),
    "a.deb": (deb({"./usr/share/x.txt": CONTENT}), "usr/share/x.txt"),
}


@pytest.fixture
def taken(tmp_path):
    def taken(name, content, member):
        (tmp_path / name).write_bytes(content)
        extract(tmp_path / name, member, tmp_path / "data")
        return (tmp_path / "data").read_bytes()

    return taken


@pytest.mark.parametrize("name", KINDS)
def test_a_file_is_taken_out(taken, tmp_path, name):
    assert taken(name, *KINDS[name]) == CONTENT
    assert sorted(os.listdir(tmp_path)) == sorted([name, "data"])


@pytest.mark.parametrize("name", KINDS)
def test_a_file_that_is_not_there_is_named(taken, name):
    content, member = KINDS[name]
    with pytest.raises(DataError, match=f"{name} holds no readable file .*none"):
        taken(name, content, member.replace("x.txt", "none"))


@pytest.mark.parametrize("name", KINDS)
def test_an_archive_that_is_cut_is_named(taken, name):
    content, member = KINDS[name]
    for end in (0, 4, 70, 1540 if name == "a.tar" else len(content) // 2):
        with pytest.raises(DataError, match=f"{name} holds no readable file"):
            taken(name, content[:end], member)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_what_is_no_regular_file_is_refused(taken, kind):
    content = tar({"x.txt": b""}, type=kind, linkname="/etc/passwd")
    with pytest.raises(DataError, match="no regular file"):
        taken("a.tar.gz", content, "x.txt")


def test_names_that_lead_out_of_the_archive_write_nothing(taken, tmp_path):
    assert taken("a.tar.gz", tar({"../out.txt": b"no", "x.txt": CONTENT}), "x.txt") == CONTENT
    assert taken("b.tar.gz", tar({"../out.txt": CONTENT}), "../out.txt") == CONTENT
    assert not (tmp_path.parent / "out.txt").exists()


def test_damage_within_the_packing_is_named(taken):
    content = bytearray(lzma.compress(tar(FILES, "w")))
    content[len(content) // 2] ^= 0xFF
    with pytest.raises(DataError, match="holds no readable file"):
        taken("a.tar.xz", bytes(content), "toy-1.0/data/x.txt")


def test_a_disk_that_is_full_is_no_damage(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(tar(FILES))
    with pytest.raises(OSError, match="No such file or directory"):
        extract(tmp_path / "a.tar.gz", "toy-1.0/data/x.txt", tmp_path / "no" / "folder")

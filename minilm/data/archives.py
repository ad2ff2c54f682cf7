"""One file out of an archive: a zip or wheel, a tar, or a tar within a tar.

Nothing is unpacked but that file, and it gets the name that the caller chose: names, links, owners and rights that stand in
the archive are not followed. No code of the archive runs.
"""

import lzma
import shutil
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import IO

from minilm.files import shown

from .errors import DataError
from .files import CHUNK_BYTES

_TAR = (".tar.gz", ".tgz", ".tar.xz", ".tar")


def extract(archive: Path, member: str, target: Path) -> None:
    """Write the file `member` of `archive` to `target`.

    Args:
        archive: a tar where its name says so (.tar.gz, .tgz, .tar.xz, .tar), otherwise a zip.
        member: the path of the file, with "/". A part of it that has the name of a tar is one, and the rest lies in it:
            "package-1.0/data/texts.tar.gz/texts/1.txt".
        target: the file to write.

    Raises:
        DataError: there is no such file, it is a link or a folder, or the archive is damaged.
    """
    try:
        with open(archive, "rb") as file, open(target, "wb") as sink:
            (_from_tar if archive.name.endswith(_TAR) else _from_zip)(file, member, sink)
    except (KeyError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the disk: gzip's own have no number
            raise
        raise DataError(f"{shown(archive.name)} holds no readable file {member}: {error}") from error


def _from_zip(file: IO[bytes], member: str, sink: IO[bytes]) -> None:
    with zipfile.ZipFile(file) as archive, archive.open(member) as source:
        shutil.copyfileobj(source, sink, CHUNK_BYTES)


def _from_tar(file: IO[bytes], member: str, sink: IO[bytes]) -> None:
    """Reads the tar once, from front to back: going back would unpack it anew."""
    outer = _outer(member)
    with tarfile.open(fileobj=file, mode="r|*") as tar:
        for info in tar:
            if info.name.removeprefix("./") == outer:
                inner = tar.extractfile(info) if info.isreg() else None
                if inner is None:
                    raise KeyError(f"{outer} is there, and is no regular file")
                if outer == member:
                    shutil.copyfileobj(inner, sink, CHUNK_BYTES)
                else:
                    _from_tar(inner, member[len(outer) + 1 :], sink)
                return
    raise KeyError(f"there is no {outer}")


def _outer(member: str) -> str:
    """The part of the path up to the first tar in it; the path itself where there is none."""
    parts = member.split("/")
    for count, part in enumerate(parts[:-1], 1):
        if part.endswith(_TAR):
            return "/".join(parts[:count])
    return member

"""One file out of an archive: a zip or wheel, a tar, a tar within a tar, or a package of Debian.

Nothing is unpacked but that file, and it gets the name that the caller chose: names, links, owners and rights that stand in
the archive are not followed. No code of the archive runs.
"""

import errno
import shutil
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import IO

from minilm.files import shown

from .errors import DataError
from .files import CHUNK_BYTES

try:
    from lzma import LZMAError
except ImportError:  # a Python without the library, such as a web page's: there `tarfile` says that it cannot read .xz
    LZMAError = zlib.error  # type: ignore[misc, assignment]

# gzip's errors are OSErrors without a number, and a zip that points before its beginning makes the system say EINVAL.
_DAMAGE = (
    KeyError, ValueError, EOFError, NotImplementedError, RuntimeError, OSError,
    tarfile.TarError, zipfile.BadZipFile, zlib.error, LZMAError, struct.error,
)  # fmt: skip
_TAR = (".tar.gz", ".tgz", ".tar.xz", ".tar")


def extract(archive: Path, member: str, target: Path) -> None:
    """Write the file `member` of `archive` to `target`.

    Args:
        archive: a tar where its name says so (.tar.gz, .tgz, .tar.xz, .tar), a package of Debian (.deb), otherwise a zip.
        member: the path of the file, with "/". A part of it that has the name of a tar is one, and the rest lies in it:
            "package-1.0/data/texts.tar.gz/texts/1.txt".
        target: the file to write.

    Raises:
        DataError: there is no such file, it is a link or a folder, or the archive is damaged.
    """
    try:
        with open(archive, "rb") as file, open(target, "wb") as sink:
            if archive.name.endswith(".deb"):
                _to_data_of_deb(file)
            is_zip = not archive.name.endswith((".deb", *_TAR))
            (_from_zip if is_zip else _from_tar)(file, member, sink)
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # of the disk
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


def _to_data_of_deb(file: IO[bytes]) -> None:
    """Goes to the tar of files in a package of Debian, which is the last member of an ar archive (deb(5))."""
    if file.read(8) != b"!<arch>\n":
        raise tarfile.ReadError("it is no package of Debian")
    while len(head := file.read(60)) == 60:
        if head.startswith(b"data.tar"):
            return
        try:
            size = int(head[48:58])
        except ValueError:
            break
        file.seek(size + size % 2, 1)
    raise tarfile.ReadError("it is no package of Debian, or is cut: there is no data.tar in it")


def _outer(member: str) -> str:
    """The part of the path up to the first tar in it; the path itself where there is none."""
    parts = member.split("/")
    for count, part in enumerate(parts[:-1], 1):
        if part.endswith(_TAR):
            return "/".join(parts[:count])
    return member

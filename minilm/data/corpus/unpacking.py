"""The content of a compressed file block by block, and all of it that stands before the place where the file is cut or damaged.

Python's own readers of gzip read in chunks, and lose the chunk in which the end is missing. Here a little of the compressed bytes is
unpacked at a time and handed on at once, so what is had of a file that is cut does not depend on anybody's buffers. It also bounds the
memory: of 2 KiB, gzip makes at most 2 MiB and zstd at most 64 MiB, as a block of its format is 3 bytes and more for at most 128 KiB.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

from minilm.data.errors import DataError

SLICE_BYTES = 1 << 11
GZIP = 31  # what zlib calls gzip with its largest window


class Damaged(Exception):
    """A compressed file ends too early, or cannot be unpacked further. The message says which."""


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def unpacked(file: BinaryIO, packing: str) -> Iterator[bytes]:
    """The content of a file that is compressed with `packing`, "gzip" or "zstd"; members or frames in a row are one content.

    Raises:
        Damaged: behind the content before the damage.
        DataError: zstd, and the package for it is not installed.
    """
    new, fault = _unpacker(packing)
    unpacker, begun = new(), False
    while packed := file.read(SLICE_BYTES):
        while packed:
            if not begun and packing == "gzip":  # some writers fill their last block up with zeros
                packed = packed.lstrip(b"\0")
                if not packed:
                    break
            try:
                content = unpacker.decompress(packed)
            except fault as error:
                detail = str(error).removeprefix("Error -3 while decompressing data: ")
                raise Damaged(f"cannot be unpacked further ({detail})") from None
            begun, packed = not unpacker.eof, unpacker.unused_data if unpacker.eof else b""
            if not begun:
                unpacker = new()
            if content:
                yield content
    if begun:
        raise Damaged("ends before its compressed content does")


def refuse_missing(packing: str, name: str) -> None:
    """Asks at once for the package that unpacks a file of this name, as it would be asked for in hours.

    Raises:
        DataError: zstd, and the package for it is not installed.
    """
    if packing == "zstd":
        try:
            import zstandard  # noqa: F401
        except ImportError:
            raise DataError(f"{name} is compressed with zstd, which needs a package: pip install zstandard") from None


def _unpacker(packing: str) -> tuple[Callable[[], _Unpacker], type[Exception]]:
    if packing == "gzip":
        return lambda: zlib.decompressobj(wbits=GZIP), zlib.error
    import zstandard

    return zstandard.ZstdDecompressor().decompressobj, zstandard.ZstdError


__all__ = ["Damaged", "refuse_missing", "unpacked"]

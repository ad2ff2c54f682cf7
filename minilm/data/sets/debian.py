"""What Debian's packages are for, in a line and at length, and which other packages each needs."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from .fetch import get
from .lines import fault, lines_of

Row = TypeVar("Row")


class PackageDescription(NamedTuple):
    """What a package of Debian is for.

    Attributes:
        name: of the package.
        section: what it is filed under: "games", "science", "python", ...
        synopsis: what it is in half a line, as its maintainer put it.
        text: the description; a paragraph a line, with what is set off (lists, code) in lines that begin with a blank.
    """

    name: str
    section: str
    synopsis: str
    text: str


class PackageLinks(NamedTuple):
    """What a package of Debian needs.

    Attributes:
        name: of the package.
        section: what it is filed under.
        source: the source package that it is built from; packages of one source are siblings.
        synopsis: what it is in half a line.
        depends: names of the packages that it depends on, of alternatives the first; some are in no line of this set.
    """

    name: str
    section: str
    source: str
    synopsis: str
    depends: tuple[str, ...]


def package_descriptions() -> list[PackageDescription]:
    """What Debian's packages are for, in the order of their names; made with apt if need be, which takes a minute.

    About 63,000 in Debian 12. Families of packages share a description or most of it, so remove copies of the text before you
    split. The text changes with the release: `minilm data show package-descriptions` tells which one is here. Raises DataError
    where it cannot be had: it needs Debian, or its two files from a machine with Debian.
    """
    return _read(lambda row: PackageDescription(*_texts(row, PackageDescription._fields)))


def package_links() -> list[PackageLinks]:
    """What Debian's packages depend on, in the order of their names; read from the same file, with the same errors.

    About 275,000 links in Debian 12. Packages of one source depend on each other and share most of their names: split by source.
    """
    return _read(_links)


def _read(made: Callable[[dict[str, Any]], Row]) -> list[Row]:
    path = get("package-descriptions")
    rows = []
    for number, line in enumerate(lines_of(path), 1):
        try:
            rows.append(made(json.loads(line)))
        except (ValueError, TypeError, KeyError, RecursionError):
            wanted = "a package with its name, section, source, synopsis, text and what it depends on"
            raise fault(path, number, wanted, line) from None
    return rows


def _texts(row: dict[str, Any], names: tuple[str, ...]) -> list[str]:
    fields = [row[name] for name in names]
    if not all(isinstance(field, str) for field in fields):
        raise ValueError("a field is no text")
    return fields


def _links(row: dict[str, Any]) -> PackageLinks:
    name, section, source, synopsis = _texts(row, ("name", "section", "source", "synopsis"))
    return PackageLinks(name, section, source, synopsis, _names(row))


def _names(row: dict[str, Any]) -> tuple[str, ...]:
    names = row["depends"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("what a package depends on is no list of names")
    return tuple(names)

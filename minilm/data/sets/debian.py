"""What Debian's packages are for, in a line and at length."""

import json
from typing import NamedTuple

from .fetch import get
from .lines import fault, lines_of


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


def package_descriptions() -> list[PackageDescription]:
    """What Debian's packages are for, in the order of their names; made with apt if need be, which takes a minute.

    About 63,000 in Debian 12. Families of packages share a description or most of it, so remove copies of the text before you
    split. The text changes with the release: `minilm data show package-descriptions` tells which one is here. Raises DataError
    where it cannot be had: it needs Debian, or its two files from a machine with Debian.
    """
    path = get("package-descriptions")
    descriptions = []
    for number, line in enumerate(lines_of(path), 1):
        try:
            descriptions.append(PackageDescription(*_fields(line)))
        except (ValueError, TypeError, KeyError, RecursionError):
            raise fault(path, number, "a package with its name, section, synopsis and text", line) from None
    return descriptions


def _fields(line: str) -> list[str]:
    row = json.loads(line)
    fields = [row[name] for name in PackageDescription._fields]
    if not all(isinstance(field, str) for field in fields):
        raise ValueError("a field is no text")
    return fields

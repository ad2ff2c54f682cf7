"""What the table knows of one data set."""

from dataclasses import dataclass
from typing import Literal

from minilm.data.package import Package

Kind = Literal[
    "text", "images", "words", "vectors", "tables", "messages", "sentences", "pairs", "tags", "relations", "descriptions",
    "conversations",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """One data set.

    Attributes:
        name: what it is called on the command line.
        title: what it is, in half a line.
        kind: what sort of thing it holds.
        reader: the function of `minilm.data` that reads it, as it is called.
        rows: how much it holds.
        licence: of the package and of the data in it; "for research only" where that is all that is allowed.
        citation: whom to cite.
        description: what one should know before using it.
        packages: what it is published in.
        generated: where it comes from instead, if this machine makes it: then it has no fixed SHA-256.
        fetch_size: how many bytes are fetched for it, if it is generated; 0 where that needs no network.
        part: the files of the package that are its own, where other sets come in the same package; none: all.
    """

    name: str
    title: str
    kind: Kind
    reader: str
    rows: str
    licence: str
    citation: str
    description: str
    packages: tuple[Package, ...] = ()
    generated: str = ""
    fetch_size: int = 0
    part: tuple[str, ...] = ()

    @property
    def filenames(self) -> list[str]:
        """The names of those files of its packages that are its own."""
        return list(self.part) or [file.name for package in self.packages for file in package.files]

    @property
    def source(self) -> str:
        """Where the set comes from, in one line."""
        if not self.packages:
            return self.generated
        first = self.packages[0]
        if len(self.packages) > 1:
            return f"{first.registry}: " + ", ".join(
                f"{package.package} {package.version}" for package in self.packages
            )
        names = self.filenames
        if names == [first.archive]:
            where = "the whole archive"
        else:
            where = f"{first.inside}/{names[0]}" if len(names) == 1 else f"{len(names)} files in {first.inside}"
        return f"{first.registry}: {first.package} {first.version}, {where}"

    @property
    def download_size(self) -> int:
        """How many bytes are fetched for it."""
        return self.fetch_size or sum(package.archive_size for package in self.packages)

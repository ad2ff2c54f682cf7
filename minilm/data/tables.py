"""Tables of numbers in .csv files."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .errors import DataError
from .plain_text import decode_utf8


@dataclass(frozen=True)
class Table:
    """The columns of a .csv file: their `names`, and `values` of shape (rows, columns)."""

    names: tuple[str, ...]
    values: NDArray[Any]

    def column(self, name: str) -> NDArray[Any]:
        """The column called `name`, of shape (rows,); raises DataError if there is none."""
        if name not in self.names:
            raise DataError(f"the table has no column {name!r}; it has {', '.join(self.names)}")
        return self.values[:, self.names.index(name)]


def load_table(
    path: str | Path, *, header: bool | None = None, delimiter: str = ",", dtype: DTypeLike = np.float32
) -> Table:
    """Read a table of numbers from a .csv file in UTF-8, which may be compressed (.gz).

    `header` says whether the first line holds names; None finds out: it does if one of its cells is no number.
    Without names the columns are called "0", "1", ... Empty lines are skipped. Raises DataError that names the line
    and column of a cell that is no number, a line with more or fewer cells than the first, and an empty table.
    """
    path = Path(path)
    text = _read(path)
    line, first = next(_rows(path, text, delimiter), (0, None))
    if first is None:
        raise DataError(f"{path} is empty")
    if header is None:
        header = not all(_is_number(cell) for cell in first)
    names = tuple(cell.strip() for cell in first) if header else tuple(str(i) for i in range(len(first)))
    body = "".join(text.split("\n", line)[line:]) if header else text
    if not body.strip():
        raise DataError(f"{path} holds names but no rows")
    try:
        values = np.loadtxt(io.StringIO(body), delimiter=delimiter, dtype=dtype, comments=None, quotechar='"', ndmin=2)
    except ValueError as error:
        raise _first_fault(path, text, delimiter, header, names) or DataError(f"{path}: {error}") from error
    if values.shape[1] != len(names):
        raise DataError(f"{path}: the first line has {len(names)} cells, the rows have {values.shape[1]}")
    return Table(names, values)


def _read(path: Path) -> str:
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    content = path.read_bytes()
    if path.suffix.lower() == ".gz":
        try:
            content = gzip.decompress(content)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{path} is no complete gzip file: {error}") from error
    return decode_utf8(content, path).replace("\r\n", "\n").replace("\r", "\n")


def _rows(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, each with the number of its last line."""
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    try:
        yield from ((reader.line_num, row) for row in reader if row)
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}") from error


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _first_fault(path: Path, text: str, delimiter: str, header: bool, names: tuple[str, ...]) -> DataError | None:
    """What is wrong with the first row that cannot be read."""
    rows = _rows(path, text, delimiter)
    if header:
        next(rows)
    for line, row in rows:
        if len(row) != len(names):
            return DataError(f"{path}, line {line}: {len(row)} cells, expected {len(names)} as in the first line")
        for name, cell in zip(names, row, strict=True):
            if not _is_number(cell):
                return DataError(f"{path}, line {line}, column {name}: {cell!r} is no number")
    return None

"""Tables of numbers in .csv files.

A file is read in pieces of whole rows, up to 1 GiB of it after unpacking, more with a larger `max_bytes`. A number is
written with the digits 0 to 9, an optional sign, point and exponent, or as nan, inf, infinity in any case; blanks around
it are ignored. `1_000`, `1,5` and digits of other scripts are no numbers here.

Each piece goes through NumPy's reader, and where that fails or may have changed a value, through `_Form.exact_rows`:
slower, cell by cell, and exact in what it accepts and in what it says.
"""

import csv
import io
import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import DTypeLike, NDArray

from minilm.files import shown

from .errors import DataError
from .files import MAX_BYTES, refuse_bomb
from .plain_text import iter_lines

_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf|infinity|nan)", re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True)
class Table:
    """The columns of a .csv file: their `names`, and `values` of shape (rows, columns)."""

    names: tuple[str, ...]
    values: NDArray[Any]

    def column(self, name: str) -> NDArray[Any]:
        """The column called `name`, of shape (rows,); raises DataError if there is none, or more than one."""
        if (times := self.names.count(name)) > 1:
            raise DataError(f"the table has {times} columns {name!r}: take one by its number, values[:, i]")
        if times == 0:
            raise DataError(f"the table has no column {name!r}; it has {', '.join(self.names)}")
        return self.values[:, self.names.index(name)]


def load_table(
    path: str | Path,
    *,
    header: bool | None = None,
    delimiter: str = ",",
    dtype: DTypeLike = np.float32,
    max_bytes: int | None = MAX_BYTES,
) -> Table:
    """Read a table of numbers from a .csv file in UTF-8, which may be compressed with gzip.

    `header` says whether the first line holds names; None finds out: it does if one of its cells is no number.
    Without names the columns are called "0", "1", ... Empty lines are skipped. `dtype` is a type of whole numbers or
    float16, float32, float64. Fractions are rounded to it; a whole number that it changes (16777217 as float32) is
    read, with a warning that names the first one of the column; a number outside its range is an error. `max_bytes` is
    the largest content of the file, after unpacking; None: no limit.

    Raises DataError that names the line and column of a cell that is no number or does not fit, a line with more or
    fewer cells than the first, an empty table, a file that cannot be read, and an argument out of range.
    """
    form = _Form(shown(path), _checked_delimiter(delimiter), _checked_dtype(dtype))
    if header not in (None, True, False):
        raise DataError(f"header = {header!r} must be True, False or None")
    refuse_bomb(path, max_bytes)  # numbers take more memory than text, so the limit has to be met before
    blocks = []
    for text, lines_before in _pieces(Path(path), max_bytes):
        if not form.names:
            text, lines_before = form.read_names(text, lines_before, header)
        if text and not text.isspace():
            block = form.fast_rows(text)
            blocks.append(form.exact_rows(text, lines_before) if block is None else block)
    if not form.names:
        raise DataError(f"{form.file} is empty")
    if not any(map(len, blocks)):
        raise DataError(f"{form.file} holds names but no rows")
    form.warn_of_changed()
    return Table(form.names, np.concatenate(blocks))


def _checked_delimiter(delimiter: str) -> str:
    """A character that can stand between numbers and in no number."""
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n\0+-._' or delimiter.isalnum():
        raise DataError(
            f"delimiter = {delimiter!r} must be one character that is no letter, digit, quote, sign, point or line end, "
            r"such as ',', ';', '\t' or ' '"
        )
    return delimiter


def _checked_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    try:
        checked = np.dtype(dtype)
    except (TypeError, ValueError) as error:
        raise DataError(f"dtype = {dtype!r} is no type of numbers ({error})") from None
    if not (checked.kind in "iu" or (checked.kind == "f" and checked.itemsize <= 8)) or dtype is None:
        raise DataError(f"dtype = {dtype!r} must be a type of whole numbers, or float16, float32 or float64")
    return checked.newbyteorder("=")


def _pieces(path: Path, max_bytes: int | None) -> Iterator[tuple[str, int]]:
    """The text of a table in pieces of whole rows, each with the number of lines before it.

    A line end may stand between quotes. Within them the number of quotes so far is odd, as one inside is written twice.
    """
    waiting: list[str] = []
    odd, lines = False, 0
    for text in iter_lines(path, max_bytes):
        waiting.append(text)
        odd ^= text.count('"') % 2 == 1
        if not odd:
            whole = "".join(waiting)
            yield whole, lines
            lines += whole.count("\n")
            waiting = []
    if waiting:
        yield "".join(waiting), lines


@dataclass
class _Form:
    """What is known of a table while it is read."""

    file: str
    delimiter: str
    dtype: np.dtype[Any]
    names: tuple[str, ...] = ()
    changed: dict[int, str] = field(default_factory=dict)
    """Column -> what became of the first whole number that `dtype` cannot hold exactly."""

    def rows(self, text: str, lines_before: int) -> Iterator[tuple[int, list[str]]]:
        """The rows that are not empty, each with the number of its last line."""
        reader = csv.reader(io.StringIO(text), delimiter=self.delimiter)
        try:
            for row in reader:
                if len(row) > 1 or (row and row[0].strip()):
                    yield lines_before + reader.line_num, row
        except csv.Error as error:
            raise DataError(f"{self.file}, line {lines_before + reader.line_num}: {error}") from None

    def read_names(self, text: str, lines_before: int, header: bool | None) -> tuple[str, int]:
        """Sets `names` from the first row of `text`, if there is one; returns the text and the lines before the rows."""
        line, first = next(self.rows(text, lines_before), (0, None))
        if first is None:
            return "", lines_before
        self.names = tuple(map(str, range(len(first))))
        if header is None:
            header = not all(map(_NUMBER.fullmatch, map(str.strip, first)))
            if header and all(map(_is_number_to_python, first)):
                self.check_row(line, first)  # raises: 1_000 is more likely a number in another form than a name
        if not header:
            return text, lines_before
        self.names = tuple(cell.strip() for cell in first)
        return "".join(text.split("\n", line - lines_before)[line - lines_before :]), line

    def fast_rows(self, text: str) -> NDArray[Any] | None:
        """The rows by NumPy's reader; None if it cannot read them, or may have read them otherwise than `exact_rows`."""
        is_float = self.dtype.kind == "f"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # NumPy warns of values that it changes
                values = np.loadtxt(
                    io.StringIO(text), delimiter=self.delimiter, dtype=np.float64 if is_float else self.dtype,
                    comments=None, quotechar='"', ndmin=2,
                )  # fmt: skip
        except (ValueError, OverflowError, Warning):
            return None
        if values.shape[1] != len(self.names):
            return None
        if not is_float:
            return values
        with np.errstate(over="ignore"):
            rounded = values.astype(self.dtype)
        suspect = np.isinf(rounded)
        # Whole numbers from here on are not all exact. NumPy has rounded those above 2**53 already, unseen.
        large = np.abs(values) >= 2.0 ** (np.finfo(self.dtype).nmant + 1)
        suspect |= large & ((np.abs(values) >= 2.0**53) | ((rounded != values) & (np.trunc(values) == values)))
        told = np.isin(np.arange(len(self.names)), list(self.changed))
        return None if (suspect & ~(told & np.isfinite(rounded))).any() else rounded

    def exact_rows(self, text: str, lines_before: int) -> NDArray[Any]:
        """The specification of `fast_rows`: every cell by itself, with an error that names it."""
        numbers = [self.check_row(line, row) for line, row in self.rows(text, lines_before)]
        return np.array(numbers, self.dtype).reshape(len(numbers), len(self.names))

    def check_row(self, line: int, row: list[str]) -> list[Any]:
        """The numbers of a row."""
        if len(row) != len(self.names):
            raise DataError(
                f"{self.file}, line {line}: {len(row)} cells, expected {len(self.names)} as in the first line"
            )
        return [self.check_cell(line, column, cell) for column, cell in enumerate(row)]

    def check_cell(self, line: int, column: int, cell: str) -> Any:
        """The number in a cell."""
        text = cell.strip()
        if not _NUMBER.fullmatch(text):
            self.fail(line, column, cell, _why_no_number(text))
        whole = _WHOLE.fullmatch(text) is not None
        if self.dtype.kind in "iu":
            limits = np.iinfo(self.dtype)
            if not whole:
                self.fail(
                    line, column, cell, f"is no whole number: read it with dtype=np.float32 instead of {self.dtype}"
                )
            if not limits.min <= (value := _whole_number(text)) <= limits.max:
                self.fail(line, column, cell, f"does not fit {self.dtype}, which holds {limits.min} to {limits.max}")
            return self.dtype.type(value)
        with np.errstate(over="ignore", under="ignore"):
            number = self.dtype.type(float(text))
        if math.isinf(number) and "inf" not in text.lower():
            largest = np.finfo(self.dtype).max
            self.fail(line, column, cell, f"does not fit {self.dtype}, which holds numbers up to {largest:.4g}")
        if whole and column not in self.changed and int(number) != _whole_number(text):
            self.changed[column] = f"{self.names[column]} (line {line}: {text} became {int(number)})"
        return number

    def fail(self, line: int, column: int, cell: str, why: str) -> NoReturn:
        shortened = repr(cell) if len(cell) <= 60 else repr(cell[:57]) + "..."
        raise DataError(f"{self.file}, line {line}, column {self.names[column]}: {shortened} {why}")

    def warn_of_changed(self) -> None:
        if self.changed:
            wider = "np.float64, or np.int64" if self.dtype.itemsize < 8 else "np.int64"
            columns = "; ".join([self.changed[column] for column in sorted(self.changed)][:3])
            warnings.warn(
                f"{self.file}: whole numbers too large for {self.dtype} were rounded in {len(self.changed)} "
                f"column{'s' * (len(self.changed) > 1)}: {columns}. To keep them, pass dtype={wider}.",
                stacklevel=3,
            )


def _whole_number(text: str) -> int:
    """The number that a sign and digits stand for; of more than 400 digits, more than any type holds, the first 400."""
    digits = text.lstrip("+-").lstrip("0")[:400] or "0"  # Python converts long ones slowly, and refuses very long ones
    return -int(digits) if text.startswith("-") else int(digits)


def _is_number_to_python(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _why_no_number(text: str) -> str:
    if not text:
        return "is no number: fill the cell, or write nan where a value is missing"
    if _is_number_to_python(text):
        return "is no number: write it with the digits 0 to 9 and without '_'"
    if re.fullmatch(r"[+-]?[0-9]+,[0-9]+", text):
        return "is no number: write a point for the decimal comma"
    return "is no number"

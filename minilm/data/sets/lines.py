"""Lines of a text file, and an error that names the line."""

from pathlib import Path

from minilm.data.errors import DataError
from minilm.data.files import MAX_BYTES
from minilm.files import no_text, read_regular, shown


def text_of(path: Path) -> str:
    """The text of a file in UTF-8, line ends as they are. Raises DataError that names the file and the byte if it is none."""
    content = read_regular(path, DataError, max_bytes=MAX_BYTES, remedy="no data set is that large", what="data file")
    if (reason := no_text(content)) is not None:
        raise DataError(f"{shown(path)} {reason}")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{shown(path)} is no text in UTF-8: {error.reason} at byte {error.start}") from None


def lines_of(path: Path) -> list[str]:
    """The lines of a file in UTF-8 without their ends. Only a line feed ends one: others of Unicode occur within texts."""
    lines = [line.removesuffix("\r") for line in text_of(path).split("\n")]
    return lines[:-1] if lines[-1] == "" else lines


def fault(path: Path, number: int, expected: str, line: str) -> DataError:
    """The error for line `number`, counted from 1."""
    return DataError(f"{shown(path)}, line {number}: expected {expected}, got {line[:80]!r}")

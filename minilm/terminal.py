"""What a person reads in a terminal: lines that fit, characters that can be shown, and streams that do not end in a traceback."""

from __future__ import annotations

import codecs
import contextlib
import difflib
import os
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

NARROWEST = 20  # columns: no text is wrapped to less
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but the tab and the line end
_LABEL = re.compile(r" *\S+(?: \S+)* {2,}")


def visible(text: str) -> str:
    r"""The text with its control characters spelled out, as ``\x1b``: none of them acts on the terminal."""
    return CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def columns(stream: Any = None) -> int | None:
    """The width of what is printed: `COLUMNS` if set, or the terminal's; None where the stream (or the output) is no terminal."""
    with contextlib.suppress(KeyError, ValueError):
        if (chosen := int(os.environ["COLUMNS"])) > 0:
            return max(chosen, NARROWEST)
    with contextlib.suppress(AttributeError, ValueError, OSError):
        if (
            width := os.get_terminal_size((stream or sys.stdout).fileno()).columns
        ) > 0:  # 0: of a pseudo-terminal that nobody looks at
            return max(width, NARROWEST)
    return None


def wrap(text: str, width: int | None) -> str:
    """Breaks lines at blanks. What follows a label and two blanks ("licence    MIT") stays in its column; no word is cut."""
    if width is None:
        return text
    lines = []
    for line in text.split("\n"):
        label = _LABEL.match(line)
        indent = " " * len(label[0]) if label and len(label[0]) <= width // 2 else ""
        lines += textwrap.wrap(
            line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
        ) or [""]
    return "\n".join(lines)


def table(rows: Iterable[Sequence[str]], width: int | None) -> str:
    """Rows in columns, two blanks apart; the last column is wrapped."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    lines = []
    for *cells, last in rows:
        start = "".join(f"{cell:{size}}  " for cell, size in zip(cells, widths, strict=True))
        room = None if width is None else max(width - len(start), NARROWEST // 2)
        lines += [
            (start if number == 0 else " " * len(start)) + part
            for number, part in enumerate(wrap(last, room).split("\n"))
        ]
    return "\n".join(line.rstrip() for line in lines)


class OutputError(OSError):
    """Standard output cannot be written to."""


def write(text: str) -> None:
    """Writes to standard output, at once.

    Raises:
        OutputError: it cannot be written to.
        BrokenPipeError: its reader has gone.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(error.errno, error.strerror) from None


class Writer:
    """Writes a text piece by piece, as it comes.

    Args:
        raw: write control characters as they are; else none of them acts on the terminal (`visible`).

    Attributes:
        lost: whether the output's encoding lacked a character of the text.
    """

    def __init__(self, raw: bool = False) -> None:
        self.raw, self.lost = raw, False

    def __call__(self, text: str) -> None:
        text = text if self.raw else visible(text)
        self.lost = self.lost or cannot_show(text)
        if text:
            write(text)

    def explain(self) -> None:
        """Says on standard error that characters were lost, and what shows them, if it is so."""
        if self.lost:
            complain(
                f'the output\'s encoding, {sys.stdout.encoding}, lacks some characters of the text: each is written as "?". '
                "With the environment variable PYTHONUTF8=1 all are written."
            )


def say(text: str = "") -> None:
    """Writes a text for people, wrapped, with nothing in it that acts on the terminal, and a line end."""
    write(wrap(visible(text), columns()) + "\n")


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """ " Did you mean train?" if one of the names is close to the word, or else ""."""
    close = difflib.get_close_matches(word[:100], list(names), n=1, cutoff=0.6)
    return f" Did you mean {close[0]}?" if close else ""


def shortened(text: str, most: int = 1000) -> str:
    """The text, or its beginning and end where it is longer than `most`."""
    return text if len(text) <= most else f"{text[: most // 2]} ... {text[-most // 2 :]}"


def progress(loss: float, best: float, per_second: float, width: int | None, counted: str = "tokens") -> str:
    """What stands behind the progress bar: so much that the bar keeps room."""
    speed = f"{per_second:,.0f}" if per_second < 9_999.5 else f"{per_second / 1000:,.1f}k"
    parts = [f"loss {loss:.3f}", f"best {best:.3f}", f"{speed} {counted}/s"]
    shown = 3 if width is None or width >= 76 else 2 if width >= 60 else 1
    return ", ".join(parts if shown == 3 else parts[::2] if shown == 2 else parts[:1])


@contextlib.contextmanager
def standard_streams() -> Iterator[None]:
    """Within it, whatever is printed can be: a stream that the shell closed leads nowhere, and a character that the output's
    encoding lacks becomes "?". A file name's bytes that are no text go out as they are."""
    codecs.register_error("minilm", _show_what_can_be)
    before = {}
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115 (open to the end)
    stream: Any = sys.stdout
    if getattr(stream, "errors", None) in ("strict", "surrogateescape") and hasattr(stream, "reconfigure"):
        before[stream] = stream.errors
        stream.reconfigure(errors="minilm")
    try:
        yield
    finally:
        for stream, errors in before.items():
            with contextlib.suppress(OSError, ValueError):
                stream.reconfigure(errors=errors)


def _show_what_can_be(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    byte = ord(character) - 0xDC00
    return (bytes([byte]) if 0x80 <= byte <= 0xFF else "?"), error.start + 1


def cannot_show(text: str) -> bool:
    """Whether the output's encoding lacks characters of the text."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return True
    return False


def give_up_broken_streams() -> None:
    """What could not be written leads nowhere: Python would report it again at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)


def complain(message: str, after_ctrl_c: bool = False) -> None:
    """Says on standard error what went wrong; on a line of its own behind the terminal's ^C."""
    with contextlib.suppress(OSError):
        start = "\n" if after_ctrl_c else ""
        print(f"{start}minilm: {visible(shortened(message))}", file=sys.stderr)

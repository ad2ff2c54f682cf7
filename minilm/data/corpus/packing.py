"""Documents as tokens, one behind the other with an end token between, cut into windows or into files of one length.

A model of language learns from windows of a fixed length, and documents have none. So all are laid in a row,

    a a a E b b E c c c c c E ...

and the row is cut where a window ends (GPT-2 and GPT-3: Brown et al. 2020, section 2.1 and appendix B), which fills every place, while
padding each document to the longest would fill few. What a window sees of the document before it, the end token tells it to forget.

Nothing is lost at an edge: a document that does not fit goes on in the next window or file, and the last one is as long as what is
left. Memory: one window, or one document, whichever is longer.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minilm.data.errors import DataError
from minilm.data.tokens import TokenHeader, write_tokens


def laid_in_a_row(documents: Iterable[NDArray[Any] | Sequence[int]], end: int) -> Iterator[NDArray[Any]]:
    """The ids of each document, and the end token behind it; a document without ids leaves nothing, not even an end."""
    for document in documents:
        if len(document):
            yield np.append(document, end)


def cut(pieces: Iterable[NDArray[Any]], size: int, overlap: int = 0) -> Iterator[NDArray[Any]]:
    """A row that comes in pieces, in windows of `size` ids, the last one shorter if it does not come out even.

    Args:
        pieces: the row, in pieces of any lengths.
        size: how many ids a window has.
        overlap: with how many ids of the window before one begins. With 1, each id but the very first is to be predicted once: inputs are
            window[:-1], targets window[1:].

    Raises:
        ValueError: size is below 1, or the overlap is not from 0 to size - 1.
    """
    if not 0 <= overlap < size:
        raise ValueError(f"expected a size of 1 or more and an overlap below it, got {size!r} and {overlap!r}.")
    held: list[NDArray[Any]] = []
    length, fresh = 0, 0  # of what is held, and how many ids of it no window had yet
    for piece in pieces:
        held.append(piece)
        length += len(piece)
        fresh += len(piece)
        if length >= size:
            row = np.concatenate(held)
            starts = range(0, length - size + 1, size - overlap)
            for start in starts:
                yield row[start : start + size].copy()  # not a view: it would keep the whole row in memory
            row = row[starts[-1] + size - overlap :].copy()
            held, length, fresh = [row], len(row), len(row) - overlap
    if fresh > 0:
        yield np.concatenate(held)


def windows(
    documents: Iterable[NDArray[Any] | Sequence[int]], size: int, end: int, *, overlap: int = 0
) -> Iterator[NDArray[Any]]:
    """Documents as windows of ids, (size,), the last one shorter if it does not come out even.

    Args:
        documents: the ids of each.
        size: how many ids a window has.
        end: the end token's id.
        overlap: how many ids of the window before each window repeats; see `cut`.

    Raises:
        ValueError: size is below 1, or the overlap is not from 0 to size - 1.
    """
    return cut(laid_in_a_row(documents, end), size, overlap)


def write_shards(
    folder: str | os.PathLike[str],
    documents: Iterable[NDArray[Any] | Sequence[int]],
    end: int,
    vocab_size: int,
    size: int,
) -> list[tuple[Path, TokenHeader]]:
    """Documents as token files of `size` ids each, the last one shorter: `00000.tokens`, `00001.tokens` and so on.

    Each is what `minilm.data.open_tokens` maps into memory, and appears when it is complete. Written again, they are the same. What
    stands in the folder besides is left there: the list that is returned says which files are the corpus.

    Args:
        folder: where they are put; it is made if there is none.
        documents: the ids of each. One of them at a time is in memory, and no file.
        end: the end token's id.
        vocab_size: how many tokens there are.
        size: how many ids a file holds.

    Raises:
        DataError: an id outside 0 .. vocab_size - 1, ids that are not whole numbers, or none at all.
        ValueError: size is below 1.
    """
    if size < 1:
        raise ValueError(f"expected a size of 1 or more, got {size!r}.")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written: list[tuple[Path, TokenHeader]] = []
    for number, parts in groupby(_numbered(laid_in_a_row(documents, end), size), itemgetter(0)):
        path = folder / f"{number:05d}.tokens"
        written.append((path, write_tokens(path, (part for _, part in parts), vocab_size)))
    if not written:
        raise DataError(f"no tokens to write to {folder}: there are no documents, or all are empty")
    return written


def windows_plain(documents: Iterable[Sequence[int]], size: int, end: int, *, overlap: int = 0) -> list[list[int]]:
    """`windows` of documents that fit into memory: one list, and slices of it."""
    row = [token for document in documents if len(document) for token in (*document, end)]
    starts = range(0, max(len(row) - overlap, 1), size - overlap)
    return [row[start : start + size] for start in starts] if row else []


def _numbered(pieces: Iterable[NDArray[Any]], size: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """The pieces, cut where a file ends, each with its file's number."""
    at = 0
    for piece in pieces:
        while len(piece):
            number, filled = divmod(at, size)
            part, piece = np.split(piece, [size - filled])
            yield number, part
            at += len(part)


__all__ = ["cut", "laid_in_a_row", "windows", "windows_plain", "write_shards"]

"""The documents that a model is evaluated on: a text file is one, a file of JSON lines has one per line, a folder those of its files.

A corpus (`minilm corpus`) has those that it holds out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from minilm.data import iter_documents
from minilm.data.packed import is_corpus, open_corpus

SPLITS = ("files", "paragraphs")
_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")


def read_documents(source: str | Path, split: str = "files") -> Iterator[str]:
    """The documents of a source, one at a time, empty ones too.

    Args:
        source: what `minilm.data.load_text` reads: a file, a folder, or the name of a data set, which is one document; or the folder of
            a corpus: the documents of its validation part.
        split: "files"; or "paragraphs": each document is cut at its blank lines, which are left out.

    Raises:
        DataError: a file cannot be read, or there is nothing of that name; it is raised when the document is reached.
        ValueError: there is no such way to split.
    """
    if split not in SPLITS:
        raise ValueError(f"documents are split by {' or '.join(SPLITS)}, not by {split!r}.")
    for text in open_corpus(source).texts("validation") if is_corpus(source) else iter_documents(source):
        if split == "files":
            yield text
        else:
            yield from (part for part in _BLANK_LINES.split(text.strip("\n")) if part and not part.isspace())

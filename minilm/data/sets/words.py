"""Readers of the word lists and messages of the table."""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .fetch import get


def misspellings() -> dict[str, list[str]]:
    """Each word with the misspellings that people made of it, fetched if need be.

    Of a word that has two lines the lists are joined. Raises DataError if the list cannot be had.
    """
    table: dict[str, list[str]] = {}
    for line in get("misspellings").read_text(encoding="utf-8").splitlines():
        if cells := line.split():
            table.setdefault(cells[0], []).extend(cells[1:])
    return table


def weat_words() -> dict[str, list[str]]:
    """The named word lists of the Word Embedding Association Test, fetched if need be."""
    lists: dict[str, list[str]] = json.loads(get("weat").read_text(encoding="utf-8"))
    return lists


def spam_assassin(*, headers: bool = False) -> tuple[list[str], NDArray[Any]]:
    """The messages of the SpamAssassin corpus and int64 labels of shape (6046,): 1 is spam, 0 is wanted mail.

    `headers=False` keeps what follows the first blank line of a message; the headers give the label away. The archive
    is read as it is, its files are not unpacked. Raises DataError if it cannot be had.
    """
    import tarfile

    texts, labels = [], []
    with tarfile.open(get("spam-assassin"), "r:gz") as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            parts = member.name.split("/")  # package/data/spam-1/00001.txt
            file = archive.extractfile(member) if parts[1] == "data" and member.name.endswith(".txt") else None
            if file is not None:
                text = _decode(file.read())
                texts.append(text if headers else text.partition("\n\n")[2])
                labels.append(int(parts[2].startswith("spam")))
    return texts, np.array(labels, np.int64)


def _decode(message: bytes) -> str:
    """Mail of that time names its encoding wrongly or not at all; Latin-1 reads any byte."""
    try:
        text = message.decode("utf-8")
    except UnicodeDecodeError:
        text = message.decode("latin-1")
    return text.replace("\r\n", "\n")

"""The documents that the corpus' benchmarks measure on: real ones where the data sets are here, made-up ones elsewhere.

English are descriptions of Debian's packages of 1,000 to 1,700 characters, whose neighbors are often near copies; Chinese are paragraphs
of news, joined until they are as long; 20 characters are cut out of the English ones, and 10 MB are all of them in a row, again and again.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import numpy as np

from minilm.data.errors import DataError

LENGTH, LEAST, MOST = 1250, 1000, 1700


class Shape(NamedTuple):
    """Documents of one kind.

    Attributes:
        name: what the tables call it.
        texts: the documents.
        real: whether they are; else made up.
    """

    name: str
    texts: list[str]
    real: bool


def shapes(documents: int, short: int = 20_000, megabytes: float = 10.0) -> list[Shape]:
    """English and Chinese documents, `documents` of the first kind at most, so many `short` ones, and one of so many `megabytes`."""
    english, real = descriptions()
    chinese, real_too = news()
    text = "\n".join(english)
    rng = np.random.default_rng(0)
    size = round(1e6 * megabytes)
    long = (text * (1 + size // len(text)))[:size]
    return [
        Shape("English", english[:documents], real),
        Shape("Chinese", chinese[: max(2, documents // 4)], real_too),
        Shape("20 characters", [text[i : i + 20] for i in rng.integers(0, len(text) - 20, short).tolist()], real),
        Shape(f"{megabytes:g} MB", [long], real),
    ]


@cache
def descriptions() -> tuple[list[str], bool]:
    """Descriptions of packages in the order of their names, and whether they are real."""
    from minilm.data.sets.debian import package_descriptions

    try:
        return [package.text for package in package_descriptions() if LEAST <= len(package.text) < MOST], True
    except DataError:
        return made_up(2000), False


@cache
def news() -> tuple[list[str], bool]:
    """News in Chinese, and whether they are real."""
    from minilm.data.sets.news import tagged_news

    try:
        return joined("".join(word for word, _ in paragraph) for paragraph in tagged_news()), True
    except DataError:
        codes = np.random.default_rng(0).integers(0x4E00, 0x5200, (500 * LENGTH // 50, 50))
        return joined("".join(map(chr, row)) for row in codes.tolist()), False


def joined(paragraphs: Iterable[str]) -> list[str]:
    """Paragraphs in a row, in documents that end with the first one that makes them long enough."""
    documents, parts = [], list[str]()
    for paragraph in paragraphs:
        parts.append(paragraph)
        if sum(map(len, parts)) >= LENGTH:
            documents.append("\n".join(parts))
            parts = []
    return documents


def made_up(count: int, seed: int = 0) -> list[str]:
    """Texts of about 1,250 characters with punctuation, many with a sign beyond ASCII; each second is the first with a new end."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("etaoinshrdlucmfwyp", k=rng.randint(2, 9))) for _ in range(5000)]
    texts: list[str] = []
    while len(texts) < count:
        chosen = rng.choices(words, k=200)
        texts.append(
            ". ".join([" ".join(chosen[i : i + 12]).capitalize() for i in range(0, 200, 12)]) + rng.choice([".", "…"])
        )
        same = rng.randint(60, 196)
        texts.append(" ".join(chosen[:same] + rng.choices(words, k=200 - same)) + rng.choice(["!", " – so"]))
    return texts[:count]


__all__ = ["Shape", "descriptions", "joined", "made_up", "news", "shapes"]

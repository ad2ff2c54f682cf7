"""Readers of what is known of groups of people: a census, words with a gender, vectors of words."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minilm.data.errors import DataError
from minilm.data.files import MAX_BYTES
from minilm.files import read_regular, shown

from .fetch import get, get_files
from .lines import fault, lines_of, text_of

COLUMNS = (
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship", "race", "sex",
    "capital-gain", "capital-loss", "hours-per-week", "native-country",
)  # fmt: skip
NUMBERS = frozenset(("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"))
LABELS = ("<=50K", ">50K")


class People(NamedTuple):
    """People of a census.

    Attributes:
        columns: by name, (n,) each: float64 for numbers, texts for the rest.
        rich: (n,) whether they earn more than 50,000 dollars.
    """

    columns: dict[str, NDArray[Any]]
    rich: NDArray[np.bool_]


class GenderWords(NamedTuple):
    """English words and their gender.

    Attributes:
        definitional: pairs whose difference is gender and little else: ("woman", "man"), the female word first.
        equalize: further pairs, in no fixed order, some with capitals.
        specific: words that have a gender by definition.
        professions: each with two ratings from -1 (female) to 1 (male): by definition, and by stereotype.
    """

    definitional: list[tuple[str, str]]
    equalize: list[tuple[str, str]]
    specific: list[str]
    professions: dict[str, tuple[float, float]]


class WordVectors(NamedTuple):
    """Words and their vectors, (n, d) float32, row by row."""

    words: list[str]
    vectors: NDArray[np.float32]


def adult() -> tuple[People, People]:
    """The people of the census to learn from, and those to test on, fetched if need be. Raises DataError if they cannot be had."""
    learned, test = get_files("adult")
    return _people(learned), _people(test)


def _people(path: Path) -> People:
    rows = []
    for number, line in enumerate(lines_of(path), 1):
        if not line or line.startswith("|"):  # the first line of the test part says how it was drawn
            continue
        cells = [cell.strip() for cell in line.split(",")]
        if (
            len(cells) != len(COLUMNS) + 1 or cells[-1].removesuffix(".") not in LABELS
        ):  # the test part ends labels with "."
            raise fault(path, number, f"{len(COLUMNS)} columns and <=50K or >50K, with commas between", line)
        rows.append(cells)
    if not rows:
        raise DataError(f"{shown(path)} has no people in it")
    table = dict(zip(COLUMNS, map(np.array, zip(*rows, strict=True)), strict=False))
    try:
        columns = {name: column.astype(np.float64) if name in NUMBERS else column for name, column in table.items()}
    except ValueError as error:
        raise DataError(f"{shown(path)}: {error} in a column of numbers") from None
    return People(columns, np.array([row[-1].startswith(">") for row in rows]))


def gender_words() -> GenderWords:
    """Pairs of words that differ in gender, words that have one, and professions, fetched if need be.

    Raises DataError if they cannot be had.
    """
    path = get("gender-words")
    try:
        lists = json.loads(text_of(path))["gender"]
        return GenderWords(
            [(first, second) for first, second in lists["definitional_pairs"]],
            [(first, second) for first, second in lists["equalize_pairs"]],
            list(lists["specific_full"]),
            {word: (float(by_definition), float(felt)) for word, by_definition, felt in lists["professions"]},
        )
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DataError(f"{shown(path)} has not the lists of words: {type(error).__name__} {error}") from None


def news_vectors() -> WordVectors:
    """Frequent words of Google News and their vectors by word2vec, fetched if need be. Raises DataError if they cannot be had.

    The format is word2vec's: a line with the two sizes, then each word, a blank, and its numbers in float32.
    """
    path = get("news-vectors")
    content = read_regular(path, DataError, max_bytes=MAX_BYTES, remedy="no data set is that large", what="data file")
    first, _, rest = content.partition(b"\n")
    try:
        n, width = map(int, first.split())
        words, vectors, start = [], np.empty((n, width), np.float32), 0
        for row in range(n):
            blank = rest.index(b" ", start)
            words.append(rest[start:blank].decode("utf-8"))
            vectors[row] = np.frombuffer(rest, "<f4", width, blank + 1)
            start = blank + 1 + 4 * width
    except (ValueError, MemoryError) as error:
        raise DataError(f"{shown(path)} is no file of word2vec's vectors: {error}") from None
    if start != len(rest):
        raise DataError(f"{shown(path)} goes on after its {n} vectors, by {len(rest) - start} bytes")
    return WordVectors(words, vectors)

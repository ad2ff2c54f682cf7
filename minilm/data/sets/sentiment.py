"""Sentences and reviews with what people think of their mood."""

import math
from pathlib import Path
from typing import NamedTuple

from .fetch import get, get_files
from .lines import fault, lines_of

DOMAINS = ("movies", "products", "tweets", "editorials")


class RatedSentence(NamedTuple):
    """A sentence, or a tweet.

    Attributes:
        text: its words.
        intensity: the mean of what people said, from -4 (most negative) to 4 (most positive).
        domain: one of `DOMAINS`.
        document: the review, the tweet or the editorial that it is of; of a film's sentence nobody noted it, and it is one by itself.
    """

    text: str
    intensity: float
    domain: str
    document: str


def movie_sentences() -> list[tuple[str, float]]:
    """10,605 sentences of English film reviews, each with its intensity, fetched if need be.

    The intensity is the mean of what people said, from -4 (most negative) to 4 (most positive). Most texts stand once;
    remove the copies before you split (`minilm.data.without_copies`). Raises DataError if they cannot be had.
    """
    return [(text, intensity) for _, intensity, text in _rated(get("movie-sentences"))]


def rated_sentences() -> list[RatedSentence]:
    """23,706 English sentences of four domains, each with its intensity, fetched if need be.

    The domains come in the order of `DOMAINS`. Remove the copies before you split, and keep a document's sentences in one part.
    Raises DataError if they cannot be had.
    """
    found = []
    for domain, path in zip(DOMAINS, get_files("rated-sentences"), strict=True):
        for name, intensity, text in _rated(path):
            found.append(RatedSentence(text, intensity, domain, f"{domain} {name.partition('_')[0]}"))
    return found


def _rated(path: Path) -> list[tuple[str, float, str]]:
    """The name, the intensity and the text of each line."""
    rows = []
    for number, line in enumerate(lines_of(path), 1):
        cells = line.split("\t")
        try:
            intensity = float(cells[1]) if len(cells) == 3 else math.nan
        except ValueError:
            intensity = math.nan
        if not -4.0 <= intensity <= 4.0:
            raise fault(path, number, "a number, an intensity from -4 to 4 and a sentence, with tabs between", line)
        rows.append((cells[0], intensity, cells[2]))
    return rows


def shop_reviews() -> list[tuple[str, int]]:
    """35,124 Chinese reviews of books, hotels and goods with 1 (favorable, these come first) or 0, fetched if need be.

    They are as published: half the lines are copies of others, and some texts have both labels, so that a split of these
    lines tests on what was learned by heart. `minilm.data.without_copies` with `label=...` leaves what can be used.
    Raises DataError if they cannot be had.
    """
    favorable, unfavorable = get_files("shop-reviews")
    return [(line, 1) for line in lines_of(favorable)] + [(line, 0) for line in lines_of(unfavorable)]

"""A spam filter refuses, and is evaded: the share of spam that is still refused after each attack, for five filters.

A filter's line is drawn on the validation part, where 1 % of the wanted mails lie over it. The spammer asks the filter 1,000 words
on five mails of the validation part (`good_words`), each filter anew but in the row that says otherwise. Shares are of the test part's
spam, one mail for each group of near copies; intervals by the bootstrap over mails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minilm.text.evasion import good_words, homoglyphs, interleaved, invisible, normalized, spaced, with_words
from tests.experiments._cells import of_mean
from tests.experiments._mails import Mails, parts, text_filter
from tests.experiments._mails import Score as Filter

CANDIDATES, ASKED, WORDS, PART = 1000, 5, (5, 10, 30, 100), 50
Attack = Callable[[str, np.random.Generator], str]
LETTERS: dict[str, Attack] = {
    "nothing": lambda text, rng: text,
    "invisible marks in words": invisible,
    "lookalike letters": homoglyphs,
    "letters apart, f r e e": spaced,
    "letters apart, f.r.e.e": lambda text, rng: spaced(text, rng, by="."),
}


def measure() -> Iterator[dict[str, Any]]:
    train, validation, test = parts()
    common = candidates(validation)
    plain = text_filter(train)
    old = words_against(plain, validation, common)
    filters = {
        "as learned": plain,
        "normalized": reading(normalized, train),
        "retrained": text_filter(retrained(train, old, np.random.default_rng(9))),
        "worst part": worst_part(plain),
        "normalized, worst part": worst_part(reading(normalized, train)),
    }
    lines = {name: np.quantile(score(validation.of(False)), 0.99) for name, score in filters.items()}
    yield {"the spammer adds": "wanted mails refused", **{
        name: of_mean(score(test.of(False)) > lines[name]) for name, score in filters.items()
    }}  # fmt: skip
    for attack, change in LETTERS.items():
        rng = np.random.default_rng(1)
        spam = [change(text, rng) for text in test.of(True)]
        yield {
            "the spammer adds": attack,
            **{name: of_mean(score(spam) > lines[name]) for name, score in filters.items()},
        }
    own = {name: words_against(score, validation, common) for name, score in filters.items()}
    for count in WORDS:
        row: dict[str, Any] = {"the spammer adds": f"{count} good words"}
        for name, score in filters.items():
            row[name] = of_mean(score([with_words(text, own[name][:count]) for text in test.of(True)]) > lines[name])
        yield row
    for name_of, words in (
        ("a good word after each word", own),
        ("30 good words of the first filter", dict.fromkeys(filters, old)),
    ):
        put = with_words if "30" in name_of else interleaved
        spam_of = {name: [put(text, words[name][:30]) for text in test.of(True)] for name in filters}
        yield {"the spammer adds": name_of, **{
            name: of_mean(score(spam_of[name]) > lines[name]) for name, score in filters.items()
        }}  # fmt: skip


def candidates(mails: Mails) -> list[str]:
    """The words that stand in most of the wanted mails."""
    counts: dict[str, int] = {}
    for text in mails.of(False):
        for word in {w for w in text.lower().split() if w.isalpha()}:
            counts[word] = counts.get(word, 0) + 1
    return sorted(counts, key=lambda word: (-counts[word], word))[:CANDIDATES]


def words_against(score: Filter, mails: Mails, common: list[str]) -> list[str]:
    refused = [text for text in mails.of(True) if score([text])[0] > 0]
    return good_words(score, refused[:ASKED], common, WORDS[-1])


def reading(change: Callable[[str], str], mails: Mails) -> Filter:
    """A filter that learns, and reads, changed texts."""
    score = text_filter(mails._replace(texts=[change(text) for text in mails.texts]))
    return lambda texts: score([change(text) for text in texts])


def retrained(mails: Mails, words: list[str], rng: np.random.Generator) -> Mails:
    """The mails, and each spam once more with 30 of the words."""
    more = [with_words(text, rng.choice(words, 30, replace=False).tolist()) for text in mails.of(True)]
    return Mails(mails.texts + more, np.append(mails.spam, np.ones(len(more), bool)))


def worst_part(score: Filter) -> Filter:
    """The highest score of a mail's parts, 50 words each: good words in one part do not help the others (Jorgensen et al. 2008)."""

    def of(texts: Any) -> np.ndarray:
        cut = [cut_up(text) for text in texts]
        found = score([part for each in cut for part in each])
        return np.maximum.reduceat(found, np.cumsum([0, *map(len, cut[:-1])]))

    return of


def cut_up(text: str) -> list[str]:
    words = text.split()
    return [" ".join(words[i : i + PART]) for i in range(0, max(1, len(words)), PART)]

"""The Word Embedding Association Test on four tables of vectors: published ones, large and small, and ours from counts (section 9.4).

The tests are those of Caliskan, Bryson, Narayanan (2017), by their numbers in its table 1, whose effect sizes (GloVe, learned from 840
billion words of the web) are the column "published". A test is left out where a table knows fewer than four words of one of its lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minilm.applications.vectors import encoder, vectors
from minilm.data import news_vectors, weat_words, wordnet_glosses
from minilm.metrics import weat
from minilm.text.cooccurrence import cooccurrences, frequent, positive_information, words_of
from tests.experiments._cells import between

TESTS = {
    "1 flowers, insects: pleasant": (("flowers", "insects", "pleasant_5", "unpleasant_5a"), 1.50),
    "2 instruments, weapons: pleasant": (("instruments", "weapons", "pleasant_5", "unpleasant_5a"), 1.53),
    "6 men's, women's names: career": (("male_names", "female_names", "career", "family"), 1.81),
    "7 math, arts: male": (("math", "arts", "male_terms", "female_terms"), 1.06),
    "8 science, arts: male": (("science", "arts_2", "male_terms_2", "female_terms_2"), 1.24),
    "9 mental, physical: temporary": (("mental_disease", "physical_disease", "temporary", "permanent"), 1.38),
}
CONTEXTS, WINDOW, FEWEST = 4_000, 5, 4

Find = Callable[[list[str]], list[Any]]


def measure() -> Iterator[dict[str, Any]]:
    lists = weat_words()
    tables: dict[str, Find] = {
        "word2vec, news": _news(),
        "MiniLM, table of word pieces": _pieces(),
        "MiniLM, mean of its last layer": lambda words: list(vectors(words)),
        "counts in WordNet's definitions": _counts(lists),
    }
    for test, (names, published) in TESTS.items():
        for table, find in tables.items():
            sets = [np.array(find(lists[name])) for name in names]
            if min(map(len, sets)) < FEWEST:
                continue
            found, wide = weat(*sets), weat(*sets, attributes=True).interval
            yield {
                "test": test,
                "vectors": table,
                "words": "+".join(str(len(s)) for s in sets),
                "published": published,
                "effect size": between(found.effect, found.interval),
                "p": found.p_value,
                "attributes drawn, too": between(found.effect, wide),
            }


def _news() -> Find:
    words, table = news_vectors()
    number = {word: i for i, word in enumerate(words)}
    return lambda asked: [table[number[word]] for word in asked if word in number]


def _pieces() -> Find:
    """Words that are one piece; the model knows no capitals."""
    model, tokenizer = encoder()
    table = model.words.weight.numpy()
    return lambda asked: [table[ids[0]] for word in asked if len(ids := tokenizer.encode(word)) == 1]


def _counts(lists: dict[str, list[str]]) -> Find:
    sentences = [words_of(definition) for _, definition in wordnet_glosses()]
    contexts = frequent(sentences, CONTEXTS)
    asked = sorted({word.lower() for words in lists.values() for word in words} - {*contexts})
    table = positive_information(cooccurrences(sentences, contexts + asked, WINDOW)[:, :CONTEXTS])
    known = {word: row for word, row in zip(contexts + asked, table, strict=True) if row.any()}
    return lambda words: [known[word.lower()] for word in words if word.lower() in known]

"""Whether changed copies of sentences help a classifier that has few of them (9.2): word dropout and EDA.

Sentences of film reviews, positive or negative, without copies. Logistic regression on words and pairs of
neighbors learns 500 of them, alone or each with 4 changed copies; 1,000 others choose the share of changed words and the strength of the
penalty by their accuracy, the mean of 3 seeds; 2,000 are the test, read once with 8 other seeds. A seed draws the 500 sentences and what
changes. Synonyms are those of WordNet's nouns. A difference is that from no copies with the same seed; intervals are Student's t over
seeds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from minilm.data import movie_sentences, without_copies, wordnet_nouns
from minilm.sweep import Results, sweep
from minilm.text.augment import drop_words, eda
from tests.experiments._cells import of_estimate

EXAMPLES, HELD_OUT, TEST, COPIES = 500, 1000, 2000, 4
WAYS: dict[str, tuple[float, ...]] = {"none": (0.0,), "word dropout": (0.1, 0.2, 0.4), "EDA": (0.05, 0.1, 0.3)}
PENALTIES, TUNING, SEEDS = (0.3, 1.0, 3.0, 10.0), range(100, 103), 8


def parts() -> list[tuple[list[list[str]], Any]]:
    """Words of sentences and whether they are positive: to draw from, of validation, of the test."""
    sign = {text: value > 0 for text, value in movie_sentences() if abs(value) >= 0.5}
    kept = without_copies(list(sign)).kept
    order = np.random.default_rng(0).permutation(len(kept))
    found = []
    for some in np.split(order, [TEST, TEST + HELD_OUT]):
        texts = [kept[i] for i in some]
        words = [re.findall(r"\w+(?:'\w+)?|[!?]", text.lower()) for text in texts]
        found.append((words, np.array([sign[text] for text in texts])))
    test, held, rest = found
    return [rest, held, test]


def synonyms() -> dict[str, list[str]]:
    """Of each noun of one word the others of all its meanings."""
    table: dict[str, set[str]] = {}
    for synset in wordnet_nouns().values():
        words = {word for word in synset.words if word.isalpha() and word.islower()}
        for word in words:
            table.setdefault(word, set()).update(words - {word})
    return {word: sorted(others) for word, others in table.items() if others}


def learned(texts: Sequence[Sequence[str]], labels: Any, penalty: float) -> Any:
    """A function from texts to whether they are positive."""
    counts = CountVectorizer(analyzer=lambda words: [*words, *map(" ".join, pairwise(words))])
    model = LogisticRegression(C=penalty, max_iter=200).fit(counts.fit_transform(texts).sign(), labels)
    return lambda others: model.predict(counts.transform(others).sign())


def measure() -> Iterator[dict[str, Any]]:
    (texts, labels), held, test = parts()
    table = synonyms()

    def accuracy(part: Any, way: str, share: float, penalty: float, seed: int) -> float:
        rng = np.random.default_rng(seed)
        some = rng.permutation(len(texts))[:EXAMPLES]
        few, truth = [texts[i] for i in some], labels[some]
        if way != "none":
            change = (
                (lambda words: drop_words(words, share, rng))
                if way == "word dropout"
                else (lambda words: eda(words, share, table, rng))
            )
            few = few + [change(words) for _ in range(COPIES) for words in few]
            truth = np.tile(truth, COPIES + 1)
        return float(np.mean(learned(few, truth, penalty)(part[0]) == part[1]))

    rows = []
    for way, shares in WAYS.items():
        table_of = {"way": [way], "share": shares, "penalty": PENALTIES}
        best = sweep(lambda seed, **each: accuracy(held, seed=seed, **each), table_of, TUNING, highest=True).best()
        rows += sweep(
            lambda seed, **each: accuracy(test, seed=seed, **each),
            {name: [value] for name, value in best.items()},
            SEEDS,
        ).rows
    found = Results(rows, highest=True)
    base = found.settings()[0]
    for each in found.settings():
        more = None if each is base else of_estimate(found.difference(each, base), 4)
        yield dict(each) | {"accuracy": of_estimate(found.mean(each), 4), "more": more}

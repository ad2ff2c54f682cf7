"""What translation is held against: the nearest English text of the training part, and word by word with two lexicons."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from minilm.applications.application import Answer, Split, System
from minilm.applications.lexicon import WORD, WordByWord
from minilm.applications.simple.library import library

Measure = Callable[[Sequence[Any], Sequence[Answer]], float]


def nearest_neighbor(split: Split[Any], measure: Measure) -> System:
    """The Chinese of that English text of the training part which has most in common: the cosine of TF-IDF vectors of character n-grams.

    Which n-grams is chosen on the validation part.
    """
    text = library("sklearn.feature_extraction.text")
    english, chinese = [pair.source for pair in split.train], [pair.target for pair in split.train]

    def system(analyzer: str, ngrams: tuple[int, int]) -> System:
        vectors = text.TfidfVectorizer(analyzer=analyzer, ngram_range=ngrams, sublinear_tf=True)
        known = vectors.fit_transform(english)

        def answer(questions: Sequence[str]) -> list[Answer]:
            if not questions:
                return []
            nearest = np.asarray((vectors.transform(questions) @ known.T).argmax(axis=1)).ravel()
            return [{"translation": chinese[i]} for i in nearest]

        return answer

    grid = [("char", (2, 5)), ("char_wb", (2, 5)), ("char", (1, 4)), ("word", (1, 2))]
    return _best((system(*settings) for settings in grid), split, measure)


def dictionary(
    split: Split[Any],
    entries: Iterable[tuple[str, str, str, Sequence[str]]],
    keep: re.Pattern[str],
    measure: Measure,
) -> System:
    """A Chinese-English dictionary read backwards, word by word.

    An English gloss has many Chinese words; that one is taken which stands most often in the Chinese of the training part, or, for glosses
    of which none does, is left as English, or the shortest: what of both, and how long phrases may be, is chosen on the validation part.

    Args:
        entries: traditional, simplified, pinyin, and the English glosses of each word.
        keep: what is not translated.
    """
    corpus = "\n".join(pair.target for pair in split.train)
    words: dict[str, dict[str, int]] = defaultdict(dict)
    for _, simplified, _, glosses in entries:
        for place, gloss in enumerate(glosses):
            phrase = re.sub(r"\([^)]*\)", "", gloss).strip().lower().removeprefix("to ")
            if WORD.match(phrase):
                words[" ".join(phrase.split())].setdefault(simplified, place)
    counts = {word: corpus.count(word) for known in words.values() for word in known}
    best = {
        phrase: min(known, key=lambda word: (-counts[word], known[word], len(word))) for phrase, known in words.items()
    }
    seen = {phrase: word for phrase, word in best.items() if counts[word]}
    return _best((_system(WordByWord(e, longest, keep)) for e in (best, seen) for longest in (1, 2, 3)), split, measure)


def learned_lexicon(split: Split[Any], learn: Callable[[float], WordByWord], measure: Measure) -> System:
    """Word by word with the likeliest Chinese word of each English one, learned from the training part by IBM model 1
    (`minilm.applications.lexicon`).

    Args:
        learn: makes it, given how likely a Chinese word must be for the English one not to be left out: chosen on the validation part.
    """
    return _best((_system(learn(least)) for least in (0.0, 0.1, 0.2, 0.3, 0.4)), split, measure)


def _system(lexicon: WordByWord) -> System:
    def answer(questions: Sequence[str]) -> list[Answer]:
        return [{"translation": lexicon.translate(question)} for question in questions]

    return answer


def _best(systems: Iterable[System], split: Split[Any], measure: Measure) -> System:
    """That which is worth most on the validation part."""
    questions = [pair.source for pair in split.validation]
    return max(systems, key=lambda system: measure(split.validation, system(questions)))


__all__ = ["dictionary", "learned_lexicon", "nearest_neighbor"]

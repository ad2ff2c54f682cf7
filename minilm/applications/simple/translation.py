"""What translation is held against: the nearest English text of the training part, and word by word with two lexicons."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from minilm.applications.application import Answer, Split, System
from minilm.applications.lexicon import ibm_model_1, likeliest
from minilm.applications.simple.library import library

WORD = re.compile(r"[A-Za-z]+|[^\w\s]")
SPACE = re.compile(r"(?<=[^ -~]) +| +(?=[^ -~])| +(?= )")  # beside what is not Latin, and of several all but one
Measure = Callable[[Sequence[Any], Sequence[Answer]], float]


class Lexicon:
    """Word by word: an English phrase that the lexicon knows becomes Chinese, the longest first; all else stays as it is, without
    spaces beside Chinese.

    Args:
        entries: what each English phrase, in lower case, becomes; nothing: it is left out.
        longest: words of the longest phrase.
    """

    def __init__(self, entries: dict[str, str], longest: int) -> None:
        self.entries, self.longest = entries, longest

    def __call__(self, questions: Sequence[str]) -> list[Answer]:
        return [{"translation": self.translate(question)} for question in questions]

    def translate(self, text: str) -> str:
        """The Chinese of one text."""
        words, out, end, i = list(WORD.finditer(text)), list[str](), 0, 0
        while i < len(words):
            out.append(text[end : words[i].start()])
            for n in range(min(self.longest, len(words) - i), 0, -1):
                start, end = words[i].start(), words[i + n - 1].end()
                found = self.entries.get(" ".join(text[start:end].lower().split()))
                if found is not None or n == 1:
                    out.append(text[start:end] if found is None else found)
                    i += n
                    break
        return SPACE.sub("", "".join([*out, text[end:]])).strip()


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


def dictionary(split: Split[Any], entries: Iterable[tuple[str, str, str, Sequence[str]]], measure: Measure) -> System:
    """A Chinese-English dictionary read backwards, word by word.

    An English gloss has many Chinese words; that one is taken which stands most often in the Chinese of the training part, or, for glosses
    of which none does, is left as English, or the shortest: what of both, and how long phrases may be, is chosen on the validation part.

    Args:
        entries: traditional, simplified, pinyin, and the English glosses of each word.
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
    return _best((Lexicon(e, longest) for e in (best, seen) for longest in (1, 2, 3)), split, measure)


def learned_lexicon(split: Split[Any], cut: Callable[[str], list[str]], measure: Measure) -> System:
    """Word by word with the likeliest Chinese word of each English one, learned from the training part by IBM model 1
    (`minilm.applications.lexicon`).

    How likely it must be for the English word not to be left out is chosen on the validation part.

    Args:
        cut: Chinese into words, which are written without spaces.
    """
    texts = [(WORD.findall(pair.source.lower()), [w for w in cut(pair.target) if w.strip()]) for pair in split.train]
    entries = {word: best[0] for word, best in likeliest(ibm_model_1(texts), 1, 0.0).items()}

    def system(least: float) -> System:
        return Lexicon({word: chinese if p >= least else "" for word, (chinese, p) in entries.items()}, 1)

    return _best(map(system, (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)), split, measure)


def _best(systems: Iterable[System], split: Split[Any], measure: Measure) -> System:
    """That which is worth most on the validation part."""
    questions = [pair.source for pair in split.validation]
    return max(systems, key=lambda system: measure(split.validation, system(questions)))


__all__ = ["Lexicon", "dictionary", "learned_lexicon", "nearest_neighbor"]

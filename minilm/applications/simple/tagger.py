"""The simple method beside named entities: a linear-chain CRF on features given by hand, by python-crfsuite.

The features are the usual ones of the shared tasks: of characters the two on each side and their pairs (as in the segmenters and taggers of
the SIGHAN bakeoffs), of words their letters at both ends and their shape, and the neighbors'. They are learned by the averaged perceptron
(Collins 2002): on this data it is better than maximum likelihood with L-BFGS, and five times as fast.
"""

from __future__ import annotations

import tempfile
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minilm.applications.application import Answer, Split, System
from minilm.applications.simple.library import library
from minilm.applications.tagged import CHARACTERS, Line, Tagged, pieces, tokenized
from minilm.metrics import span_f1, spans, tags_of

LONGEST = 100  # tokens of a piece
ROUNDS = (16, 32)  # passes over the training part, of which the validation part chooses
NUMERALS = frozenset("一二三四五六七八九十百千万亿零〇两")


def crf(split: Split[Tagged]) -> System:
    """The tagger of which the validation part's span F1 is the highest.

    Raises:
        MissingLibraryError: python-crfsuite is not installed.
    """
    suite = library("pycrfsuite")
    unit = split.train[0].unit
    examples = [
        (features(text.tokens, unit)[start:end], tags_of(inside, end - start))
        for text in split.train
        for start, end, inside in _pieces(text)
    ]
    truth = [text.spans for text in split.validation]
    best, best_f1 = None, -1.0
    held = b""  # the tagger reads its weights where they are: they must stay
    with tempfile.TemporaryDirectory() as folder:
        for rounds in ROUNDS:
            trainer = suite.Trainer("ap", verbose=False)
            trainer.set("max_iterations", rounds)
            for each, tags in examples:
                trainer.append(each, tags)
            trainer.train(path := str(Path(folder) / f"{rounds}"))
            tagger, weights = suite.Tagger(), Path(path).read_bytes()
            tagger.open_inmemory(weights)
            f1 = span_f1(truth, [_found(tagger, text.tokens, unit) for text in split.validation]).value
            if best is None or f1 > best_f1:
                best, held, best_f1 = tagger, weights, f1

    def answer(questions: Sequence[Line | str]) -> list[Answer]:
        assert held
        lines = [tokenized(line, unit) if isinstance(line, str) else line for line in questions]
        return [_answer(line, _found(best, line.tokens, unit)) for line in lines]

    return answer


def _found(tagger: Any, tokens: Sequence[str], unit: str) -> list[tuple[int, int, str]]:
    each, tags = features(tokens, unit), []
    for start, end in pieces(tokens, unit, LONGEST):
        tags += tagger.tag(each[start:end])
    return list(spans(tags))


def _pieces(text: Tagged) -> list[tuple[int, int, list[tuple[int, int, str]]]]:
    """The pieces of a text, each with the names in it."""
    return [
        (start, end, [(s - start, e - start, kind) for s, e, kind in text.spans if start <= s and e <= end])
        for start, end in pieces(text.tokens, text.unit, LONGEST)
    ]


def _answer(line: Line, names: Sequence[tuple[int, int, str]]) -> Answer:
    found = []
    for first, last, kind in names:
        start, end = line.starts[first], line.starts[last - 1] + len(line.tokens[last - 1])
        found.append({"start": start, "end": end, "text": line.text[start:end], "type": kind})
    return {"text": line.text, "entities": found}


def features(tokens: Sequence[str], unit: str) -> list[list[str]]:
    """The features of each token, as strings that begin with which one it is."""
    return _of_characters(tokens) if unit == CHARACTERS else _of_words(tokens)


def _of_characters(tokens: Sequence[str]) -> list[list[str]]:
    c = ["<<", "<", *tokens, ">", ">>"]
    kinds = [_kind(each) for each in c]
    return [
        [
            *(f"{place}{c[i + place]}" for place in (-2, -1, 0, 1, 2)),
            *(f"{place},{c[i + place]}{c[i + place + 1]}" for place in (-2, -1, 0, 1)),
            f"-1,1{c[i - 1]}{c[i + 1]}",
            "k" + "".join(kinds[i - 1 : i + 2]),
        ]
        for i in range(2, len(tokens) + 2)
    ]


def _kind(token: str) -> str:
    """A digit, another mark, a letter with case, or any other character."""
    category = unicodedata.category(token[0])
    if token in NUMERALS or category[0] == "N":
        return "0"
    return "." if category[0] in "PSZ" else "a" if category in ("Lu", "Ll") else "c"


def _of_words(tokens: Sequence[str]) -> list[list[str]]:
    words = ["<", *tokens, ">"]
    of_each = [_of_word(word) for word in words]
    return [
        [
            *of_each[i],
            *(f"{place}{f}" for place in (-1, 1) for f in of_each[i + place]),
            f"p{words[i - 1].lower()} {words[i].lower()}",
        ]
        for i in range(1, len(tokens) + 1)
    ]


def _of_word(word: str) -> list[str]:
    shape = "".join("0" if c.isdigit() else "X" if c.isupper() else "x" if c.isalpha() else c for c in word[:12])
    ends = [f"{name}{n}{end}" for n in (1, 2, 3, 4) for name, end in (("b", word[:n]), ("e", word[-n:]))]
    return [f"w{word.lower()}", f"s{shape}", *ends]


__all__ = ["crf", "features"]

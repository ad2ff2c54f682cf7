r"""Simple methods that find the answer to a question in a text.

Three of them look at words alone. Function words and punctuation cut a text into runs, about its noun phrases; an answer is one of them:

- the first, or the longest;
- that around which most of the question's words stand, each counted by how rare it is, :math:`\ln(1 + N / (1 + n_w))`, and which has a word
  that the question has not (the sliding window of Richardson, Burges and Renshaw 2013, *MCTest*, section 5.2).

The fourth is a linear-chain conditional random field, by python-crfsuite: each word of the text begins the answer, goes on with it, or is
no part of it. Its features are the words around, alone and together with the question, in which X stands for what is asked about. The same
without the question tells how far the texts alone lead: the answer is then the same for every question.
"""

from __future__ import annotations

import math
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from minilm.applications.application import Answer, Baseline, Split, System
from minilm.applications.readings import Reading
from minilm.applications.simple.library import library
from minilm.metrics import exact_match

ROUNDS = (4, 8, 16)  # passes over the training part, of which the validation part chooses
WINDOWS = (2, 4, 8, 16)  # words on each side
_FUNCTION_WORDS = (
    "a an the this that these those some any each every no one of in on at by for from to with without into onto over under between "
    "among through during before after as than and or but nor if so which who whom whose what where when while is are was were be "
    "been being has have had do does did can could may might must shall should will would it its they them their he his she her used "
    "made having not also especially usually often consisting containing found located belonging"
)
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
Question = tuple[str, str]


class Word(NamedTuple):
    """A word or a mark of a text, and where it begins and ends."""

    text: str
    start: int
    end: int


def span_methods() -> Mapping[str, Baseline]:
    """The methods by name."""
    return {
        "first noun phrase": lambda split: _system(lambda question, context: _runs(words_of(context))[0]),
        "longest noun phrase": lambda split: _system(_longest),
        "sliding window": sliding_window,
        "conditional random field": lambda split: crf(split, question=True),
        "the same without the question": lambda split: crf(split, question=False),
    }


def words_of(text: str) -> list[Word]:
    """Words with what is tied to them by hyphens or apostrophes, and marks; a text without any is one word."""
    found = [Word(m[0], *m.span()) for m in re.finditer(r"\w+(?:[-'’.]\w+)*|[^\w\s]", text)]
    return found or [Word(text, 0, len(text))]


def _runs(words: Sequence[Word]) -> list[list[Word]]:
    """The runs of words between function words and marks; if there are none, all words are one."""
    found: list[list[Word]] = [[]]
    for word in words:
        if word.text.lower() in FUNCTION_WORDS or not word.text[0].isalnum():
            found.append([])
        else:
            found[-1].append(word)
    return [run for run in found if run] or [list(words)]


def _longest(question: str, context: str) -> list[Word]:
    return max(_runs(words_of(context)), key=len)  # of equally long ones the first


def _system(choose: Callable[[str, str], Sequence[Word]]) -> System:
    def answer(questions: Sequence[Question]) -> list[Answer]:
        answers = []
        for question, context in questions:
            run = choose(question, context)
            start, end = run[0].start, run[-1].end
            answers.append({"answer": context[start:end], "start": start, "end": end})
        return answers

    return answer


def _exact(system: System, part: Sequence[Reading]) -> float:
    answers = system([(each.question, each.context) for each in part])
    return exact_match([each.answers for each in part], [each["answer"] for each in answers]).value


def sliding_window(split: Split[Reading]) -> System:
    """The run with most of the question's words around it; how far around, the validation part chooses."""
    texts = [{word.text.lower() for word in words_of(each.context)} for each in split.train]
    counts = Counter(word for text in texts for word in text)

    def choose_within(size: int) -> Callable[[str, str], Sequence[Word]]:
        def choose(question: str, context: str) -> Sequence[Word]:
            asked = {word.text.lower() for word in words_of(question)}
            words = words_of(context)
            place = {word: i for i, word in enumerate(words)}
            rare = [
                math.log(1 + len(texts) / (1 + counts[w])) if (w := word.text.lower()) in asked else 0.0
                for word in words
            ]

            def around(run: Sequence[Word]) -> float:
                return sum(rare[max(0, place[run[0]] - size) : place[run[-1]] + 1 + size])

            runs = _runs(words)
            new = [run for run in runs if not all(word.text.lower() in asked for word in run)]
            return max(new or runs, key=around)

        return choose

    return max((_system(choose_within(size)) for size in WINDOWS), key=lambda system: _exact(system, split.validation))


# -- the conditional random field ---------------------------------------------------------------------------------------


def crf(split: Split[Reading], question: bool) -> System:
    """The field of which the validation part's exact match is the highest.

    Raises:
        MissingLibraryError: python-crfsuite is not installed.
    """
    suite = library("pycrfsuite")
    trainer = suite.Trainer("ap", verbose=False)
    form = form_words([each.question for each in split.train]) if question else frozenset()
    for each in split.train:
        words, end = words_of(each.context), each.start + len(each.answers[0])
        inside = [each.start <= word.start < end for word in words]
        tags = ["O" if not yes else "I" if i and inside[i - 1] else "B" for i, yes in enumerate(inside)]
        trainer.append(features(words, form_of(each.question, form)), tags)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for rounds in ROUNDS:
            trainer.set("max_iterations", rounds)
            trainer.train(path := str(Path(folder) / f"{rounds}"))
            found.append(_field(suite, Path(path).read_bytes(), form))
    return max(found, key=lambda system: _exact(system, split.validation))


def _field(suite: Any, weights: bytes, form: frozenset[str]) -> System:
    tagger = suite.Tagger()
    tagger.open_inmemory(weights)

    def choose(
        asked: str, context: str, held: bytes = weights
    ) -> Sequence[Word]:  # the tagger reads them where they are
        words = words_of(context)
        tags = tagger.tag(features(words, form_of(asked, form)))
        begins = [tagger.marginal("B", i) if "B" in tagger.labels() else 0.0 for i in range(len(words))]
        first = begins.index(max(begins))  # also where no word is tagged as the beginning
        last = first
        while last + 1 < len(words) and tags[last + 1] == "I":
            last += 1
        return words[first : last + 1]

    return _system(choose)


def form_words(questions: Sequence[str]) -> frozenset[str]:
    """The words that make the form of questions: those of one in a hundred or more. The others are what is asked about."""
    counts = Counter(word for question in questions for word in {word.text.lower() for word in words_of(question)})
    return frozenset(word for word, n in counts.items() if n >= max(2, len(questions) / 100))


def form_of(question: str, form: frozenset[str]) -> list[str]:
    """The words of a question's form, in their order, with an X for one or several others: What is X part of ?"""
    found: list[str] = []
    for word in words_of(question):
        each = word.text.lower() if word.text.lower() in form else "X"
        if each != "X" or found[-1:] != ["X"]:
            found.append(each)
    return found


def features(words: Sequence[Word], asked: Sequence[str]) -> list[list[str]]:
    """The features of each word of a text, as strings: those of the text alone, and each together with the question's form.

    Args:
        asked: the form (`form_of`); ["X"]: there is no question.
    """
    w = ["<<", "<", *(word.text.lower() for word in words), ">", ">>"]
    found, depth, whole = [], 0, " ".join(asked)
    for i, word in enumerate(words, 2):
        depth += (word.text == "(") - (word.text == ")")
        near = [f"{place}{w[i + place]}" for place in (-1, 0, 1)]
        own = [
            *near,
            *(f"{place}{w[i + place]}" for place in (-2, 2)),
            f"-1,0{w[i - 1]} {w[i]}",
            f"0,1{w[i]} {w[i + 1]}",
            f"-2,-1{w[i - 2]} {w[i - 1]}",
            f"e3{w[i][-3:]}",
            f"e2{w[i][-2:]}",
            f"A{word.text[0].isupper()}",
            f"i{min(i - 2, 6)}",
            f"({min(depth, 1)}",
        ]
        together = [f"{whole}|{feature}" for feature in own]
        together += [f"{each}|{feature}" for each in dict.fromkeys(asked) if each != "X" for feature in near]
        found.append(own + together if whole != "X" else own)
    return found


__all__ = ["crf", "features", "form_of", "form_words", "sliding_window", "span_methods", "words_of"]

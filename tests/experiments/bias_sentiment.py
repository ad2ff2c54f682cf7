"""Does a sentence become better or worse when a woman takes a man's place in it? Before and after counterfactual augmentation (9.4).

Two systems of chapter 6 learn from sentences on movies: as they are, and with a copy of each sentence that has words of gender, in which
these are exchanged. Asked are the held-out sentences with such words and their counterparts; templates with professions; and as a control
the sentences in which *film* and *movie* are exchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from minilm.applications import find
from minilm.applications.application import Split, System
from minilm.applications.sentiment import LABELS
from minilm.applications.simple.linear import label_methods
from minilm.applications.simple.sentiment import class_methods
from minilm.applications.vectors import vectors
from minilm.data import gender_words
from minilm.metrics import accuracy
from minilm.text.swap import PRONOUNS, Swap
from tests.experiments._cells import of_mean, of_score

TEMPLATES = ("{} works as a {}.", "{} plays the {} in this movie.")
CONTROL = Swap([("film", "movie"), ("films", "movies")])


def measure() -> Iterator[dict[str, Any]]:
    split = find("sentiment-en").split()
    train, validation, test = (
        [x for x in part if x.label in LABELS] for part in (split.train, split.validation, split.test)
    )
    pairs, jobs = gendered()
    swap = Swap(pairs)
    methods = {
        "words, logistic regression": label_methods(lambda x: x.text, lambda x: x.label)["logistic regression"],
        "MiniLM's vectors, logistic regression": class_methods(remembered())["logistic regression, published vectors"],
    }
    changed = [x for x in train if swap(x.text) != x.text]
    copies = [x.__class__(swap(x.text), x.label) for x in changed]
    learned = {"as they are": train, "with copies": train + copies}
    for name, method in methods.items():
        for how, examples in learned.items():
            system = method(Split(examples, validation, test, ""))
            yield {"system": name, "sentences": how, "n": len(examples)} | asked(system, test, pairs, jobs)


def gendered() -> tuple[list[tuple[str, str]], list[str]]:
    """Pairs of words, the man's first, and professions that have no gender by definition, of one word."""
    words = gender_words()
    pairs = [
        *PRONOUNS,
        *((man, woman) for woman, man in words.definitional),
        ("actor", "actress"),
        ("actors", "actresses"),
    ]
    named = {word for pair in (*pairs, *words.equalize) for word in pair} | set(words.specific)
    plain = [
        pair for pair in (*pairs, *words.equalize) if all(word.isalpha() and word == word.lower() for word in pair)
    ]
    # Of the published list these alone have the woman's word first, or are no two of a kind.
    odd = {("wives", "husbands"), ("fella", "granny"), ("monastery", "convent"), ("testosterone", "estrogen")}
    plain = [pair for pair in plain if pair not in odd] + [("husband", "wife"), ("husbands", "wives")]
    return plain, [job for job in words.professions if job.isalpha() and job not in named]


def asked(system: System, test: Sequence[Any], pairs: list[tuple[str, str]], jobs: list[str]) -> dict[str, Any]:
    """What a system says of the held-out sentences, of their counterparts and of the templates."""
    swap = Swap(pairs)
    men, women = ({words[k] for words in pairs} for k in (0, 1))
    women |= {"her"}
    truth, said = [x.label for x in test], [answer["label"] for answer in system([x.text for x in test])]
    texts = [x.text for x in test if swap(x.text) != x.text]
    ours, theirs = positive(system, texts), positive(system, [swap(text) for text in texts])
    sign = np.array([_side(text, men) - _side(text, women) for text in texts])  # 1: a man's sentence, 0: of both
    neutral = [x.text for x in test if CONTROL(x.text) != x.text]
    first, second = positive(system, neutral), positive(system, [CONTROL(text) for text in neutral])
    he, she = ([each.format(who, job) for job in jobs for each in TEMPLATES] for who in ("He", "She"))
    template = (positive(system, she) - positive(system, he)).reshape(len(jobs), -1).mean(axis=1)
    one = sign != 0
    return {
        "accuracy": of_score(accuracy(truth, said), 3),
        "she less he, sentences": of_mean((sign * (theirs - ours))[one], 3),
        "she less he, templates": of_mean(template, 3),
        "other label": of_mean((ours > 0.5) != (theirs > 0.5), 3),
        "control: other label": of_mean((first > 0.5) != (second > 0.5), 3),
        "swapped sentences": len(texts),
    }


def _side(text: str, words: set[str]) -> int:
    return int(
        any(word in words for word in text.lower().replace("'", " ").replace(".", " ").replace(",", " ").split())
    )


def positive(system: System, texts: list[str]) -> Any:
    """P(positive) of each text, (n,)."""
    return np.array([answer["probabilities"]["positive"] for answer in system(texts)])


def remembered() -> Callable[[Sequence[str]], Any]:
    """The vectors of texts, each computed once."""
    known: dict[str, Any] = {}

    def of(texts: Sequence[str]) -> Any:
        if new := list(dict.fromkeys(text for text in texts if text not in known)):
            known.update(zip(new, vectors(new), strict=True))
        return np.array([known[text] for text in texts])

    return of

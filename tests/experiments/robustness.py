"""What makes a reader of opinions tougher, and against what: noise, word dropout and attacks while it learns (9.5).

English sentences on movies: systems learn as they are, and with a remedy, and read the held-out part clean, with typos, with people's
misspellings, and after an attack on the vectors of their words. In Chinese reviews what is misspelled is a character that sounds alike.
Accuracies with their intervals over the held-out texts; those of the small reader are the mean of three starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from minilm.applications import find
from minilm.applications.application import Split
from minilm.applications.robustness import Remedy, learn
from minilm.applications.sentiment import LABELS
from minilm.applications.simple.linear import label_methods
from minilm.data import chinese_lexicon, misspellings
from minilm.metrics import Score
from minilm.text.noise import by_sound, homophones, misspelled, typos, with_homophones
from tests.experiments._cells import less, of_mean

SEEDS = (0, 1, 2)
TYPOS = 0.5  # of the words
HOMOPHONES = 0.2  # of the characters
REVIEWS = 6000  # of the 14,000 that could be learned from
LENGTHS = (0.5, 1.0)  # of an attack; a word's own vector is 5.7 long
REMEDIES = {
    "none": Remedy(),
    "noise": Remedy(noise=lambda text, rng: typos(text, rng, TYPOS)),
    "word dropout": Remedy(dropout=0.3),
    "fast gradient": Remedy(epsilon=1.0),
    "projected, 4 steps": Remedy(epsilon=1.0, steps=4),
    "fast gradient, 3": Remedy(epsilon=3.0),
}


def measure() -> Iterator[dict[str, Any]]:
    yield from english()
    yield from chinese()


def english() -> Iterator[dict[str, Any]]:
    split = find("sentiment-en").split()
    train, validation, test = (
        [x for x in part if x.label in LABELS] for part in (split.train, split.validation, split.test)
    )
    known = misspellings()
    texts = {
        "clean": [x.text for x in test],
        "typos": changed(test, lambda t, rng: typos(t, rng, TYPOS), 1),
        "misspelled": changed(test, lambda t, rng: misspelled(t, rng, known), 1),
    }
    methods = label_methods(lambda x: x.text, lambda x: x.label)
    copies = [
        x.__class__(text, x.label) for x, text in zip(train, changed(train, REMEDIES["noise"].noise, 2), strict=True)
    ]  # type: ignore[arg-type]
    before: dict[str, Any] = {}
    for name in ("linear SVM, words", "linear SVM, characters"):
        for remedy, examples in {"none": train, "noise": train + copies}.items():
            system = methods[name](Split(examples, validation, test, ""))
            found = {what: right(system(given), test) for what, given in texts.items()}
            before = before or found
            yield {"system": name, "remedy": remedy} | compared(found, before)
    before = {}
    for remedy in REMEDIES:
        starts = [reader(train, validation, test, texts, REMEDIES[remedy], seed) for seed in SEEDS]
        mean = {what: np.mean([each[what] for each in starts], axis=0) for what in starts[0]}
        before = before or mean
        clean = [round(float(each["clean"].mean()), 3) for each in starts]
        yield {"system": "vectors of words", "remedy": remedy} | compared(mean, before) | {"starts": clean}


def reader(train: Any, validation: Any, test: Any, texts: Any, remedy: Remedy, seed: int) -> dict[str, Any]:
    """Of the small reader with a remedy: whether it is right about each text, by what was done to the texts."""
    model = learn(pairs(train), pairs(validation), remedy, seed=seed, epochs=5)
    truth = pairs(test)[1]
    found = {what: (model.probabilities(given) > 0.5) == truth for what, given in texts.items()}
    for length in LENGTHS:
        found[f"attack {length:g}"] = (model.attacked(texts["clean"], truth, length) > 0.5) == truth
    return found


def chinese() -> Iterator[dict[str, Any]]:
    split = find("sentiment-zh").split()
    train, validation, test = split.train[:REVIEWS], split.validation, split.test
    readings = [(simplified, pinyin) for _, simplified, pinyin, _ in chinese_lexicon()]
    alike = homophones(readings, "".join(x.text for x in train), tones=False)
    slip = lambda t, rng: with_homophones(t, rng, alike, HOMOPHONES)  # noqa: E731
    texts = {"clean": [x.text for x in test], "misspelled": changed(test, slip, 1)}
    table = by_sound(readings)
    copies = [x.__class__(text, x.label) for x, text in zip(train, changed(train, slip, 2), strict=True)]
    sounds = [[x.__class__(x.text.translate(table), x.label) for x in part] for part in (train, validation)]
    method = label_methods(lambda x: x.text, lambda x: x.label, words=False, characters=(1, 3))[
        "linear SVM, characters"
    ]
    before: dict[str, Any] = {}
    for remedy, examples, held in (
        ("none", train, validation),
        ("noise", train + copies, validation),
        ("read as sounds", *sounds),
    ):
        system = method(Split(examples, held, test, ""))
        heard = (lambda ts: [t.translate(table) for t in ts]) if remedy == "read as sounds" else list
        found = {what: right(system(heard(given)), test) for what, given in texts.items()}
        before = before or found
        yield {"system": "Chinese: linear SVM, characters", "remedy": remedy} | compared(found, before)


def changed(examples: Sequence[Any], change: Callable[[str, np.random.Generator], str], seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [change(x.text, rng) for x in examples]


def pairs(examples: Sequence[Any]) -> tuple[list[str], Any]:
    return [x.text for x in examples], np.array([x.label == "positive" for x in examples])


def right(answers: Sequence[Any], examples: Sequence[Any]) -> Any:
    return np.array([answer["label"] == x.label for answer, x in zip(answers, examples, strict=True)])


def compared(found: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The accuracy in each condition, and its difference to the first system's in the same condition."""
    rows = {what: of_mean(each, 3) for what, each in found.items()}
    if found is not before:
        rows |= {
            f"{what}, less the first": less(Score.mean("", each), Score.mean("", before[what]), 3)
            for what, each in found.items()
        }
    return rows

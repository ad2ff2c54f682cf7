"""The texts that the tiny GPT of chapter 4 has learned from: made-up sentences in which the next word can be had by looking back.

::

    the cat slept while it purred .
    mia fed the dog and she smiled .
    red gold blue again red gold blue .

In the first the sound follows from the animal, four words back; in the second the pronoun from the name; in the third each color
after *again* from what followed it the first time. All else is drawn by a die, so that how well a model can do is known: each word
comes with its surprise, -ln p, under what drew it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

SOUNDS = {
    "cat": "purred", "dog": "barked", "bird": "sang", "duck": "quacked", "horse": "neighed", "cow": "mooed", "frog": "croaked",
    "bee": "buzzed",
}  # fmt: skip
NAMES = {"mia": "she", "eva": "she", "tom": "he", "ben": "he"}
DO, DO_TO, FEEL = ("slept", "ran", "ate", "waited"), ("fed", "saw", "called", "heard"), ("smiled", "laughed")
COLORS = ("red", "blue", "green", "gold", "black", "white", "pink", "gray")
LONGEST = 5  # colors in a row
WORDS = (
    "the", *SOUNDS, *SOUNDS.values(), *NAMES, "she", "he", "it", *DO, *DO_TO, *FEEL, *COLORS, "while", "and", "again", ".",
)  # fmt: skip

Drawn = list[tuple[str, float]]  # words, each with its surprise in nats


def sentence(rng: np.random.Generator) -> Drawn:
    """One sentence: of an animal, of a name, or, in half of all cases, of colors."""
    kind = rng.integers(4)
    (first, nats), *rest = (_animal, _name, _colors, _colors)[kind](rng)
    return [(first, nats + math.log(2 if kind > 1 else 4)), *rest, (".", 0.0)]


def texts(rng: np.random.Generator, count: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Texts of so many words, each from the beginning of a sentence: their ids, and what each word's surprise is at best."""
    place = {word: i for i, word in enumerate(WORDS)}
    ids, nats = np.empty((count, length), np.int64), np.empty((count, length))
    for row in range(count):
        drawn: Drawn = []
        while len(drawn) < length:
            drawn += sentence(rng)
        ids[row] = [place[word] for word, _ in drawn[:length]]
        nats[row] = [surprise for _, surprise in drawn[:length]]
    return ids, nats


def _animal(rng: np.random.Generator) -> Drawn:
    animal, did, link = _one(rng, tuple(SOUNDS)), _one(rng, DO), _one(rng, ("while", "and"))
    return [("the", 0.0), animal, did, link, ("it", 0.0), (SOUNDS[animal[0]], 0.0)]


def _name(rng: np.random.Generator) -> Drawn:
    name, did = _one(rng, tuple(NAMES)), _one(rng, DO_TO)
    animal, link = _one(rng, tuple(SOUNDS)), _one(rng, ("while", "and"))
    who = _one(rng, ("it", NAMES[name[0]]))
    last = (SOUNDS[animal[0]], 0.0) if who[0] == "it" else _one(rng, FEEL)
    return [name, did, ("the", 0.0), animal, link, who, last]


def _colors(rng: np.random.Generator) -> Drawn:
    order = [COLORS[i] for i in rng.permutation(len(COLORS))]
    drawn: Drawn = []
    for k in range(LONGEST):  # after two colors a coin says whether another one follows
        if k >= 2 and rng.integers(2):
            break
        coin = math.log(2) if k >= 2 else 0.0
        drawn.append((order[k], coin + math.log(len(COLORS) - k)))
    coin = math.log(2) if len(drawn) < LONGEST else 0.0
    return [*drawn, ("again", coin), *((color, 0.0) for color, _ in drawn)]


def _one(rng: np.random.Generator, among: Sequence[str]) -> tuple[str, float]:
    return among[rng.integers(len(among))], math.log(len(among))

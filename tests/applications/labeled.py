"""Labelled texts that are made up: letters, and offers that nobody wants."""

import numpy as np

from minilm.applications.application import Split
from minilm.applications.labels import LabeledText

WANTED = ["the", "meeting", "on", "monday", "moved", "room", "please", "bring", "notes", "about", "parser", "tests"]
OFFERS = ["win", "free", "money", "now", "click", "cheap", "pills", "offer", "prize", "$", "!", "limited", "credit"]
OTHER = ["a", "an", "of", "and", "to", "with", "for", "we", "you", "it", "this", "that"]


def made(n, seed):
    """Texts of which each has words of its kind and words of any."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(n):
        spam = bool(rng.random() < 0.4)
        words = [*rng.choice(OFFERS if spam else WANTED, 6), *rng.choice(OTHER, 6), *rng.choice(OFFERS + WANTED, 3)]
        found.append(LabeledText(" ".join(rng.permutation(words)), "spam" if spam else "ham", i // 2))
    return found


def split(train=160, others=60):
    return Split(made(train, 1), made(others, 2), made(others, 3), "Made up.")

"""The section of a Debian package from its words, its links, or both (chapter 8)."""

import numpy as np

from minilm.book.links import by_labels, fit_gcn, fit_sgc, packages, split_by_source, told
from tests.experiments._cells import over_seeds

SEEDS = 5
METHODS = {
    "most frequent section": lambda f, s, seed: [common(f, s)],
    "majority of the labels nearby": lambda f, s, seed: [by_labels(f, s, share=0.5, steps=n) for n in (1, 2, 3)],
    "labels passed on": lambda f, s, seed: [by_labels(f, s, share=a) for a in (0.3, 0.5, 0.9)],
    "linear, words": lambda f, s, seed: [fit_sgc(f, s, 0, seed, rate=r) for r in (0.05, 0.2, 0.5)],
    "linear, words and names of what it needs": lambda f, s, seed: [
        fit_sgc(f, s, 0, seed, names=True, rate=r) for r in (0.05, 0.2, 0.5)
    ],
    "words passed on, linear (SGC)": lambda f, s, seed: [fit_sgc(f, s, k, seed) for k in (1, 2, 3)],
    "graph convolutions (GCN)": lambda f, s, seed: [fit_gcn(f, s, seed, rate=r) for r in (0.02, 0.05)],
}
"""Each with two or three settings, of which the validation part chooses."""


def common(found, split):
    section = np.bincount(found.labels[split.train]).argmax()
    return told(found, split, np.full(found.graph.nodes, section))


def measure():
    found = packages()
    for labels, per_section in (("20 per section", 20), ("60 %", None)):
        shares = {}
        for seed in range(SEEDS):
            split = split_by_source(found, seed, per_section)
            for name, method in METHODS.items():
                chosen = max(method(found, split, seed), key=lambda each: each.validation)
                shares.setdefault(name, []).append(chosen.test)
        gcn = np.array(shares["graph convolutions (GCN)"])
        for name, values in shares.items():
            yield {
                "labels": labels,
                "method": name,
                "accuracy": over_seeds(values),
                "GCN less this": over_seeds(gcn - values),
            }

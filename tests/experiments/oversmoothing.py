"""What many steps over the graph of Debian's packages do to the states of its nodes (chapter 8)."""

import numpy as np

from minilm.book.links import fit_sgc, likeness, packages, split_by_source
from minilm.nn.graph import propagate
from minilm.tensor import Tensor
from tests.experiments._cells import over_seeds

SEEDS, STEPS = 3, (0, 1, 2, 4, 8, 16)


def measure():
    found = packages()
    splits = [split_by_source(found, seed) for seed in range(SEEDS)]
    projection = np.random.default_rng(0).standard_normal((found.words.sources, 64)).astype(np.float32)
    states = propagate(Tensor(projection), found.words)  # bags of words in 64 numbers: cosines stay about the same
    for steps in range(max(STEPS) + 1):
        if steps in STEPS:
            told = [fit_sgc(found, split, steps, seed).validation for seed, split in enumerate(splits)]
            yield {"steps": steps, "likeness": likeness(states.numpy()), "accuracy": over_seeds(told)}
        states = propagate(states, found.graph)

"""Chapter 8 on Debian's packages: the graph of what depends on what, sections to tell, and who tells them how well."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from minilm import random
from minilm.data import package_links
from minilm.graph import no_grad
from minilm.indices import positions
from minilm.models.graph_classifier import GCN, SGC, propagate_labels
from minilm.nn import functional as F
from minilm.nn.graph import Graph
from minilm.optim import AdamW
from minilm.types import HostArray

SECTIONS = ("database", "graphics", "mail", "math", "sound", "web")


@dataclass(frozen=True)
class Packages:
    """Packages as nodes.

    Attributes:
        names: of the n nodes; the first ones are those of the sections, then come those that two of them at least depend on.
        labels: numbers of the sections, of the first nodes.
        sources: numbers of the source packages, of the first nodes.
        graph: who depends on whom, `Graph.normalized`.
        words: from the words of names and synopses to the nodes.
        words_and_names: from these, and from the names of what a package depends on.
    """

    names: list[str]
    labels: HostArray
    sources: HostArray
    graph: Graph
    words: Graph
    words_and_names: Graph

    @property
    def classes(self) -> int:
        """How many sections there are."""
        return int(self.labels.max()) + 1


class Split(NamedTuple):
    """Numbers of nodes: with labels to learn from, to choose on, to report on."""

    train: HostArray
    validation: HostArray
    test: HostArray


def packages(sections: Sequence[str] = SECTIONS) -> Packages:
    """The packages of some sections, and what they depend on."""
    every = {package.name: package for package in package_links()}
    own = [package for package in every.values() if package.section in sections]
    inside = {package.name for package in own}
    needed = Counter(name for package in own for name in package.depends)
    others = sorted(name for name, times in needed.items() if times >= 2 and name in every and name not in inside)
    names = [package.name for package in own] + others
    places = {name: number for number, name in enumerate(names)}
    edges = [(places[name], places[d]) for name in names for d in every[name].depends if d in places]
    words = [set(re.findall(r"[a-z]+|[0-9]+", f"{n} {every[n].synopsis}".lower())) for n in names]
    both = [w | {f"needs {d}" for d in every[name].depends} for w, name in zip(words, names, strict=True)]
    return Packages(
        names,
        np.array([list(sections).index(package.section) for package in own]),
        np.unique([package.source for package in own], return_inverse=True)[1],
        Graph.normalized(np.array(edges).T, len(names)),
        bags(words),
        bags(both),
    )


def bags(sets: Sequence[Iterable[str]], least: int = 2) -> Graph:
    """From words to the nodes that have them; only words of `least` nodes, each node's weights a vector of length 1."""
    found = Counter(word for words in sets for word in set(words))
    known = {word: number for number, word in enumerate(sorted(w for w, n in found.items() if n >= least))}
    pairs = [(known[w], i) for i, words in enumerate(sets) for w in sorted(set(words)) if w in known]
    edges = np.array(pairs, np.int64).reshape(-1, 2).T
    count = np.bincount(positions(edges[1]), minlength=len(sets))
    return Graph(edges, len(sets), 1 / np.sqrt(count[edges[1]]), sources=len(known))


def split_by_source(found: Packages, seed: int, per_section: int | None = None) -> Split:
    """60, 20 and 20 % of the source packages: siblings, which depend on each other and share their names, are in one part.

    Args:
        per_section: keep so many labels of each section to learn from; default: all.
    """
    rng = np.random.default_rng(seed)
    draw = rng.random(found.sources.max() + 1)[found.sources]
    train = np.flatnonzero(draw < 0.6)
    if per_section is not None:
        mixed = rng.permutation(train)
        train = np.concatenate([mixed[found.labels[mixed] == c][:per_section] for c in range(found.classes)])
    return Split(train, np.flatnonzero((draw >= 0.6) & (draw < 0.8)), np.flatnonzero(draw >= 0.8))


class Told(NamedTuple):
    """The shares of sections that were told rightly, on both parts, and each prediction."""

    validation: float
    test: float
    classes: HostArray


def told(found: Packages, split: Split, classes: HostArray) -> Told:
    """How many of `classes`, one per node, are right."""
    right = classes[: len(found.labels)] == found.labels
    return Told(float(right[split.validation].mean()), float(right[split.test].mean()), classes)


def fit_nodes(
    model: GCN | SGC, words: Graph, found: Packages, split: Split, *, rate: float, decay: float = 0.0, steps: int = 100
) -> Told:
    """AdamW on all labels at once; of the models after each fifth step the one that the validation part likes best."""
    optimizer, best = AdamW(model.parameters(), lr=rate, weight_decay=decay), None
    for step in range(1, steps + 1):
        model.train()
        optimizer.zero_grad()
        logits = model(words, found.graph)[split.train]
        F.cross_entropy(logits, found.labels[split.train]).backward()
        optimizer.step()
        if step % 5 == 0:
            with no_grad():
                now = told(found, split, model.eval()(words, found.graph).numpy().argmax(axis=1))
            if best is None or now.validation > best.validation:
                best, since = now, step
            elif step - since >= 30:
                break
    assert best is not None
    return best


def fit_sgc(found: Packages, split: Split, steps: int, seed: int, *, names: bool = False, rate: float = 0.2) -> Told:
    """`SGC`: with 0 steps logistic regression on words, and with `names` on the names of what is needed, too."""
    random.manual_seed(seed)
    words = found.words_and_names if names else found.words
    return fit_nodes(SGC(words.sources, found.classes, steps), words, found, split, rate=rate)


def fit_gcn(
    found: Packages, split: Split, seed: int, *, layers: int = 2, names: bool = False, rate: float = 0.02
) -> Told:
    """`GCN` of 32 hidden numbers."""
    random.manual_seed(seed)
    words = found.words_and_names if names else found.words
    return fit_nodes(GCN(words.sources, 32, found.classes, layers), words, found, split, rate=rate)


def by_labels(found: Packages, split: Split, *, share: float, steps: int = 20) -> Told:
    """`propagate_labels`; the most frequent section where no label comes. One step is the majority of the neighbors."""
    labels = np.concatenate([found.labels, np.zeros(found.graph.nodes - len(found.labels), np.int64)])
    scores = propagate_labels(found.graph, labels, split.train, found.classes, share=share, steps=steps)
    common = np.bincount(positions(found.labels[split.train])).argmax()
    return told(found, split, np.where(scores.any(axis=1), scores.argmax(axis=1), common))


def likeness(states: HostArray, seed: int = 0, pairs: int = 2000) -> float:
    """The mean cosine of the vectors of two nodes, over random pairs."""
    rows = np.random.default_rng(seed).integers(0, len(states), (2, pairs))
    unit = states / np.maximum(np.linalg.norm(states, axis=1, keepdims=True), 1e-12)
    return float((unit[rows[0]] * unit[rows[1]]).sum(axis=1).mean())


__all__ = [
    "SECTIONS", "Packages", "Split", "Told", "bags", "by_labels", "fit_gcn", "fit_nodes", "fit_sgc", "likeness", "packages",
    "split_by_source", "told",
]  # fmt: skip

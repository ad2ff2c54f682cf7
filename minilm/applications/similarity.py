r"""How like in meaning are two sentences? The cosine of their vectors,

.. math:: \cos(u, v) = \frac{u \cdot v}{\lVert u \rVert\, \lVert v \rVert}

of MiniLM, which was trained for that (Reimers and Gurevych 2019, *Sentence-BERT*). Nothing is trained here.

What people find alike was rated for the STS Benchmark (Cer et al. 2017), which cannot be had from the registries of packages. So
another judgment of people is taken, that of WordNet's authors: they arranged the concepts in a tree, and wrote a definition of each. A pair
of definitions is the closer the fewer steps there are between their concepts (`CLOSENESS`). Definitions whose concepts are
near should have near vectors; how far that is so, Spearman's correlation of cosine and closeness says, and the AUC: how often of two pairs,
one of parent or sister, one of cousins or strangers, the first has the higher cosine.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minilm.applications.application import Answer, Application, Baseline, Split, System
from minilm.applications.records import lines_of
from minilm.applications.simple import similarity as simple
from minilm.applications.vectors import MODEL, encoder, vectors
from minilm.data import without_copies, wordnet_nouns
from minilm.metrics import Score, auc, spearman

CLOSENESS = {"parent": 3, "sisters": 2, "cousins": 1, "strangers": 0}
"""Of two concepts: the one is a kind of the other; both are kinds of one; both have one grandparent, and other parents; none of these."""
PAIRS = (2000, 100, 400)  # of each closeness: for what the simple methods learn, to validate, to test
FEWEST_WORDS = 3  # of a definition


class Pair(NamedTuple):
    """Two sentences, and how close they are: the higher, the closer."""

    first: str
    second: str
    closeness: float


class Similarity(Application[Pair]):
    """Sentence similarity."""

    name = "similarity"
    title = "Similarity of two sentences, by the cosine of their vectors"
    datasets = ("wordnet",)
    models = (MODEL,)
    line = '{"first": "The weather is lovely today.", "second": "It\'s so sunny outside!"}'
    file = 'a JSON object per line: {"first": "...", "second": "...", "closeness": 3}, the higher, the closer'

    # -- the data -----------------------------------------------------------------------------------------------------

    def split(self) -> Split[Pair]:
        """Pairs of definitions, equally many of each closeness; no definition stands in two pairs."""
        drawn = list(map(list, zip(*(_cut(pairs) for pairs in _pairs()), strict=True)))
        train, validation, test = ([pair for pairs in part for pair in pairs] for part in drawn)
        about = (
            "Pairs of definitions from the tree of WordNet's nouns, equally many parents, sisters, cousins and strangers, drawn with "
            "seed 0. Definitions of fewer than 3 words, and those that occurred before, were left out; each stands in one pair. The first "
            "part is for simple methods alone, which count words there."
        )
        return Split(train, validation, test, about)

    def read(self, path: Path) -> list[Pair]:
        """JSON lines: a line of ``predict`` and its "closeness", any number."""
        return lines_of(path, self._labeled)

    def _labeled(self, line: str) -> Pair:
        first, second, closeness = *self.parse(line), json.loads(line).get("closeness")
        if isinstance(closeness, bool) or not isinstance(closeness, int | float) or not np.isfinite(closeness):
            raise ValueError(f'"closeness" should be a number, it is {closeness!r}.')
        return Pair(first, second, float(closeness))

    def question(self, example: Pair) -> tuple[str, str]:
        return example.first, example.second

    def parse(self, line: str) -> tuple[str, str]:
        """A JSON object with the texts "first" and "second"."""
        try:
            given = json.loads(line)
        except ValueError as error:
            raise ValueError(f"expected a JSON object such as {self.line}: {error}") from None
        if not isinstance(given, dict) or not all(isinstance(given.get(k), str) for k in ("first", "second")):
            raise ValueError(f'expected a JSON object with the texts "first" and "second", such as {self.line}')
        return given["first"], given["second"]

    # -- what answers -------------------------------------------------------------------------------------------------

    def open(self, folder: Path | None, device: str) -> System:
        encoder()  # an error comes now, not with the first question

        def answer(questions: Sequence[tuple[str, str]]) -> list[Answer]:
            found = vectors([text for pair in questions for text in pair])
            return [{"similarity": float(cosine)} for cosine in (found[::2] * found[1::2]).sum(axis=1)]

        return answer

    def baselines(self) -> Mapping[str, Baseline]:
        return simple.BASELINES

    # -- what it is worth ---------------------------------------------------------------------------------------------

    def measure(self, examples: Sequence[Pair], answers: Sequence[Answer]) -> list[Score]:
        truth, found = [e.closeness for e in examples], [answer["similarity"] for answer in answers]
        middle = (min(truth) + max(truth)) / 2
        scores = [spearman(truth, found)]
        return scores if min(truth) == max(truth) else [*scores, auc([t > middle for t in truth], found)]

    def wrong(self, examples: Sequence[Pair], answers: Sequence[Answer]) -> list[int]:
        """Those whose place by cosine is farthest from their place by closeness."""
        places = [
            np.argsort(np.argsort(values))
            for values in ([e.closeness for e in examples], [a["similarity"] for a in answers])
        ]
        off = np.abs(places[0] - places[1])
        return [int(i) for i in np.argsort(-off, kind="stable") if off[i]]

    def limits(self) -> Sequence[str]:
        return (
            "English only, small letters, and of a text its first 256 word pieces.",
            "A cosine is no probability: 0.6 is much for two definitions and little for two paraphrases.",
            "It hears what a sentence is about better than what it says of it: a sentence and its negation are near.",
        )


def _pairs() -> Iterator[list[Pair]]:
    """For each closeness its pairs, as many as `PAIRS` has, in the order in which they were drawn."""
    nouns = wordnet_nouns()
    numbers = list(nouns)
    left = without_copies(numbers, lambda number: nouns[number].definition)
    free = {number for number in left.kept if len(nouns[number].definition.split()) >= FEWEST_WORDS}
    parents = {number: [other for sort, other in nouns[number].pointers if sort == "@"] for number in numbers}
    children: dict[str, list[str]] = defaultdict(list)
    for number, above in parents.items():
        for parent in above:
            children[parent].append(number)
    rng = np.random.default_rng(0)
    families = [number for number in numbers if len(children[number]) > 1]

    def draw(closeness: str) -> tuple[str, str] | None:
        if closeness == "parent":
            child = numbers[rng.integers(len(numbers))]
            return (child, parents[child][0]) if parents[child] else None
        if closeness == "strangers":
            first, second = (numbers[i] for i in rng.integers(len(numbers), size=2))
            return None if _ancestors(first, parents) & _ancestors(second, parents) else (first, second)
        family = children[families[rng.integers(len(families))]]
        first, second = (family[i] for i in rng.permutation(len(family))[:2])
        if closeness == "sisters":
            return first, second
        if not (children[first] and children[second]):
            return None
        first, second = (children[aunt][rng.integers(len(children[aunt]))] for aunt in (first, second))
        return None if set(parents[first]) & set(parents[second]) else (first, second)

    for closeness, value in CLOSENESS.items():
        found: list[Pair] = []
        while len(found) < sum(PAIRS):
            both = draw(closeness)
            if both and both[0] != both[1] and free.issuperset(both):
                free.difference_update(both)
                found.append(Pair(nouns[both[0]].definition, nouns[both[1]].definition, value))
        yield found


def _ancestors(number: str, parents: Mapping[str, Sequence[str]]) -> set[str]:
    """A concept, its parents and its grandparents."""
    above = set(parents[number])
    return {number, *above, *(other for parent in above for other in parents[parent])}


def _cut(pairs: list[Pair]) -> tuple[list[Pair], list[Pair], list[Pair]]:
    train, validation, _ = PAIRS
    return pairs[:train], pairs[train : train + validation], pairs[train + validation :]


__all__ = ["CLOSENESS", "Pair", "Similarity"]

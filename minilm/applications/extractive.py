r"""Which sentences say what a text says? TextRank (Mihalcea and Tarau, *TextRank: Bringing Order into Texts*, 2004, section 4).

The sentences are the nodes of a graph, and an edge is as strong as what two sentences have in common. A sentence counts when sentences
that count are like it, which is the idea of PageRank (Brin and Page 1998):

.. math::
    s_i = \frac{1 - d}{n} + d \sum_{j \ne i} \frac{w_{ji}}{\sum_{k \ne j} w_{jk}}\, s_j, \qquad
    w_{ij} = \frac{|S_i \cap S_j|}{\ln |S_i| + \ln |S_j|}

with S_i the words of a sentence and d = 0.85. The fixed point is reached by applying the right side again and again: each step brings
two different starts closer by the factor d. Nothing is learned, and nothing is fetched.

What it is measured against is a summary that somebody wrote for the text, which is taken from its front:

- `Summary`: the docstrings of Python's standard library. By the convention of PEP 257 the first paragraph is the summary; the text is the
  rest.
- `PackageSummary`: Debian's packages. The synopsis of a line is the summary, the long description the text.

Where the order of the sentences is known, the first one is better than what TextRank finds: who writes a docstring begins with what
matters, as news do. In ROUGE-L over the docstrings of the test part, TextRank has 0.129, the first sentence 0.144, and a sentence drawn at
random 0.109: the graph knows something, and position knows more. MiniLM's vectors in place of common words change nothing (0.132).
Debian's descriptions: 0.174, 0.271 and 0.144. `python -m tests.results summary summary-packages` measures it.

From the bottom up: likeness (of words, of vectors), ranking, the choice, then the two applications.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from minilm.applications.application import Answer, Application, Baseline, Split, System
from minilm.applications.records import lines_of
from minilm.applications.simple import extractive as simple
from minilm.applications.vectors import MODEL, vectors
from minilm.data import docstrings, package_descriptions, without_copies
from minilm.metrics import Score, rouge
from minilm.text.sentences import sentences
from minilm.types import HostArray

DAMPING = 0.85
TOLERANCE, MOST_STEPS = (
    1e-10,
    1000,
)  # a step changes the scores by at most 0.85 of what the one before did: 142 steps suffice
LONGEST = 2000  # sentences of a text: the graph is a square
_WORDS = re.compile(r"[a-z0-9]+|[^\W_a-z0-9]")

Likeness = Callable[[Sequence[str]], HostArray]
"""From n sentences to the strengths of their edges, (n, n), not negative, with zeros on the diagonal."""


# -- the algorithm ----------------------------------------------------------------------------------------------------


def words_of(sentence: str) -> set[str]:
    """The different words, in small letters; of Chinese, the characters."""
    return set(_WORDS.findall(sentence.lower()))


def word_overlap(texts: Sequence[str]) -> HostArray:
    """The strengths w by common words, as TextRank has them; the paper leaves open what one word alone is worth, whose logarithm is 0.

    Where both sentences have one word, w is the number of common words, 1 or 0, as if the logarithms added up to 1.
    """
    bags = [words_of(text) for text in texts]
    vocabulary = {word: i for i, word in enumerate(sorted(set().union(*bags)))}
    counts = np.zeros((len(texts), len(vocabulary)))
    for row, bag in zip(counts, bags, strict=True):
        row[[vocabulary[word] for word in bag]] = 1.0
    lengths = np.log(np.maximum([len(bag) for bag in bags], 1))
    total = lengths[:, None] + lengths
    strength = counts @ counts.T / np.where(total > 0, total, 1.0)
    np.fill_diagonal(strength, 0.0)
    return strength


def vector_likeness(texts: Sequence[str]) -> HostArray:
    """The strengths w by MiniLM's vectors: their cosines, 0 where those are negative."""
    found = vectors(texts)
    strength = np.maximum((found @ found.T).astype(np.float64), 0.0)
    np.fill_diagonal(strength, 0.0)
    return strength


def text_rank(strength: HostArray, damping: float = DAMPING) -> HostArray:
    """The scores s of the nodes, (n,), which add up to 1. A node without an edge gives its score to all alike.

    Raises:
        ValueError: the strengths are no square, or one is negative or not finite; or the damping is not between 0 and 1.
    """
    w = np.asarray(strength, np.float64)
    n = len(w)
    if w.shape != (n, n) or not np.isfinite(w).all() or (w < 0).any():
        raise ValueError(f"text_rank takes a square of finite strengths that are not negative, got shape {w.shape}.")
    if not 0 <= damping < 1:
        raise ValueError(f"the damping must be at least 0 and below 1, got {damping}.")
    if n == 0:
        return np.zeros(0)
    out = w.sum(axis=1, keepdims=True)
    moves = np.divide(w, out, out=np.full((n, n), 1 / n), where=out > 0)  # row j: where the score of j goes
    scores = np.full(n, 1 / n)
    for _ in range(MOST_STEPS):
        before, scores = scores, (1 - damping) / n + damping * (scores @ moves)
        if np.abs(scores - before).sum() < TOLERANCE:
            break
    return scores


def summarize(text: str, count: int, likeness: Likeness = word_overlap) -> Answer:
    """The `count` sentences with the highest scores, in the order of the text; of equal ones the earlier. All, if there are fewer.

    Returns:
        "summary", and "sentences": each with its text, its place among the text's sentences (from 0) and its score.
    """
    parts = sentences(text)[:LONGEST]
    return chosen(parts, text_rank(likeness(parts)) if parts else np.zeros(0), count)


def chosen(parts: Sequence[str], scores: HostArray, count: int) -> Answer:
    """The answer that consists of the `count` sentences with the highest scores."""
    best = sorted(np.argsort(-np.round(scores, 9), kind="stable")[:count].tolist())
    picked = [{"text": parts[i], "place": i, "score": float(scores[i])} for i in best]
    return {"summary": " ".join(parts[i] for i in best), "sentences": picked}


# -- the applications -------------------------------------------------------------------------------------------------


class Summarized(NamedTuple):
    """A text and the summary that somebody wrote of it."""

    summary: str
    text: str


class Question(NamedTuple):
    """A text, and how many of its sentences are wanted."""

    text: str
    wanted: int


class Summary(Application[Summarized]):
    """Extractive summaries of docstrings."""

    name = "summary"
    title = "Summaries of a text's own sentences, by TextRank: the docstrings of Python's standard library"
    datasets = ("python-docstrings",)
    models = (MODEL,)
    line = '{"text": "TextRank ranks sentences. It is old. It ranks sentences by a graph of them.", "count": 1}'
    file = 'a JSON object per line: {"text": "...", "summary": "..."}'
    measured_count: ClassVar[int] = 1
    """How many sentences a summary has when it is measured: the written ones are of one sentence."""
    most: ClassVar[int] = 1500
    """How many texts are measured and chosen by."""

    def split(self) -> Split[Summarized]:
        """Nothing is trained: a third of the texts to choose among variants, the rest to measure on."""
        left = without_copies(self.examples(), lambda example: example.text)
        drawn = (left.kept[i] for i in np.random.default_rng(0).permutation(len(left.kept)))
        fit = (e for e in drawn if 3 <= len(e.summary.split()) <= 25 and len(sentences(e.text)) >= 3)
        kept = list(islice(fit, self.most))
        validation, test = kept[: len(kept) // 3], kept[len(kept) // 3 :]
        about = (
            f"Nothing is trained. {left.copies:,} texts that occurred before were removed, then {len(kept):,} drawn (seed 0) of those with "
            "a summary of 3 to 25 words and at least 3 sentences. A third of them is there to choose settings by."
        )
        return Split([], validation, test, about)

    def examples(self) -> list[Summarized]:
        """First paragraph and body of each docstring that has both, but for code and the marks of reStructuredText."""
        found = []
        for docstring in docstrings():
            summary, _, body = docstring.strip().partition("\n\n")
            body = "\n".join(line for line in body.splitlines() if not _CODE.match(line))
            if summary and body.strip():
                found.append(Summarized(" ".join(summary.split()), body))
        return found

    def read(self, path: Path) -> list[Summarized]:
        """JSON lines with "text" and "summary"."""

        def summarized(line: str) -> Summarized:
            given = _object(line, ("text", "summary"))
            return Summarized(given["summary"], given["text"])

        return lines_of(path, summarized)

    def question(self, example: Summarized) -> Question:
        return Question(example.text, self.measured_count)

    def parse(self, line: str) -> Question:
        """A text, of which three sentences are taken; or a JSON object with "text" and perhaps "count"."""
        if not line.lstrip().startswith("{"):
            return Question(line, 3)
        given = _object(line, ("text",))
        count = given.get("count", 3)
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f'"count" should be a positive integer, it is {count!r}.')
        return Question(given["text"], count)

    def open(self, folder: Path | None, device: str) -> System:
        return lambda questions: [summarize(q.text, q.wanted) for q in questions]

    def baselines(self) -> Mapping[str, Baseline]:
        return {
            "first sentences": simple.lead,
            "any sentences": simple.any_sentences,
            "TextRank on TF-IDF": lambda split: _ranked(simple.tf_idf_likeness([e.text for e in split.validation])),
            "TextRank on MiniLM": lambda split: _ranked(vector_likeness),
        }

    def measure(self, examples: Sequence[Summarized], answers: Sequence[Answer]) -> list[Score]:
        written, ours = [e.summary for e in examples], [answer["summary"] for answer in answers]
        return [rouge(kind, written, ours) for kind in ("L", 1, 2)]

    def limits(self) -> Sequence[str]:
        return (
            "It chooses sentences, it writes none: what no sentence says alone, its summary does not say.",
            "It takes what many sentences say for what matters; a text that says the important thing once is not for it.",
        )


class PackageSummary(Summary):
    """The same of Debian's packages."""

    name = "summary-packages"
    title = "Summaries of a text's own sentences, by TextRank: the descriptions of Debian's packages"
    datasets = ("package-descriptions",)

    def examples(self) -> list[Summarized]:
        return [Summarized(package.synopsis, package.text.replace("\n", "\n\n")) for package in package_descriptions()]


def _ranked(likeness: Likeness) -> System:
    return lambda questions: [summarize(q.text, q.wanted, likeness) for q in questions]


_CODE = re.compile(r"\s*(>>>|\.\.\.( |$)|\.\. |:\w+.*:|[-=~^]{3,}\s*$)")


def _object(line: str, names: Sequence[str]) -> dict[str, Any]:
    """A JSON object in which each of the names has a text.

    Raises:
        ValueError: it is none; the message says what was expected.
    """
    wanted = " and ".join(f'"{name}"' for name in names)
    try:
        given = json.loads(line)
    except ValueError as error:
        raise ValueError(f"expected a text, or a JSON object with {wanted}: {error}") from None
    if not isinstance(given, dict) or not all(isinstance(given.get(name), str) for name in names):
        raise ValueError(f"expected a JSON object with {wanted}, a text each, got {line[:80]}")
    return given

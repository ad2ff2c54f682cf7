"""Translation: one step of a learned lexicon, and what a model that copies says."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong


def texts(count: int, english: int, chinese: int, longest: int = 4) -> Any:
    """Probabilities t, and pairs of texts as numbers of words."""

    def draw(rng: Generator) -> tuple[Any, ...]:
        t = rng.random((english, chinese)) + 0.1
        pairs = [
            (
                rng.integers(0, english, rng.integers(1, longest + 1)),
                rng.integers(0, chinese, rng.integers(1, longest + 1)),
            )
            for _ in range(count)
        ]
        return t / t.sum(axis=1, keepdims=True), pairs

    return draw


def two_pairs(rng: Generator) -> tuple[Any, ...]:
    """ "delete file" and "open file": the words 0, 1, 2 are file, delete, open."""
    t = np.array([[0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7]])
    return t, [(np.array([1, 0]), np.array([1, 0])), (np.array([2, 0]), np.array([2, 0]))]


STEP = Task(
    id="6.3",
    title="A lexicon learns",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="expectation and maximization, repeated indices, rows that sum to one",
    statement=r"""
Do one step of (6.2.1). `t[e, f]` is how probable the Chinese word $f$ is for the English word $e$. Each pair of texts is two arrays of
words' numbers. Every Chinese word of a pair is shared out among the English words of its pair:

$$
c(e, f) = \sum_{\text{pairs}} \sum_{f \text{ in it}} \; \sum_{e \text{ in it}} \frac{t(f \mid e)}{\sum_{e' \text{ in it}} t(f \mid e')},
\qquad t_{new}(f \mid e) = \frac{c(e, f)}{\sum_{f'} c(e, f')}
$$

Write `step(t, pairs)`. A word that stands twice in a text is two words, each with its share. No Chinese word comes from none here, as it
may in the section. An English word of no pair gets a row of zeros, without a warning.
""",
    stub='''
def step(t, pairs):
    """The new t, (English words, Chinese words).

    t: (English words, Chinese words), positive.
    pairs: a list of (numbers of English words, numbers of Chinese words).
    """
    raise NotImplementedError
''',
    solution="""
def step(t, pairs):
    counts = np.zeros_like(t)
    for english, chinese in pairs:
        for f in chinese:
            share = t[english, f] / t[english, f].sum()
            np.add.at(counts, (english, f), share)
    total = counts.sum(axis=1, keepdims=True)
    return counts / np.where(total > 0, total, 1)
""",
    name="step",
    hint="The shares of one Chinese word add up to 1, over the English words of its own text. `counts[english, f] += share` forgets a word "
    "that stands there twice: see `np.add.at`.",
    derivation=r"""
Had somebody told us which English word each Chinese one came from, $t$ would be counts divided by their sums. Nobody did, so each
possible partner counts by its probability, given what is believed so far. This is the E step; the division is the M step. The
likelihood of the Chinese texts, $\prod_f \sum_e t(f \mid e)$, never falls, and as its logarithm is concave in $t$, every start with
positive numbers ends at a highest value.
""",
    tests=(
        Test("one pair of one word each", texts(1, 1, 1, 1)),
        Test("two pairs", two_pairs),
        Test("twenty pairs", texts(20, 6, 7)),
        Test("a word of no pair", lambda rng: (np.array([[0.5, 0.5], [0.5, 0.5]]), [(np.array([0]), np.array([1]))]), hidden=True),
        Test("a word twice", lambda rng: (np.array([[0.9, 0.1], [0.2, 0.8]]), [(np.array([0, 0, 1]), np.array([1, 1]))]), hidden=True),
        Test("many pairs", texts(200, 20, 25, 8), hidden=True),
    ),
    wrong=(
        Wrong("", "t[english, f] / t[english, f].sum()", "t[english, f]",
              why="The probabilities themselves were added up; a Chinese word gives away 1 in all, so its shares are divided by their sum.",
              look="How much do the shares of one Chinese word add up to?"),
        Wrong("", "t[english, f] / t[english, f].sum()", "t[english, f] / t[:, f].sum()",
              why="The shares are divided by a sum over all English words; only those of the same text are its possible partners."),
        Wrong("", "t[english, f] / t[english, f].sum()", "np.full(len(english), 1 / len(english))",
              why="Every English word got an equal share: that is the first step only, before anything is believed."),
        Wrong("", "t[english, f] / t[english, f].sum()", "t[english, f] / t[np.ix_(english, chinese)].sum(axis=1)",
              why="Each English word's probabilities were divided by their sum over the Chinese words. It is each Chinese word that is "
              "shared out, among the English words.",
              look="Which of e and f does the sum in the denominator run over?"),
        Wrong("", "np.add.at(counts, (english, f), share)", "counts[english, f] += share",
              why="A word that stands twice in its text got one of its two shares: `+=` on repeated indices adds once."),
        Wrong("", "for english, chinese in pairs:\n", "for english, chinese in pairs:\n        english = np.unique(english)\n",
              why="An English word that stands twice in its text was taken for one; it is two, each with its share."),
        Wrong("", "counts / np.where(total > 0, total, 1)", "counts / total",
              why="The row of an English word of no pair is 0 / 0; it should be zeros, without a warning."),
        Wrong("", "counts.sum(axis=1, keepdims=True)", "counts.sum(axis=0, keepdims=True)",
              why="The columns were divided by their sums; it is the row of an English word whose probabilities add up to 1."),
    ),
    after="Begin with equal numbers and repeat the step on the two pairs of the section. Where does it end?",
)  # fmt: skip


def position(vocabulary: int, unknown: int, source: int) -> Any:
    """What a model says at one position: p_gen, P, a, the source's ids, and how many tokens there are."""

    def draw(rng: Generator) -> tuple[Any, ...]:
        P, a = rng.random(vocabulary) + 0.1, rng.random(source) + 0.1
        ids = rng.integers(0, vocabulary + unknown, source)
        return float(rng.uniform(0.1, 0.9)), P / P.sum(), a / a.sum(), ids, vocabulary + unknown

    return draw


MIX = Task(
    id="6.4",
    title="Say it, or copy it",
    kind="code",
    minutes=10,
    difficulty=1,
    practises="a mixture of two distributions, repeated indices",
    statement=r"""
At one position of the target, a model with a copy head has `p_gen`, the probabilities `P` of its vocabulary's `len(P)` words, and the
attention `a` to the source's tokens `ids`. Ids from `len(P)` on are words that only this source has. Write
`mix(p_gen, P, a, ids, size)`, the probabilities (6.2.2) of all `size` tokens. A token that stands twice in
the source can be copied from both places.
""",
    stub='''
def mix(p_gen, P, a, ids, size):
    """The probabilities (size,) of all tokens.

    p_gen: how far the vocabulary is asked, from 0 to 1.
    P: (V,), the vocabulary's probabilities; a: (S,), the attention; both sum to 1.
    ids: (S,), the source's tokens, below size; size: at least V.
    """
    raise NotImplementedError
''',
    solution="""
def mix(p_gen, P, a, ids, size):
    out = np.zeros(size)
    out[: len(P)] = p_gen * P
    np.add.at(out, ids, (1 - p_gen) * a)
    return out
""",
    name="mix",
    hint="Begin with zeros for all tokens. The vocabulary fills the first ones; the source adds to those that it holds.",
    derivation=r"""
Both parts are distributions, with shares $p_{gen}$ and $1 - p_{gen}$, so the sum is one, too. A token of the source that the vocabulary
lacks has the second part only, one that the source lacks the first only, and the others have both: the model need not decide whether it
knows a word or copies it.
""",
    tests=(
        Test("two words, one token", lambda rng: (0.25, np.array([0.5, 0.5]), np.array([1.0]), np.array([1]), 2)),
        Test("an unknown word", position(3, 1, 2)),
        Test("a longer source", position(20, 5, 12)),
        Test("a token twice", lambda rng: (0.5, np.array([1.0, 0.0]), np.array([0.5, 0.25, 0.25]), np.array([1, 2, 1]), 3), hidden=True),
        Test("all is copied", lambda rng: (0.0, np.array([0.3, 0.7]), np.array([0.4, 0.6]), np.array([2, 2]), 3), hidden=True),
    ),
    wrong=(
        Wrong("", "np.add.at(out, ids, (1 - p_gen) * a)", "out[ids] += (1 - p_gen) * a",
              why="A token that stands twice in the source was copied from one place only: `+=` on repeated indices adds once."),
        Wrong("", "np.add.at(out, ids, (1 - p_gen) * a)",
              "for s, i in enumerate(ids):\n        out[i] = (1 - p_gen) * a[s]",
              why="The source's share took the place of what stood there: a word that the vocabulary has, too, lost its first part.",
              look="What does `out[i]` hold before you write to it?"),
        Wrong("", "np.zeros(size)", "np.zeros(len(P))",
              why="There is room for the vocabulary only; the words that only the source has come behind it, up to `size`."),
        Wrong("", "np.add.at(out, ids, (1 - p_gen) * a)", "np.add.at(out, ids, a)",
              why="The attention came with its full weight, so that the probabilities add up to more than 1."),
        Wrong("", "(1 - p_gen) * a", "p_gen * a",
              why="The source got the share of the vocabulary: it is copied with $1 - p_{gen}$."),
        Wrong("", "p_gen * P", "P",
              why="The vocabulary came with its full weight; its share is $p_{gen}$."),
    ),
    after="What does $p_{gen} = 1$ make of a placeholder that the vocabulary lacks?",
)  # fmt: skip

TASKS: tuple[Task, ...] = (STEP, MIX)

"""Understanding: the correlation of two orders, and what is read off at the head and at the tail."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong


def numbers(n: int, different: int) -> Any:
    """Two lists of n numbers, the second of so many different ones."""

    def draw(rng: Generator) -> tuple[Any, ...]:
        y = rng.integers(0, different, n).astype(np.float64)
        y[0] = (y[1] + 1) % different  # not all alike
        return rng.standard_normal(n) + 0.3 * y, y

    return draw


def outputs(*kinds: list[int]) -> Any:
    """An encoder's vectors for these kinds of tokens."""

    def draw(rng: Generator) -> tuple[Any, ...]:
        return rng.standard_normal((len(kinds), len(kinds[0]), 3)), np.array(kinds)

    return draw


RANKS = Task(
    id="6.9",
    title="Do two orders agree?",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="ranks, ties, correlation",
    statement=r"""
A cosine of 0.6 need not mean twice as much as 0.3. So similarity is judged by order alone: Spearman's correlation is Pearson's
correlation of the *ranks*. The lowest number has rank 1; equal numbers share the mean of the ranks that they take up together. With
$a_i$ and $b_i$ the ranks of $x_i$ and $y_i$,

$$
\rho = \frac{\sum_i (a_i - \bar a)(b_i - \bar b)}{\sqrt{\sum_i (a_i - \bar a)^2} \sqrt{\sum_i (b_i - \bar b)^2}} .
$$

Write `spearman(x, y)`. The closeness of two definitions has only four values, so ties are the rule here.
""",
    stub='''
def spearman(x, y):
    """Spearman's correlation of two arrays (n,), neither of them constant."""
    raise NotImplementedError
''',
    solution="""
def spearman(x, y):
    a, b = ranks(x), ranks(y)
    a, b = a - a.mean(), b - b.mean()
    return (a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum())


def ranks(x):
    below = (x < x[:, None]).sum(axis=1)
    equal = (x == x[:, None]).sum(axis=1)
    return below + (equal + 1) / 2
""",
    name="spearman",
    hint="How many numbers are below one, and how many equal it? These two say its rank.",
    derivation=r"""
Where $k$ numbers are below and $m$ are equal (itself among them), those $m$ take up the ranks $k + 1, \dots, k + m$, whose mean is
$k + (m + 1) / 2$. Without ties this is the place in the sorted order.

`np.argsort(np.argsort(x))` gives places, too, but breaks each tie by where the numbers happen to stand in the array: shuffle the pairs,
and the correlation changes.
""",
    tests=(
        Test("the same order", lambda rng: (np.array([0.1, 0.5, 0.9]), np.array([1.0, 10.0, 100.0]))),
        Test("the other way round", lambda rng: (np.array([0.9, 0.5, 0.1, 0.0]), np.array([1.0, 2.0, 3.0, 4.0]))),
        Test("a tie", lambda rng: (np.array([0.2, 0.8, 0.5, 0.6]), np.array([0.0, 3.0, 3.0, 1.0]))),
        Test("four values", numbers(40, 4)),
        Test("two values", numbers(15, 2), hidden=True),
        Test("no ties", numbers(12, 10**6), hidden=True),
    ),
    wrong=(
        Wrong("", "a, b = ranks(x), ranks(y)", "a, b = x, y",
              why="This is Pearson's correlation of the numbers. It asks whether they lie on a line, not whether they rise together."),
        Wrong("", "return below + (equal + 1) / 2", "return np.argsort(np.argsort(x, kind='stable'), kind='stable') + 1.0",
              why="Equal numbers got different ranks, by where they stand in the array.",
              look="Does the result stay when both arrays are shuffled alike?"),
        Wrong("", "return below + (equal + 1) / 2", "return np.argsort(np.argsort(x)) + 1.0",
              why="Equal numbers got different ranks, by how the sort happened to leave them.",
              look="Does the result stay when both arrays are shuffled alike?"),
        Wrong("", "return (a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum())",
              "return 1 - 6 * ((a - b) ** 2).sum() / (len(x) * (len(x) ** 2 - 1))",
              why="The short formula with the squares of the differences holds only where no two numbers are equal.",
              look="How large is $\\sum_i (a_i - \\bar a)^2$ when two of the ranks are equal?"),
        Wrong("", "return below + (equal + 1) / 2", "return below + 1.0",
              why="Equal numbers got the lowest of their ranks, not the mean."),
        Wrong("", "return below + (equal + 1) / 2", "return below + equal * 1.0",
              why="Equal numbers got the highest of their ranks, not the mean."),
        Wrong("", "return below + (equal + 1) / 2", "return np.argsort(x, kind='stable') + 1.0",
              why="`argsort` says which number comes first, not which place a number has. Apply it twice, and mind the ties."),
        Wrong("", "a, b = a - a.mean(), b - b.mean()", "a, b = a * 1.0, b * 1.0",
              why="The means were not taken off: ranks are all positive, and so the result always looks high."),
    ),
    after="Measure it on the cosines of section 6.5, and again with each cosine replaced by its cube. What changes?",
)  # fmt: skip

HEAD_AND_TAIL = Task(
    id="6.10",
    title="What is read off at head and tail",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="masks, means over some tokens",
    statement=r"""
Formula (6.5.2) reads three vectors off an encoder's output $h$: that of the first token, and the means over the tokens of the head and
over those of the tail. Each token has a kind: 0 and 1 in the definition, 2 and 3 in the tail, 4 and 5 in the head; the odd ones begin
with a capital. Padding at the end has kind 0.

Write `read_off(h, kinds)`. Where a text has no token of the head or of the tail, its mean is zero.
""",
    stub='''
def read_off(h, kinds):
    """First token, mean of the head, mean of the tail, side by side: (B, 3 C).

    h: (B, T, C), kinds: (B, T).
    """
    raise NotImplementedError
''',
    solution="""
def read_off(h, kinds):
    head, tail = (mean(h, (kinds == k) | (kinds == k + 1)) for k in (4, 2))
    return np.concatenate([h[:, 0], head, tail], axis=1)


def mean(h, keep):
    count = np.maximum(keep.sum(axis=1, keepdims=True), 1)
    return (h * keep[:, :, None]).sum(axis=1) / count
""",
    name="read_off",
    hint="Multiply by a mask of zeros and ones, add along the tokens, and divide by the number of ones.",
    derivation=r"""
With a mask $m_t \in \{0, 1\}$ the mean over the kept tokens is $\sum_t m_t h_t / \sum_t m_t$. The division is by the number of kept
tokens, not by $T$: otherwise the same tail would count less in a longer sentence, and less beside a longer neighbor in the batch.
`np.maximum(..., 1)` makes the empty mean zero, since its numerator is.
""",
    tests=(
        Test("a definition", outputs([0, 4, 0, 0, 2, 2, 0])),
        Test("capitals", outputs([0, 5, 4, 0, 0, 3, 2, 0])),
        Test("two texts", outputs([0, 4, 4, 0, 1, 2, 0, 0], [0, 5, 0, 3, 0, 0, 0, 0])),
        Test("no tail", outputs([0, 4, 0, 0, 0]), hidden=True),
        Test("nothing but the first token", outputs([0, 0], [0, 0]), hidden=True),
        Test("all of it", outputs([4, 4, 5], [2, 3, 3]), hidden=True),
    ),
    wrong=(
        Wrong("", "(kinds == k) | (kinds == k + 1)", "kinds == k",
              why="Words with a capital were left out: their kind is odd.",
              look="A tail such as *France*."),
        Wrong("", "for k in (4, 2))", "for k in (2, 4))",
              why="Head and tail changed places: part-of becomes has-part."),
        Wrong("", "/ count", "/ h.shape[1]",
              why="The sum was divided by the number of all tokens; the same words count less in a longer sentence."),
        Wrong("", "np.maximum(keep.sum(axis=1, keepdims=True), 1)", "keep.sum(axis=1, keepdims=True)",
              why="Where no token is kept, zero was divided by zero."),
        Wrong("", "(h * keep[:, :, None]).sum(axis=1) / count",
              "np.where(keep[:, :, None], h, -np.inf).max(axis=1) * (keep.any(axis=1)[:, None])",
              why="This is the largest number, not the mean."),
        Wrong("", "h[:, 0], head", "h.mean(axis=1), head",
              why="The first vector is that of the first token, not the mean of all."),
    ),
    after="Instead of the mean, take the first token of head and tail only. Which tails lose most?",
)  # fmt: skip

TASKS: tuple[Task, ...] = (RANKS, HEAD_AND_TAIL)

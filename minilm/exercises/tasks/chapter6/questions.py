"""Questions: the likeliest span of a text, and the rank of an answer where scores are equal."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Task, Test, Wrong


def numbers(length: int, most: int) -> Any:
    """Numbers for the beginning and the end of a span at each place of a text."""
    return lambda rng: (rng.standard_normal(length), rng.standard_normal(length), most)


def given(start: list[float], end: list[float], most: int) -> Any:
    """The same numbers for everybody."""
    return lambda rng: (np.array(start), np.array(end), most)


BEST_SPAN = Task(
    id="6.5",
    title="The likeliest span",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="a best pair is not a pair of bests",
    statement=r"""
A model says of each place $t$ of a text how well an answer would begin there, $s_t$, and end there, $e_t$. Write
`best_span(s, e, n)`: the pair $(i, j)$ with the highest $s_i + e_j$ among those with $i \le j < i + n$, so that an answer has at most
$n$ words. Of equal ones take the one that begins first, then the shortest.
""",
    stub='''
def best_span(s, e, n):
    """The first and the last place of the likeliest span, as a tuple of two ints.

    s, e: (T,) how well a span begins and ends at each place.
    n: the most places that it may have.
    """
    raise NotImplementedError
''',
    solution="""
def best_span(s, e, n):
    T = len(s)
    length = np.arange(T) - np.arange(T)[:, None] + 1  # from row to column
    allowed = (length >= 1) & (length <= n)
    sums = np.where(allowed, s[:, None] + e, -np.inf)
    i, j = divmod(int(sums.argmax()), T)
    return i, j
""",
    name="best_span",
    hint="""
Write all sums into a matrix, a row per beginning and a column per end. Which entries are no span? What must stand there so that they are
never the highest? In which order does `argmax` read a matrix?
""",
    derivation=r"""
The matrix has $s_i + e_j$ in row $i$ and column $j$. Spans lie on the diagonal and above it, on $n$ diagonals in all; everything else
becomes $-\infty$. `argmax` reads row by row and keeps the first of equal entries: the smallest $i$, then the smallest $j$.

The best beginning and the best end, each by itself, need not be a span: the end may come before the beginning.
""",
    tests=(
        Test("the best end comes before the best beginning", given([0, 1, 5, 0], [4, 0, 1, 2], 4)),
        Test("no longer than allowed", given([9, 0, 0, 0, 0], [0, 1, 2, 3, 9], 2)),
        Test("the best beginning has no good end", given([4, 0, 0, 5], [0, 6, 0, 0], 2)),
        Test("equal sums", given([10, 10, 10], [20, 20, 20], 3)),
        Test("one word", given([-3], [-4], 5), hidden=True),
        Test("all below zero", given([-5, -1, -2], [-1, -9, -3], 2), hidden=True),
        Test("a long text", numbers(60, 8), hidden=True),
        Test("a long text, spans of any length", numbers(50, 50), hidden=True),
    ),
    wrong=(
        Wrong(
            "",
            "i, j = divmod(int(sums.argmax()), T)\n    return i, j",
            "return int(s.argmax()), int(e.argmax())",
            why="The best beginning and the best end were taken each by itself: together they need not be a span.",
            look="Where is the end when the beginning is 2?",
        ),
        Wrong(
            "",
            "i, j = divmod(int(sums.argmax()), T)\n    return i, j",
            "i = int(s.argmax())\n    return i, int(sums[i].argmax())",
            why="The best beginning was taken first, then the best end for it. A weaker beginning may have a better end.",
            look="Every pair has to be compared, not only those of one beginning.",
        ),
        Wrong(
            "",
            "i, j = divmod(int(sums.argmax()), T)\n    return i, j",
            "i, j = divmod(int(sums.argmax()), T)\n    return (i, j) if sums[i, j] > 0 else (0, 0)",
            why="Where all sums are below 0 none was taken: the search began with 0 as the best so far.",
            look="What is lower than every number?",
        ),
        Wrong(
            "",
            "divmod(int(sums.argmax()), T)",
            "divmod(T * T - 1 - int(sums[::-1, ::-1].argmax()), T)",
            why="Of equal sums the last one was taken.",
            look="Is it `>` or `>=` by which a pair replaces the best so far?",
        ),
        Wrong(
            "",
            "(length >= 1) & (length <= n)",
            "length <= n",
            why="Ends before the beginning were allowed.",
            look="Which half of the matrix holds spans?",
        ),
        Wrong(
            "",
            "(length >= 1) & (length <= n)",
            "(length >= 1) & (length <= n + 1)",
            why="A span may have n places at most; yours may have one more.",
            look="How many places are in (i, j)? Not j - i.",
        ),
        Wrong(
            "",
            "(length >= 1) & (length <= n)",
            "(length >= 2) & (length <= n)",
            why="A span of one place, i = j, was not allowed.",
            look="Which answers have one word?",
        ),
        Wrong(
            "",
            "s[:, None] + e, -np.inf",
            "s[:, None] + e, 0.0",
            why="What is no span got the sum 0, which is the highest where all others are below 0.",
            look="What is lower than every number?",
        ),
        Wrong(
            "",
            "s[:, None] + e, -np.inf",
            "e[:, None] + s, -np.inf",
            why="Beginnings and ends changed places.",
            look="Which of the two belongs to the rows?",
        ),
    ),
    after="How many sums does your function compute for a text of 10,000 words and n = 16? How few would do?",
)

RANK = Task(
    id="6.6",
    title="The rank of an answer, and equal scores",
    kind="write the test",
    minutes=20,
    difficulty=2,
    practises="a measure that a lazy system cannot cheat",
    statement=r"""
A search gives each of $n$ documents a score. The rank of the right one is the number of documents that score *as high as it or higher*,
itself among them; so a search that gives everything the same score has rank $n$, not 1. The mean reciprocal rank of several questions
is the mean of $1 / \text{rank}$.

`test_mrr(mrr)` is given a function `mrr(scores, right)` of scores `(questions, documents)` and the numbers of the right documents
`(questions,)`; it returns a number. The test passes the right function and raises `AssertionError` for each of several wrong ones.
""",
    stub='''
def test_mrr(mrr):
    """Raises AssertionError where the mean reciprocal rank is not the right one."""
    scores = np.array([[3.0, 1.0, 2.0]])
    found = mrr(scores, np.array([0]))
''',
    subject="""
def mrr(scores, right):
    own = scores[np.arange(len(right)), right][:, None]
    rank = (scores >= own).sum(axis=1)
    return float((1 / rank).mean())
""",
    solution="""
def test_mrr(mrr):
    scores = np.array([[3.0, 1.0, 2.0], [3.0, 1.0, 2.0]])
    assert np.isclose(mrr(scores, np.array([0, 0])), 1)
    assert np.isclose(mrr(scores, np.array([1, 2])), (1 / 3 + 1 / 2) / 2)
    assert np.isclose(mrr(np.zeros((2, 4)), np.array([0, 3])), 1 / 4)
    assert np.isclose(mrr(np.array([[1.0, 2.0, 2.0, 0.0]]), np.array([1])), 1 / 2)
    assert np.isclose(mrr(np.array([[-1.0, -2.0]]), np.array([1])), 1 / 2)
    many = np.arange(40.0)[None]
    assert np.isclose(mrr(many, np.array([0])), 1 / 40)
""",
    name="test_mrr",
    hint="""
Small tables whose answer you know by heart. What does each way of breaking ties say when all scores are equal, and the right document is
the first, or the last? Is the mean of reciprocals the reciprocal of the mean?
""",
    derivation=r"""
Three kinds of tables are enough. Different scores, with the right document at several places, and two questions of different rank: they
tell $\frac12 (1 + \frac13)$ from $1 / \frac12 (1 + 3)$, a rank that begins at 0, and an order turned around. Equal scores, with the right
document first and last: they tell the ranks that a sort gives from the honest one. And a right document far down: some cut the list.
""",
    wrong=(
        Wrong(
            "",
            "(scores >= own).sum(axis=1)",
            "(scores > own).sum(axis=1) + 1",
            why="Equal scores count for the system: one that says nothing is always right.",
        ),
        Wrong(
            "",
            "(scores >= own).sum(axis=1)",
            "(-scores).argsort(1, kind='stable').argsort(1)[range(len(right)), right] + 1",
            why="Of equal scores the sort decides: the first document wins because it is the first.",
        ),
        Wrong(
            "",
            "(scores >= own).sum(axis=1)",
            "(scores <= own).sum(axis=1)",
            why="The order is turned around: the worst document has rank 1.",
        ),
        Wrong(
            "",
            "float((1 / rank).mean())",
            "float(1 / rank.mean())",
            why="The reciprocal of the mean rank is not the mean of the reciprocals.",
        ),
        Wrong(
            "",
            "float((1 / rank).mean())",
            "float((1 / (rank + 1)).mean())",
            why="Ranks begin at 1.",
        ),
        Wrong(
            "",
            "float((1 / rank).mean())",
            "float(np.where(rank <= 10, 1 / rank, 0).mean())",
            why="The list was cut after ten documents. That is MRR@10, another number.",
        ),
        Wrong(
            "",
            "float((1 / rank).mean())",
            "float((rank == 1).mean())",
            why="This is recall@1: how often the right document is the first.",
        ),
    ),
    setup="import numpy as np\n",
    after="Which rank should the right document have when the search does not find it at all, and what is its reciprocal?",
)

TASKS: tuple[Task, ...] = (BEST_SPAN, RANK)

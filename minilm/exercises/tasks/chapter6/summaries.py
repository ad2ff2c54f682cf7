"""Summaries: the longest common subsequence, and sentences that point at each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong


def two_texts(words: int, first: int, second: int) -> Any:
    """A reference and an answer, as lists of words."""

    def draw(rng: Generator) -> tuple[Any, ...]:
        names = [f"w{i}" for i in range(words)]
        return [names[i] for i in rng.integers(0, words, first)], [names[i] for i in rng.integers(0, words, second)]

    return draw


_TABLE = """\
    L = np.zeros((m + 1, n + 1), int)
    for i in range(m):
        for j in range(n):
            if reference[i] == answer[j]:
                L[i + 1, j + 1] = L[i, j] + 1
            else:
                L[i + 1, j + 1] = max(L[i, j + 1], L[i + 1, j])
    return 2 * float(L[m, n]) / (m + n) if L[m, n] else 0.0
"""
_TABLE_WITHOUT_EDGES = """\
    L = np.zeros((m, n), int)
    for i in range(m):
        for j in range(n):
            if reference[i] == answer[j]:
                L[i, j] = L[i - 1, j - 1] + 1
            else:
                L[i, j] = max(L[i - 1, j], L[i, j - 1])
    return 2 * float(L[-1, -1]) / (m + n)
"""

ROUGE_L = Task(
    id="6.11",
    title="In the same order, with gaps",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="dynamic programming, precision and recall",
    statement=r"""
ROUGE-L asks how long a sequence of words both texts have, in the same order, with gaps. With $L$ its length, $m$ words in the reference and
$n$ in the answer

$$
P = \frac{L}{n}, \qquad R = \frac{L}{m}, \qquad F = \frac{2 P R}{P + R}
$$

Write `rouge_l(reference, answer)`, the number $F$ of two lists of words; 0 where they have no word in common. Let $L_{ij}$ be the length
for the first $i$ and the first $j$ words: $L_{ij} = L_{i-1,j-1} + 1$ where words $i$ and $j$ are equal, else the larger of
$L_{i-1,j}$ and $L_{i,j-1}$.
""",
    stub='''
def rouge_l(reference, answer):
    """F of the longest common subsequence of two lists of words."""
    raise NotImplementedError
''',
    solution="""
def rouge_l(reference, answer):
    m, n = len(reference), len(answer)
    L = np.zeros((m + 1, n + 1), int)
    for i in range(m):
        for j in range(n):
            if reference[i] == answer[j]:
                L[i + 1, j + 1] = L[i, j] + 1
            else:
                L[i + 1, j + 1] = max(L[i, j + 1], L[i + 1, j])
    return 2 * float(L[m, n]) / (m + n) if L[m, n] else 0.0
""",
    name="rouge_l",
    hint="A table with one row and one column more than there are words, which are 0, needs no special case. Put $P$ and $R$ into $F$ and "
    "simplify.",
    derivation=r"""
The last words are equal, or they are not. If they are, a longest sequence may end with them: one more than without both. If not, one of
the two last words is not in it. With $P = L / n$ and $R = L / m$

$$
F = \frac{2 L^2 / (m n)}{L (m + n) / (m n)} = \frac{2 L}{m + n}
$$
""",
    tests=(
        Test("the same words", lambda rng: (["a", "tool"], ["a", "tool"])),
        Test("a gap", lambda rng: (["a", "small", "tool"], ["a", "tool"])),
        Test("another order", lambda rng: (["sound", "library"], ["library", "for", "sound"])),
        Test("longer texts", two_texts(4, 9, 7)),
        Test("nothing in common, and nothing at all", lambda rng: (["a"], []), hidden=True),
        Test("long texts", two_texts(6, 40, 30), hidden=True),
    ),
    wrong=(
        Wrong("", "max(L[i, j + 1], L[i + 1, j])", "0",
              why="A word that is not in both ended the sequence: this finds the longest common run, without gaps."),
        Wrong("", "return 2 * float(L[m, n]) / (m + n) if L[m, n] else 0.0",
              "L = len(set(reference) & set(answer))\n    return 2 * L / (m + n) if L else 0.0",
              why="Words in common were counted, in whatever order. ROUGE-L asks for the same order.",
              look="The words of one text backward."),
        Wrong("", "return 2 * float(L[m, n]) / (m + n) if L[m, n] else 0.0",
              "L = sum(min(reference.count(w), answer.count(w)) for w in set(reference))\n"
              "    return 2 * L / (m + n) if L else 0.0",
              why="Words in common were counted, each as often as both have it, in whatever order: that is ROUGE-1.",
              look="The words of one text backward."),
        Wrong("", _TABLE, _TABLE_WITHOUT_EDGES,
              why="For the first word the row before it is `L[-1]`, which is the last one: the count may run round in a circle.",
              look="A row and a column of zeros for no word at all, before the first one."),
        Wrong("", "max(L[i, j + 1], L[i + 1, j])", "L[i, j + 1]",
              why="Only words of the reference were left out, never words of the answer."),
        Wrong("", "L[i, j] + 1", "max(L[i, j + 1], L[i + 1, j]) + 1",
              why="An equal word was counted though one of its two partners had been used: both texts must go on."),
        Wrong("", "2 * float(L[m, n]) / (m + n)", "float(L[m, n]) / m",
              why="This is the recall; a long answer would have it for nothing. F has the precision, too."),
        Wrong("", "2 * float(L[m, n]) / (m + n)", "float(L[m, n]) / n",
              why="This is the precision; one right word would be perfect. F has the recall, too."),
    ),
    after="Which answer of three words has the largest F with a reference of ten?",
)  # fmt: skip


def graph(n: int, alone: bool = False) -> Any:
    """Strengths between n sentences, symmetric, with zeros on the diagonal; `alone`: one has nothing in common with the others."""

    def draw(rng: Generator) -> tuple[Any, ...]:
        w = rng.random((n, n)) * (rng.random((n, n)) < 0.7) + 0.01
        w = (w + w.T) * (1 - np.eye(n))
        if alone:
            w[0], w[:, 0] = 0.0, 0.0
        return w, 0.85, 3 if alone else 50  # after many steps the lost score could be made up for by a division

    return draw


RANK = Task(
    id="6.12",
    title="Sentences that point at each other",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="powers of a matrix, rows that sum to one",
    statement=r"""
TextRank gives each of $n$ sentences a score, and lets sentences give their scores to those that they have something in common with:

$$
s_i \leftarrow \frac{1 - d}{n} + d \sum_{j} s_j\, \frac{w_{ji}}{\sum_{k} w_{jk}}
$$

Write `text_rank(w, d, steps)`: begin with $s_i = 1 / n$ and do as many steps. A sentence that has nothing in common with any other
gives its score to all $n$ alike. The scores then add up to 1 at every step.
""",
    stub='''
def text_rank(w, d, steps):
    """The scores (n,) after `steps` steps.

    w: (n, n), what two sentences have in common; not negative, 0 on the diagonal.
    d: the damping, from 0 to 1.
    """
    raise NotImplementedError
''',
    solution="""
def text_rank(w, d, steps):
    n = len(w)
    total = w.sum(axis=1, keepdims=True)
    moves = np.where(total > 0, w / np.where(total > 0, total, 1), 1 / n)
    s = np.full(n, 1 / n)
    for _ in range(steps):
        s = (1 - d) / n + d * (s @ moves)
    return s
""",
    name="text_rank",
    hint="Make a matrix first whose row $j$ says where the score of sentence $j$ goes. Its rows add up to 1. A step is then one product.",
    derivation=r"""
With rows that add up to 1, $\sum_i \sum_j s_j m_{ji} = \sum_j s_j$: what is given is received. So the sum after a step is
$(1 - d) + d \cdot 1 = 1$. Two different starts come closer by the factor $d$ per step, in the sum of absolute
differences, so the limit does not depend on the start.
""",
    tests=(
        Test("two sentences", lambda rng: (np.array([[0.0, 1.0], [1.0, 0.0]]), 0.85, 3)),
        Test("three sentences, one step", lambda rng: (np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]), 0.5, 1)),
        Test("eight sentences", graph(8)),
        Test("one that is alone", graph(5, alone=True), hidden=True),
        Test("no step", lambda rng: (np.ones((4, 4)) - np.eye(4), 0.85, 0), hidden=True),
        Test("forty sentences", graph(40), hidden=True),
    ),
    wrong=(
        Wrong("", "w.sum(axis=1, keepdims=True)", "w.sum()",
              why="All strengths were divided by one sum; each sentence gives away its own score, so each row adds up to 1."),
        Wrong("", "(s @ moves)", "(moves @ s)",
              why="Each sentence took the mean of its neighbors' scores: what is given must arrive, so the sum runs over the rows."),
        Wrong("", ", 1 / n)\n    s", ", 0)\n    s",
              why="The score of a sentence without neighbors is lost; it goes to all alike."),
        Wrong("", "    return s", "    return s / s.max()",
              why="The scores were divided by the largest one; they should add up to 1."),
        Wrong("", "(1 - d) / n", "(1 - d)",
              why="Each sentence gets $1 - d$ at every step, so that the scores add up to more than 1."),
    ),
    after="Which sentence of a page of yours wins? Is it the one that you would have chosen?",
)  # fmt: skip

TASKS: tuple[Task, ...] = (ROUGE_L, RANK)

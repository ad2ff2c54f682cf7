"""Privacy: a step that no example can be read from, and how many members an attacker finds."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs, fixed


def _step(
    examples: int, *shapes: tuple[int, ...], clip: float, noise: float, expected: int, scale: float = 1.0
) -> Inputs:
    """Gradients of examples, some of which are longer than the clipping norm, and noise for each parameter."""

    def draw(rng: Generator) -> tuple[Any, ...]:
        rows = [
            scale * rng.uniform(0.2, 2.0, (examples, *(1 for _ in s))) * rng.standard_normal((examples, *s))
            for s in shapes
        ]
        return rows, clip, noise, expected, [rng.standard_normal(shape) for shape in shapes]

    return draw


STEP = Task(
    id="8.7",
    title="A step that no example can be read from",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="DP-SGD: clipping each example, noise, what divides",
    statement=r"""
Each of $B$ examples has a gradient; it has a part for each parameter. Write `private(rows, clip, noise, expected, z)`, a step's gradient
by Abadi et al. (2016):

$$
\tilde g = \frac{1}{L} \Bigl( \sum_i g_i \min\Bigl(1, \frac{C}{\lVert g_i \rVert}\Bigr) + \sigma C\, z \Bigr) .
$$

`rows[k]` holds the $B$ examples' gradients of parameter $k$, one per row. $\lVert g_i \rVert$ is the norm of *all* parts of example $i$
together, $C$ is `clip`, $\sigma$ is `noise`, $L$ is `expected`, the mean size of a batch. The noise is given, so that your answer can be
compared: `z[k]` holds standard normal numbers of parameter $k$'s shape. A batch may be empty, and a gradient may be zero.
""",
    stub='''
def private(rows, clip, noise, expected, z):
    """The private gradient of each parameter, a list of arrays.

    rows: a list of arrays (B, *shape), one per parameter.
    z: a list of arrays of those shapes.
    """
    raise NotImplementedError
''',
    solution="""
def private(rows, clip, noise, expected, z):
    squares = [(g**2).sum(axis=tuple(range(1, g.ndim))) for g in rows]
    norms = np.sqrt(sum(squares))
    weights = clip / np.maximum(norms, clip)
    sums = [(g.T @ weights).T for g in rows]
    return [(s + noise * clip * d) / expected for s, d in zip(sums, z)]
""",
    name="private",
    hint="""
First one norm per example, from all its parts: B numbers. Then one factor per example, at most 1. How can it be written so that nothing is
divided by a norm of 0?
""",
    derivation=r"""
Of example $i$ the squared norm is the sum over the squared numbers of all parts. With $\min(1, C / n) = C / \max(n, C)$ nothing is divided
by zero. After clipping, one example more or less moves the sum by at most $C$, whatever stands in it. The noise $\sigma C z$ is
made to this measure: with $\sigma = 1$ it is as large in each direction as the largest move. That is what the accountant counts on, and
why $C$ itself is not in its formula.

Divided is by a number that is known beforehand. The real size of the batch would tell whether one example more was there. The noise of a
step is one draw per number and not one per example: it hides one example, and so few others need not be hidden behind.
""",
    tests=(
        Test("one parameter, by hand", fixed([np.array([[3.0, 4.0], [0.3, 0.4]])], 1.0, 0.0, 2, [np.zeros(2)])),
        Test(
            "two parameters, by hand",
            fixed([np.array([[3.0], [0.0]]), np.array([[4.0], [1.0]])], 2.0, 0.0, 2, [np.zeros(1), np.zeros(1)]),
        ),
        Test("with noise", _step(3, (4,), clip=0.5, noise=2.0, expected=3), points=2),
        Test("matrices and vectors", _step(6, (3, 4), (4,), clip=1.5, noise=0.7, expected=8), points=2),
        Test("a large clipping norm", _step(4, (2, 2), (3,), clip=100.0, noise=0.01, expected=5), hidden=True),
        Test("gradients of zero", fixed([np.zeros((2, 3))], 1.0, 1.0, 4, [np.ones(3)]), hidden=True),
        Test("an empty batch", _step(0, (3, 2), (2,), clip=2.0, noise=1.5, expected=4), hidden=True),
        Test("one number", _step(5, (), clip=0.3, noise=0.2, expected=5), hidden=True),
        Test("many", _step(40, (6, 5), (6,), (2, 6), clip=3.0, noise=1.1, expected=32), hidden=True),
    ),
    wrong=(
        Wrong("clip-of-the-mean",
              "    weights = clip / np.maximum(norms, clip)\n"
              "    sums = [(g.T @ weights).T for g in rows]\n",
              "    sums = [g.sum(axis=0) for g in rows]\n    norm = np.sqrt(sum((s**2).sum() for s in sums))\n"
              "    sums = [s * clip / max(norm, clip) for s in sums]\n"),
        Wrong("noise-without-clip", "noise * clip * d", "noise * d"),
        Wrong("noise-after-the-division", "(s + noise * clip * d) / expected", "s / expected + noise * clip * d"),
        Wrong("noise-for-each-example", "noise * clip * d", "len(rows[0]) * noise * clip * d"),
        Wrong("real-batch-size", "/ expected for", "/ max(1, len(rows[0])) for"),
        Wrong("clip-per-tensor-not-global", "    sums = [(g.T @ weights).T for g in rows]\n",
              "    own = [clip / np.maximum(np.sqrt(square), clip) for square in squares]\n"
              "    sums = [(g.T @ w).T for w, g in zip(own, rows)]\n",
              why="Each parameter's part was clipped by itself. All parts together may then be longer than C.",
              look="An example with the parts [3] and [4] has the norm 5."),
        Wrong("clip-scales-up", "clip / np.maximum(norms, clip)", "clip / np.maximum(norms, 1e-12)",
              why="Each gradient was brought to the norm C, the short ones, too. Only the long ones are shortened."),
        Wrong("norms-summed", "np.sqrt(sum(squares))", "sum(np.sqrt(square) for square in squares)"),
        Wrong("clip-by-value", "(g.T @ weights).T", "np.clip(g, -clip, clip).sum(axis=0)",
              why="Each number was limited to C. The norm of many of them can still be large, and the direction changes."),
        Wrong("", "np.sqrt(sum(squares))", "sum(squares)",
              why="The squared norm was compared with C. The root is missing.", look="[3, 4] has the norm 5."),
        Wrong("", "noise * clip * d", "noise**2 * clip**2 * d",
              why="The variance was taken for the standard deviation.", look="N(0, s^2) is s times a standard normal number."),
    ),
    after="Leave out one example. By how much does the sum move, at most? And by how much with the gradients clipped per parameter?",
)  # fmt: skip


def _losses(members: int, others: int, rate: float, gap: float = 0.5, digits: int = 8) -> Inputs:
    def draw(rng: Generator) -> tuple[Any, ...]:
        return (rng.gamma(1.0, 1.0, members) * gap).round(digits), rng.gamma(1.0, 1.0, others).round(digits), rate

    return draw


FOUND = Task(
    id="8.8",
    title="How many members are found, and how many are accused",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="membership inference, thresholds, ties",
    statement=r"""
An attacker says "this example was in the training set" where a model's loss is at most $t$. Of the members the share
$\text{TPR}(t)$ is found, of the others the share $\text{FPR}(t)$ is accused wrongly. An attack is worth what it finds where
hardly anyone is accused (Carlini et al. 2022).

Write `found(members, others, rate)`: the largest TPR of all $t$ with $\text{FPR}(t) \le$ `rate`. The attacker may also accuse nobody.
""",
    stub='''
def found(members, others, rate):
    """The share of members found where at most `rate` of the others are accused.

    members: (m,), others: (n,), losses. rate: from 0 to 1.
    """
    raise NotImplementedError
''',
    solution="""
def found(members, others, rate):
    lines = [t for t in members if (others <= t).mean() <= rate]
    return max([(members <= t).mean() for t in lines], default=0.0)
""",
    name="found",
    hint="Between two members' losses nothing is gained by moving the line. So which t need be tried?",
    derivation=r"""
Both shares rise with $t$, and TPR only at the members' losses: it is enough to try these. With sorted losses it is faster: at most
$k = \lfloor \text{rate} \cdot n \rfloor$ others may lie at or below $t$, so $t$ lies below the loss of the other in place $k + 1$,
and what counts are the members strictly below it. Where a member and that other are alike, no line parts them.

With 100 others no rate below 1 % can be told from 0. That is why an attack is measured on many. And an area under the whole curve of
0.55 hides whether one in ten members is found for sure, or all of them a little.
""",
    tests=(
        Test("by hand", fixed(np.array([0.1, 0.5, 2.0]), np.array([0.3, 1.0, 3.0, 4.0]), 0.25)),
        Test("nobody may be accused", fixed(np.array([0.1, 0.5, 2.0]), np.array([0.3, 1.0, 3.0, 4.0]), 0.0), points=2),
        Test("everybody may be", fixed(np.array([1.0, 9.0]), np.array([0.5]), 1.0)),
        Test("1 %", _losses(300, 400, 0.01)),
        Test("an other has the smallest loss", fixed(np.array([0.2, 0.3]), np.array([0.1, 5.0]), 0.1), hidden=True),
        Test("ties", fixed(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0, 4.0]), 0.25), hidden=True, points=2),
        Test("losses with few digits", _losses(60, 50, 0.1, digits=1), hidden=True),
        Test("a model that learned nothing by heart", _losses(500, 500, 0.05, gap=1.0), hidden=True),
        Test("few others", _losses(20, 3, 0.5), hidden=True),
    ),
    wrong=(
        Wrong("", "(others <= t).mean() <= rate", "(others <= t).mean() < rate",
              why="The rate itself is allowed, too.", look="Rate 0: may members be found where nobody is accused?"),
        Wrong("", "(others <= t).mean() <= rate", "(others < t).mean() <= rate",
              why="Others whose loss is the line itself were not counted. They are accused like the members there.",
              look="A member and an other with the same loss."),
        Wrong("", "(members <= t).mean() for", "(members < t).mean() for",
              why="The member whose loss is the line was not counted. The line belongs to what is accused."),
        Wrong("", "others <= t", "others >= t", why="High losses were taken for a sign of membership. Learned examples have low ones.",
              look="Which losses does a model have on what it has seen?"),
        Wrong("", "    lines = [t for t in members if (others <= t).mean() <= rate]\n",
              "    lines = [np.quantile(others, rate)]\n",
              why="A quantile lies between two losses, and accuses the one below it even where nobody may be accused.",
              look="Rate 0: the quantile is the smallest of the others' losses."),
        Wrong("", "(others <= t).mean() <= rate", "(np.concatenate([members, others]) <= t).mean() <= rate",
              why="The share was taken over all examples. Accused wrongly are others only."),
        Wrong("", "(others <= t).mean() <= rate", "(others <= t).sum() <= rate * len(members)",
              why="The number of the accused was divided by the number of members, not of others."),
        Wrong("", "(members <= t).mean() for", "(members <= t).sum() / np.sum(np.append(members, others) <= t) for",
              why="This is the precision, the share of members among the accused. Asked was the share of members that are found."),
        Wrong("", ", default=0.0", "",
              why="Where no line is allowed nobody is accused, and none is found: 0.", look="An other that has the smallest loss of all."),
        Wrong("", "max([(members <= t).mean() for t in lines], default=0.0)",
              "max([(members <= t).mean() - (others <= t).mean() for t in lines], default=0)",
              why="This is the attacker's advantage, TPR less FPR (Yeom et al. 2018). Asked was the TPR."),
    ),
    after="Draw losses for a model that learned nothing by heart. How far from `rate` is the answer, with 100 others and with 10,000?",
)  # fmt: skip

TASKS = (STEP, FOUND)

"""The contrastive loss of pairs, both ways."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs, fixed


def _pairs(n: int, d: int, scale: float, length: float = 1.0) -> Inputs:
    def inputs(rng: Generator) -> tuple[Any, ...]:
        a = rng.standard_normal((n, d))
        return length * a, a + rng.standard_normal((n, d)), scale

    return inputs


CONTRASTIVE = Task(
    id="8.3",
    title="A contrastive loss",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="the loss of CLIP: cosines as logits, softmax over rows and over columns",
    statement=r"""
Row $i$ of $a$ is an image, row $i$ of $b$ is its word. Bring the rows to length 1. The logits are $s\, a_i \cdot b_j$, a table with
a row per image and a column per word.

$$ L = -\frac{1}{2N} \sum_i \left( \ln \frac{e^{s\, a_i \cdot b_i}}{\sum_j e^{s\, a_i \cdot b_j}}
  + \ln \frac{e^{s\, a_i \cdot b_i}}{\sum_j e^{s\, a_j \cdot b_i}} \right) $$

Write `contrastive_loss(a, b, s)` in NumPy. It must not overflow for $s = 1000$. No row is zero.
""",
    stub='''
def contrastive_loss(a, b, s):
    """How well images and words find each other, in nats, a float.

    a, b: (N, D); row i of one belongs to row i of the other.
    s: the scale, a positive number.
    """
    raise NotImplementedError
''',
    solution="""
def contrastive_loss(a, b, s):
    a = a / np.linalg.norm(a, axis=1, keepdims=True)
    b = b / np.linalg.norm(b, axis=1, keepdims=True)
    logits = s * a @ b.T
    loss = 0.0
    for table in (logits, logits.T):
        top = table.max(axis=1, keepdims=True)
        total = top[:, 0] + np.log(np.exp(table - top).sum(axis=1))
        loss += (total - np.diag(table)).mean()
    return loss / 2
""",
    name="contrastive_loss",
    hint="""
Each row of the table is a question with N answers, of which the one on the diagonal is right: cross-entropy. The columns are the second
question: transpose the table and do the same again.
""",
    derivation=r"""
With $z_{ij} = s\, a_i \cdot b_j$, minus the logarithm of the fraction is $\ln \sum_j e^{z_{ij}} - z_{ii}$. With $m_i = \max_j z_{ij}$
it is $m_i + \ln \sum_j e^{z_{ij} - m_i} - z_{ii}$, in which no exponent is above 0. The second half is the same of $z^\top$.
Two orthogonal pairs with $a = b$ and $s = 1$: each fraction is $e / (e + 1)$, and $L = \ln(1 + 1/e) = 0.313$.
""",
    tests=(
        Test("two orthogonal pairs", fixed(np.eye(2), np.eye(2), 1.0)),
        Test(
            "lengths do not count", fixed(np.array([[3.0, 4.0], [0.0, 2.0]]), np.array([[5.0, 0.0], [0.0, 0.1]]), 2.0)
        ),
        Test(
            "two images with one word", fixed(np.eye(3), np.array([[1.0, 1, 0], [1, 1, 0], [0, 0, 1]]), 4.0), points=2
        ),
        Test("five pairs", _pairs(5, 3, 5.0), labels={"the batch": 5, "the width": 3}),
        Test("as many pairs as numbers", _pairs(4, 4, 2.0, 3.0), hidden=True),
        Test("a large scale", _pairs(4, 3, 1000.0), hidden=True),
        Test("one pair", _pairs(1, 3, 5.0), hidden=True),
    ),
    wrong=(
        Wrong(
            "",
            "for table in (logits, logits.T):",
            "for table in (logits, logits):",
            why="Only images look for their words, twice. In the second half of the formula words look for their images.",
            look="Two images with one word: is the table symmetric?",
        ),
        Wrong(
            "",
            "for table in (logits, logits.T):",
            "for table in (logits.T, logits.T):",
            why="Only words look for their images, twice. The first half of the formula sums over the words.",
            look="Which index runs in each sum below a fraction.",
        ),
        Wrong(
            "",
            "    a = a / np.linalg.norm(a, axis=1, keepdims=True)\n    b = b / np.linalg.norm(b, axis=1, keepdims=True)\n",
            "",
            why="The rows were not brought to length 1: these are dot products, and a long vector wins against all others.",
            look="Multiply a by 2: the loss must not change.",
        ),
        Wrong(
            "",
            "a / np.linalg.norm(a, axis=1, keepdims=True)",
            "a / np.linalg.norm(a)",
            why="a was divided by one number, the norm of the whole table. Each row has a length of its own.",
            look="np.linalg.norm(a, axis=1) after the division: all ones.",
        ),
        Wrong(
            "wrong-axis",
            "a / np.linalg.norm(a, axis=1, keepdims=True)",
            "a / np.linalg.norm(a, axis=0, keepdims=True)",
            why="Columns of a were brought to length 1. A row is an image.",
            look="The axis of the norm.",
        ),
        Wrong(
            "",
            "logits = s * a @ b.T",
            "logits = a @ b.T / s",
            why="The cosines were divided by s. The formula multiplies: s is one over the temperature.",
            look="A larger s must make the softmax sharper.",
        ),
        Wrong(
            "",
            "logits = s * a @ b.T",
            "logits = a @ b.T",
            why="The scale s is not used. Cosines alone lie between -1 and 1, and a softmax of them is nearly even.",
            look="Where s stands in the formula.",
        ),
        Wrong(
            "softmax-not-stable",
            "top = table.max(axis=1, keepdims=True)",
            "top = np.zeros((len(table), 1))",
        ),
        Wrong(
            "",
            "    return loss / 2",
            "    return loss",
            why="The two halves were added. Their mean is asked.",
            look="The 2 in front of the sum.",
        ),
        Wrong("sum-for-mean", "(total - np.diag(table)).mean()", "(total - np.diag(table)).sum()"),
        Wrong(
            "",
            "(total - np.diag(table))",
            "(total - table[:, 0])",
            why="The first column was taken for the right answer of each row. Row i belongs to column i.",
            look="The diagonal of the table.",
        ),
        Wrong(
            "",
            "(total - np.diag(table))",
            "(np.diag(table) - total)",
            why="The sign is wrong: this is the mean log-probability. The loss is minus it, and never negative.",
            look="The sign in front of the sum.",
        ),
        Wrong(
            "",
            "total = top[:, 0] + np.log(np.exp(table - top).sum(axis=1))",
            "e = np.exp(table - top) * (1 - np.eye(len(table)))\n        total = top[:, 0] + np.log(e.sum(axis=1) + 1e-300)",
            why="The right partner was left out of the sum below the fraction. It is one of the candidates.",
            look="One pair: the fraction is 1, the loss 0.",
        ),
    ),
    after="What does a model have that knows nothing? And what happens to two images of the same digit in one batch?",
)

TASKS = (CONTRASTIVE,)

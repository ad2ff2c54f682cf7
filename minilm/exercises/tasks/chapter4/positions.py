"""Positions: sinusoids, their shift, and rotary positions."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter4.draws import given, normal


def shifted(answer: Any, k: int, d: int, positions: Any) -> Any:
    """The matrix, and where it takes the positions."""
    R = np.asarray(answer(k, d))
    w = 10000.0 ** (-np.arange(0, d, 2) / d)
    P = np.stack([np.sin(np.outer(positions, w)), np.cos(np.outer(positions, w))], axis=-1).reshape(len(positions), d)
    return R, P @ R.T


def agreement(answer: Any, q: Any, k: Any, start: int) -> Any:
    """Scores of turned queries and keys, here and `start` positions later."""
    return answer(q, 0) @ answer(k, 0).T, answer(q, start) @ answer(k, start).T


def one_pair(rng: Generator) -> tuple[Any, ...]:
    """One pair, (1, 0), at two positions."""
    return np.array([[1.0, 0.0], [1.0, 0.0]]), 0


SINUSOIDS = Task(
    id="4.24",
    title="Sinusoids for positions",
    kind="code",
    minutes=10,
    difficulty=1,
    practises="frequencies, interleaving, broadcasting",
    statement=r"""
Write `sinusoids(T, d)`: the table of positions of the Transformer, shape `(T, d)`, with $d$ even,

$$ P_{t, 2i} = \sin(t\, \omega_i), \qquad P_{t, 2i+1} = \cos(t\, \omega_i), \qquad \omega_i = 10000^{-2i/d}, \quad i = 0 \dots d/2 - 1 $$

Row 0 is $(0, 1, 0, 1, \dots)$, and the first number of row 1 is $\sin 1 = 0.8415$.
""",
    name="sinusoids",
    stub='''
def sinusoids(T, d):
    """Sines and cosines of T positions, in turns.

    T: a number; d: an even number. Returns (T, d).
    """
    raise NotImplementedError
''',
    solution="""
def sinusoids(T, d):
    w = 10000.0 ** (-2 * np.arange(d // 2) / d)
    angles = np.outer(np.arange(T), w)
    P = np.empty((T, d))
    P[:, 0::2] = np.sin(angles)
    P[:, 1::2] = np.cos(angles)
    return P
""",
    hint="How many frequencies are there? A slice with a step of 2 takes every other column.",
    derivation=r"""
There are $d/2$ frequencies, from $\omega_0 = 1$ down to $10000^{-(d-2)/d}$: wavelengths from $2\pi$ to nearly $2\pi \cdot 10000$, each the
same factor longer than the one before. The angles are the outer product of positions and frequencies, `(T, d/2)`; sines go to the even
columns, cosines to the odd ones.
""",
    tests=(
        Test("position 0", given(1, 4)),
        Test("three positions of width 2", given(3, 2), labels={"the length": 3, "the width": 2}),
        Test("five positions of width 6", given(5, 6), points=2, labels={"the length": 5, "the width": 6}),
        Test("a long table", given(40, 8), hidden=True),
        Test("as many positions as columns", given(4, 4), hidden=True),
    ),
    wrong=(
        Wrong(
            "sinusoid-sine-cosine-swapped",
            "P[:, 0::2] = np.sin(angles)\n    P[:, 1::2] = np.cos(angles)",
            "P[:, 0::2] = np.cos(angles)\n    P[:, 1::2] = np.sin(angles)",
        ),
        Wrong("sinusoid-exponent-off", "(-2 * np.arange(d // 2) / d)", "(-np.arange(d // 2) / d)"),
        Wrong(
            "flattened-in-wrong-order",
            "P[:, 0::2] = np.sin(angles)\n    P[:, 1::2] = np.cos(angles)",
            "P[:, : d // 2] = np.sin(angles)\n    P[:, d // 2 :] = np.cos(angles)",
            "All sines stand before all cosines; they were to take turns.",
            "Column 0 is a sine, column 1 the cosine of the same angle.",
        ),
        Wrong(
            "off-by-one-shift", "np.arange(T), w", "np.arange(1, T + 1), w", "The first position is 1; it is to be 0."
        ),
        Wrong(
            "",
            "(-2 * np",
            "(2 * np",
            "The frequencies rise with the column, up to 10000 and beyond; the exponent is negative.",
            "The sign in the exponent.",
        ),
        Wrong(
            "",
            "np.arange(T), w",
            "np.arange(T) / T, w",
            why="The positions were divided by T, so the table of a longer text is another one. Positions are 0, 1, 2 and so on.",
            look="Row 1.",
        ),
    ),
    after="Draw the table as a picture for T = 100 and d = 64. Which columns can tell neighbors apart, and which far positions?",
)

SHIFT = Task(
    id="4.25",
    title="A shift is a rotation",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="addition theorems as a matrix",
    statement=r"""
In the table of 4.24 a shift of all positions by $k$ is one matrix for all positions. Write `shift_matrix(k, d)`: the matrix $R$, `(d, d)`,
with $P_{t+k} = R\, P_t$ for every position $t$, where $P_t$ is row $t$ as a column. $k$ may be negative.

For $d = 2$ and $k = 0$ it is the identity. Show that $R$ is orthogonal, and that the dot product $P_s \cdot P_t$ depends on $t - s$ alone.
""",
    name="shift_matrix",
    stub='''
def shift_matrix(k, d):
    """The matrix that moves every row of the table k positions on.

    k: an integer; d: an even number. Returns (d, d).
    """
    raise NotImplementedError
''',
    solution="""
def shift_matrix(k, d):
    R = np.zeros((d, d))
    for i in range(d // 2):
        angle = k * 10000.0 ** (-2 * i / d)
        c, s = np.cos(angle), np.sin(angle)
        R[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[c, s], [-s, c]]
    return R
""",
    hint="The addition theorems of sine and cosine. Each pair of columns stays among itself.",
    derivation=r"""
With $\alpha = t \omega_i$ and $\beta = k \omega_i$: $\sin(\alpha + \beta) = \cos\beta \sin\alpha + \sin\beta \cos\alpha$ and
$\cos(\alpha + \beta) = -\sin\beta \sin\alpha + \cos\beta \cos\alpha$. The pair (sine, cosine) is multiplied by
$\begin{pmatrix} \cos\beta & \sin\beta \\ -\sin\beta & \cos\beta \end{pmatrix}$, which does not depend on $t$. Each block times its
transpose is the identity, since $\cos^2 + \sin^2 = 1$, so $R$ is orthogonal: a shift turns the vector and keeps its length. And
$P_s \cdot P_t = \sum_i \bigl( \sin s\omega_i \sin t\omega_i + \cos s\omega_i \cos t\omega_i \bigr) = \sum_i \cos((t - s)\, \omega_i)$.
""",
    tests=(
        Test("no shift", given(0, 4)),
        Test("one pair, one position on", given(1, 2)),
        Test("three positions on", given(3, 6), points=2, labels={"the width": 6}),
        Test(
            "it moves the table's rows",
            given(2, 4, [0.0, 1.0, 7.0]),
            use=shifted,
            call="R = shift_matrix(2, 4); rows 0, 1 and 7 of the table, times R",
        ),
        Test("backward", given(-5, 8), hidden=True),
        Test("far", given(1000, 4), hidden=True),
    ),
    wrong=(
        Wrong(
            "transposed-result",
            "[[c, s], [-s, c]]",
            "[[c, -s], [s, c]]",
            "This matrix shifts backward: the sine has the sign of a rotation of (cosine, sine), but here the sine comes first.",
            "Write the addition theorem for the first number of the pair, the sine.",
        ),
        Wrong("sinusoid-exponent-off", "(-2 * i / d)", "(-i / d)"),
        Wrong(
            "argument-ignored",
            "angle = k * 10000.0 ** (-2 * i / d)",
            "angle = k",
            "Every pair is turned by the same angle; each has a frequency of its own.",
            "The angle of pair i is k times its frequency.",
        ),
        Wrong(
            "sinusoid-sine-cosine-swapped",
            "np.cos(angle), np.sin(angle)",
            "np.sin(angle), np.cos(angle)",
            "Sine and cosine of the shift have changed places: a shift by 0 is not the identity.",
        ),
    ),
    after="Rotary positions turn queries and keys by such matrices instead of adding the table: 4.26.",
)

ROTARY = Task(
    id="4.26",
    title="Rotary positions",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="rotations of pairs, relative positions",
    statement=r"""
Write `rotary(x, start)` for `x` of shape `(T, d)`, $d$ even: the pair $(x_{2i}, x_{2i+1})$ of row $t$ is turned by the angle
$(start + t)\, \omega_i$ with $\omega_i = 10000^{-2i/d}$,

$$ y_{2i} = x_{2i} \cos\alpha - x_{2i+1} \sin\alpha, \qquad y_{2i+1} = x_{2i} \sin\alpha + x_{2i+1} \cos\alpha $$

The pair $(1, 0)$ at position 1 becomes $(\cos 1, \sin 1)$. Show that the dot product of a query at position $s$ and a key at $t$, both
turned, depends on $t - s$ alone.
""",
    name="rotary",
    stub='''
def rotary(x, start):
    """Turns neighboring pairs of each row by angles that grow with the position.

    x: (T, d), d even; start: the position of the first row.
    Returns (T, d), of the dtype of x.
    """
    raise NotImplementedError
''',
    solution="""
def rotary(x, start):
    T, d = x.shape
    w = 10000.0 ** (-2 * np.arange(d // 2) / d)
    angles = np.outer(start + np.arange(T), w)
    c, s = np.cos(angles), np.sin(angles)
    y = np.empty_like(x)
    y[:, 0::2] = x[:, 0::2] * c - x[:, 1::2] * s
    y[:, 1::2] = x[:, 0::2] * s + x[:, 1::2] * c
    return y
""",
    hint="Even and odd columns are two arrays of shape (T, d/2). Both new ones need both old ones.",
    derivation=r"""
A turn by $\alpha$ is a matrix $R(\alpha)$ with $R(\alpha)^\top R(\beta) = R(\beta - \alpha)$. So for one pair
$(R(s\omega)\, q) \cdot (R(t\omega)\, k) = q^\top R(s\omega)^\top R(t\omega)\, k = q^\top R((t - s)\, \omega)\, k$, and the sum over pairs
depends on $t - s$ alone: moving query and key together changes no score. If the new even column is written into `x` before the odd one is
computed, the odd one is made from a mixture of old and new.
""",
    tests=(
        Test("one pair at two positions", one_pair),
        Test("three rows of width 4", normal((3, 4), then=(0,)), labels={"the length": 3, "the width": 4}),
        Test("with a start", normal((3, 6), then=(5,)), points=2, labels={"the length": 3, "the width": 6}),
        Test(
            "scores do not change when all move",
            normal((3, 4), (5, 4), then=(7,)),
            hidden=True,
            use=agreement,
            call="rotary(q, 0) @ rotary(k, 0).T, and the same with 7 for 0",
        ),
        Test("float32", normal((4, 4), dtype="float32", then=(2,)), hidden=True),
    ),
    wrong=(
        Wrong("input-changed-in-place", "y = np.empty_like(x)", "y = x"),
        Wrong(
            "argument-ignored",
            "start + np.arange(T)",
            "np.arange(T)",
            "The argument `start` is not used: the first row is always at position 0.",
            "A cache of keys continues at another position.",
        ),
        Wrong(
            "transposed-result",
            "y[:, 0::2] = x[:, 0::2] * c - x[:, 1::2] * s\n    y[:, 1::2] = x[:, 0::2] * s + x[:, 1::2] * c",
            "y[:, 0::2] = x[:, 0::2] * c + x[:, 1::2] * s\n    y[:, 1::2] = x[:, 1::2] * c - x[:, 0::2] * s",
            "The pairs are turned the other way round.",
            "The sign of the sine: in which of the two formulas does the minus stand?",
        ),
        Wrong("sinusoid-exponent-off", "(-2 * np.arange(d // 2) / d)", "(-np.arange(d // 2) / d)"),
        Wrong(
            "flattened-in-wrong-order",
            "y[:, 0::2] = x[:, 0::2] * c - x[:, 1::2] * s\n    y[:, 1::2] = x[:, 0::2] * s + x[:, 1::2] * c",
            "h = d // 2\n    y[:, :h] = x[:, :h] * c - x[:, h:] * s\n    y[:, h:] = x[:, :h] * s + x[:, h:] * c",
            "Column i was paired with column i + d/2, as some models do; here neighbors are pairs.",
            "Columns 0 and 1 are a pair, 2 and 3 the next.",
        ),
        Wrong("float64-from-float32", "np.empty_like(x)", "np.empty(x.shape)"),
        Wrong(
            "",
            "start + np.arange(T)",
            "start * np.arange(T)",
            why="start was multiplied in. It is the position of the first row; the next has start + 1.",
            look="The angle of row 0.",
        ),
    ),
    after="Why are queries and keys turned, and values not?",
)

TASKS: tuple[Task, ...] = (SINUSOIDS, SHIFT, ROTARY)

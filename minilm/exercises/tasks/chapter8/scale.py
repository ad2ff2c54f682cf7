"""Scale: a power law read off measured losses, and the best way to spend a number of operations."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs, fixed


def _measured(count: int, noise: float) -> Inputs:
    """Losses of so many sizes by a law that is drawn, with noise; the floor; the size that is asked for."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        sizes = np.exp(rng.uniform(np.log(1e3), np.log(1e6), count))
        floor, a, alpha = rng.uniform(0.5, 2), rng.uniform(5, 50), rng.uniform(0.2, 0.6)
        excess = a * sizes**-alpha * np.exp(noise * rng.standard_normal(count))
        return sizes, floor + excess, float(floor), 1e7

    return inputs


POWER_LAW = Task(
    id="8.1",
    title="A power law, and what it predicts",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="power laws, logarithms, least squares",
    statement=r"""
Models of several sizes $N$ read the same text. What is left of their loss above a known floor $E$ follows a power law:

$$ L(N) = E + A\, N^{-\alpha} $$

So $\ln (L - E)$ is a straight line in $\ln N$. Write `power_law(sizes, losses, floor, size)`: it draws that line by least squares, and
returns $A$, $\alpha$, and the loss that the law predicts for a model of `size` parameters.
""",
    stub='''
def power_law(sizes, losses, floor, size):
    """A, alpha, and the loss that they predict for `size`.

    sizes, losses: (n,), n >= 2: parameters and loss of each model.
    floor: below all losses; the loss E that no model goes below.
    """
    raise NotImplementedError
''',
    solution="""
def power_law(sizes, losses, floor, size):
    x, y = np.log(sizes), np.log(losses - floor)
    slope, height = np.polyfit(x, y, 1)
    a, alpha = np.exp(height), -slope
    return a, alpha, floor + a * size**-alpha
""",
    name="power_law",
    hint="""
Take the logarithm of both sides of L - E = A N^(-alpha). Which part of the result is the slope of a line in ln N, and which its
height at ln N = 0? `np.polyfit(x, y, 1)` returns both, the slope first.
""",
    derivation=r"""
$\ln (L - E) = \ln A - \alpha \ln N$: a line with the slope $-\alpha$ and the height $\ln A$. Least squares find both: with
$\bar x, \bar y$ the means, the slope is $\sum (x - \bar x)(y - \bar y) / \sum (x - \bar x)^2$, and the height
$\bar y - \text{slope} \cdot \bar x$. So $A = e^{\text{height}}$, and the prediction is $E + A\, N^{-\alpha}$.

The line is straight only if the floor is right. With $E$ too low, as with $E = 0$, the points bend upwards at the right end, and
the law promises too much.
""",
    tests=(
        Test("two sizes by hand", fixed(np.array([1e2, 1e4]), np.array([1.1, 1.01]), 1.0, 1e6)),
        Test(
            "on the line, no floor", fixed(np.array([1.0, 4.0, 16.0, 64.0]), np.array([8.0, 4.0, 2.0, 1.0]), 0.0, 256.0)
        ),
        Test("measured with noise", _measured(6, 0.05), points=2),
        Test("many sizes, out of order", _measured(40, 0.1), hidden=True),
        Test(
            "integers as sizes", fixed(np.array([100, 1000, 10000]), np.array([3.0, 2.4, 2.1]), 1.5, 10**6), hidden=True
        ),
        Test(
            "losses that rise", fixed(np.array([10.0, 100.0, 1000.0]), np.array([1.2, 1.5, 1.9]), 1.0, 1e4), hidden=True
        ),
    ),
    wrong=(
        Wrong(
            "",
            "np.exp(height), -slope",
            "np.exp(height), slope",
            why="alpha is the slope with its sign turned: the law has N to the power of minus alpha.",
            look="Two sizes by hand: the loss falls, and alpha is 0.5.",
        ),
        Wrong(
            "",
            "np.log(losses - floor)",
            "np.log(losses)",
            why="The line was drawn through the logarithm of the whole loss. Only what is above the floor follows a power law.",
            look="What is left of 1.1 and 1.01 above a floor of 1.",
        ),
        Wrong(
            "",
            "floor + a * size**-alpha",
            "a * size**-alpha",
            why="The floor was taken off before the fit, and not put back into the prediction.",
            look="No prediction may be below the floor.",
        ),
        Wrong(
            "",
            "np.exp(height), -slope",
            "height, -slope",
            why="A is returned as its logarithm: the line's height is ln A.",
            look="The height of the line, and what exp makes of it.",
        ),
        Wrong(
            "",
            "x, y = np.log(sizes),",
            "x, y = sizes,",
            why="The line was drawn over N, not over ln N: that is an exponential law, whose loss would soon be at the floor.",
            look="The horizontal axis of the line.",
        ),
        Wrong(
            "",
            "x, y = np.log(sizes), np.log(losses - floor)",
            "x, y = np.log10(sizes), np.log10(losses - floor)",
            why="Logarithms to base 10 went in, and exp came out. The slope is the same in every base, A is not.",
            look="The inverse of log10.",
        ),
        Wrong(
            "",
            "np.polyfit(x, y, 1)",
            "np.polyfit(x[[0, -1]], y[[0, -1]], 1)",
            why="The line goes through the first and the last point. Least squares use all of them.",
            look="Measured with noise: each point has an error, the ends, too.",
        ),
        Wrong(
            "",
            "slope, height = np.polyfit(x, y, 1)",
            "height, slope = np.polyfit(x, y, 1)",
            why="Slope and height are swapped: `np.polyfit` returns the coefficient of the highest power first.",
            look="np.polyfit([0, 1], [5, 7], 1).",
        ),
        Wrong(
            "",
            "slope, height = np.polyfit(x, y, 1)",
            "slope = (x * y).sum() / (x * x).sum()\n    height = 0.0",
            why="The line was forced through the origin: A would always be 1.",
            look="The height of the line at ln N = 0.",
        ),
    ),
    after="Try the same with a floor that is 0.2 too low. Which way is the prediction wrong?",
)


def _laws(count: int) -> Inputs:
    def inputs(rng: Generator) -> tuple[Any, ...]:
        a, b = rng.uniform(5, 500, 2)
        alpha, beta = rng.uniform(0.2, 0.6, 2)
        return float(10 ** rng.uniform(12, 22)), float(a), float(alpha), float(b), float(beta)

    return inputs


SPLIT = Task(
    id="8.2",
    title="The best use of a budget",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="compute-optimal training, a minimum under a condition",
    statement=r"""
A model with $N$ parameters that reads $D$ tokens costs $C = 6 N D$ operations, and its loss is $L = E + A N^{-\alpha} + B D^{-\beta}$.
For a given $C$, a larger model reads less. Write `split(compute, a, alpha, b, beta)`: the $N$ and the $D$ with the lowest loss at that
price. They need not be whole numbers.
""",
    stub='''
def split(compute, a, alpha, b, beta):
    """The parameters and the tokens with the lowest loss at a price.

    compute: the price, in operations. All arguments are above 0.
    Returns (n, d), with 6 * n * d == compute.
    """
    raise NotImplementedError
''',
    solution="""
def split(compute, a, alpha, b, beta):
    pairs = compute / 6
    balance = (alpha * a) / (beta * b)
    n = (balance * pairs**beta) ** (1 / (alpha + beta))
    return n, pairs / n
""",
    name="split",
    hint="""
Put D = C / (6 N) into the loss: now it depends on N alone. At the minimum its derivative is 0. Which two terms are then equal?
""",
    derivation=r"""
With $P = C / 6$ and $D = P / N$ the loss is $E + A N^{-\alpha} + B P^{-\beta} N^{\beta}$.
Its derivative by $N$ is 0 where

$$ \alpha A\, N^{-\alpha} = \beta B\, P^{-\beta} N^{\beta}, \quad\text{so}\quad N^{\alpha + \beta} = \frac{\alpha A}{\beta B}\, P^{\beta} $$

In words: at the best split a percent more parameters and a percent more tokens gain the same. $N$ grows as
$C^{\beta/(\alpha+\beta)}$, $D$ as $C^{\alpha/(\alpha+\beta)}$: what falls more slowly with size needs more of it.
""",
    tests=(
        Test("equal terms", fixed(600.0, 1.0, 0.5, 1.0, 0.5)),
        Test("the text teaches less", fixed(6e6, 1.0, 0.5, 10.0, 0.5)),
        Test("the published law", fixed(5.76e23, 406.4, 0.34, 410.7, 0.28), points=2),
        Test("different exponents", fixed(6e4, 2.0, 1.0, 2.0, 0.5), hidden=True),
        Test("another law", _laws(1), hidden=True, rtol=1e-6),
        Test("one more", _laws(2), hidden=True, rtol=1e-6),
    ),
    wrong=(
        Wrong(
            "",
            "pairs = compute / 6",
            "pairs = compute",
            why="The 6 is missing: two operations per parameter and token forward, four backward.",
            look="6 * n * d of your result.",
        ),
        Wrong(
            "",
            "pairs**beta",
            "pairs**alpha",
            why="The exponents are swapped: N grows as C to the power of beta / (alpha + beta).",
            look="The derivation: which exponent does D carry, and so N after D was replaced?",
        ),
        Wrong(
            "",
            "(alpha * a) / (beta * b)",
            "(beta * b) / (alpha * a)",
            why="The balance is upside down: a larger A, the price of being small, asks for a larger model.",
            look="The text teaches less: with B ten times as large the text should grow, not the model.",
        ),
        Wrong(
            "",
            "(alpha * a) / (beta * b)",
            "a / b",
            why="The two terms of the loss were set equal. Equal must be their derivatives, which carry the exponents as factors.",
            look="Different exponents: the derivative of N to the power of minus alpha.",
        ),
        Wrong(
            "",
            "n = (balance * pairs**beta) ** (1 / (alpha + beta))",
            "n = pairs**0.5",
            why="Parameters and tokens were made equal. That is the best only if the law treats them alike.",
            look="A and B, alpha and beta: none of them plays a part.",
        ),
        Wrong(
            "root-forgotten",
            "(balance * pairs**beta) ** (1 / (alpha + beta))",
            "balance * pairs**beta",
            why="This is N to the power of alpha + beta.",
            look="The last step: from N to a power to N.",
        ),
        Wrong(
            "",
            "return n, pairs / n",
            "return pairs / n, n",
            why="Parameters and tokens are returned in the wrong order.",
            look="The docstring: (n, d).",
        ),
        Wrong(
            "",
            "(1 / (alpha + beta))",
            "(1 / (alpha * beta))",
            why="The exponents were multiplied. Powers of one number that stand as factors add their exponents.",
            look="N to the power of alpha, times N to the power of beta.",
        ),
    ),
    after="By the published law, how many tokens per parameter are best at 1e21 operations, and at 1e25?",
)

TASKS = (POWER_LAW, SPLIT)

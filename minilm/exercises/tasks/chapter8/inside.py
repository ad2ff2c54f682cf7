"""Looking inside: integrated gradients, and a probe with its control."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs, fixed


def _explained(answer: Any, w: Any, x: Any, baseline: Any, steps: int) -> Any:
    """The answer on F(z) = tanh(w . z), whose gradient at rows of points is (1 - tanh^2) w."""

    def gradient(points: Any) -> Any:
        return (1 - np.tanh(points @ w) ** 2)[:, None] * w

    return answer(gradient, x, baseline, steps)


def _of_a_product(answer: Any, x: Any, baseline: Any, steps: int) -> Any:
    """The answer on F(z) = z_0 z_1, whose gradient is (z_1, z_0)."""
    return answer(lambda points: points[:, ::-1].copy(), x, baseline, steps)


def _points(d: int, steps: int) -> Inputs:
    def inputs(rng: Generator) -> tuple[Any, ...]:
        return rng.standard_normal(d), 2 * rng.standard_normal(d), rng.standard_normal(d), steps

    return inputs


def _steps_of_tanh(w: Any, x: Any, baseline: Any, steps: int) -> dict[str, int]:
    return {"the steps": steps}


TANH = "integrated_gradients(gradient, x, baseline, steps), for F(z) = tanh(w . z)"

GRADIENTS = Task(
    id="8.5",
    title="Integrated gradients",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="integrated gradients, the midpoint rule, a baseline",
    statement=r"""
Write `integrated_gradients(gradient, x, baseline, steps)`: the attributions of $F$ at `x`, by the midpoint rule,

$$ a_i = (x_i - b_i)\; \frac1n \sum_{k=1}^{n} \frac{\partial F}{\partial x_i}\Bigl(b + \tfrac{k - 1/2}{n}\,(x - b)\Bigr) $$

with $b$ the baseline and $n$ the steps. You have $F$'s gradient: `gradient(points)` takes several points, one per row, and returns a row of
derivatives for each. Call it once. Add the attributions up: they should come close to $F(x) - F(b)$.
""",
    stub='''
def integrated_gradients(gradient, x, baseline, steps):
    """The attributions (d,) of a function at x.

    gradient: takes points (n, d), returns the gradients there, (n, d).
    x, baseline: (d,). steps: n, a positive integer.
    """
    raise NotImplementedError
''',
    solution="""
def integrated_gradients(gradient, x, baseline, steps):
    alphas = (np.arange(steps) + 0.5) / steps
    points = baseline + alphas[:, None] * (x - baseline)
    return (x - baseline) * gradient(points).mean(axis=0)
""",
    name="integrated_gradients",
    hint="""
First the numbers (k - 1/2) / n, from k = 1 on: for n = 2 they are 0.25 and 0.75. Then one point for each of them, as rows: which shapes
broadcast to (n, d)?
""",
    derivation=r"""
Walk from $b$ to $x$ along a straight line, $z(\alpha) = b + \alpha (x - b)$. By the chain rule

$$ \frac{d}{d\alpha} F(z(\alpha)) = \sum_i (x_i - b_i)\, \frac{\partial F}{\partial x_i}(z(\alpha)) $$

Integrate both sides from 0 to 1. On the left stands $F(x) - F(b)$, on the right the sum of the integrated gradients. The mean over the
middles of $n$ equal parts is the midpoint rule, exact where the gradient is linear along the way; else its error falls with $1/n^2$.
""",
    tests=(
        Test(
            "one step of a product",
            fixed(np.array([3.0, 5.0]), np.array([1.0, 1.0]), 1),
            use=_of_a_product,
            call="integrated_gradients(gradient, x, baseline, steps), for F(z) = z[0] * z[1]",
        ),
        Test("two steps", _points(1, 2), use=_explained, call=TANH, labels=_steps_of_tanh),
        Test("three numbers", _points(3, 5), use=_explained, call=TANH, labels=_steps_of_tanh, points=2),
        Test("many steps", _points(4, 50), use=_explained, call=TANH, labels=_steps_of_tanh, hidden=True),
        Test(
            "a product, many steps",
            fixed(np.array([3.0, -5.0]), np.array([1.0, 2.0]), 20),
            use=_of_a_product,
            call="integrated_gradients(gradient, x, baseline, steps), for F(z) = z[0] * z[1]",
            hidden=True,
        ),
    ),
    wrong=(
        Wrong(
            "",
            "(np.arange(steps) + 0.5) / steps",
            "np.arange(steps) / steps",
            why="The gradients were taken at the beginning of each part. The midpoint rule takes its middle.",
            look="n = 1: the only point lies halfway.",
        ),
        Wrong(
            "",
            "(np.arange(steps) + 0.5) / steps",
            "(np.arange(steps) + 1) / steps",
            why="The gradients were taken at the end of each part. With one step this is gradient times input.",
            look="n = 1: the only point lies halfway.",
        ),
        Wrong(
            "",
            "(np.arange(steps) + 0.5) / steps",
            "np.linspace(0, 1, steps)",
            why="The points go from the baseline to x with both ends among them, each with a full weight: that is no midpoint rule.",
            look="n = 1 and n = 2 by hand: 0.5, and 0.25 and 0.75.",
        ),
        Wrong(
            "",
            "return (x - baseline) * gradient",
            "return x * gradient",
            why="The mean gradient was multiplied by x. The way from the baseline is x - b long.",
            look="The sum of the attributions, beside F(x) - F(b).",
        ),
        Wrong(
            "",
            "baseline + alphas[:, None] * (x - baseline)",
            "alphas[:, None] * x",
            why="The way begins at 0. It begins at the baseline.",
            look="Where your first point is when there are very many steps.",
        ),
        Wrong(
            "",
            "baseline + alphas[:, None] * (x - baseline)",
            "alphas[:, None] * (x - baseline)",
            why="The points are steps away from 0. Add the baseline, where the way begins.",
            look="Where your last point is when there are very many steps: it should come close to x.",
        ),
        Wrong("sum-for-mean", ".mean(axis=0)", ".sum(axis=0)"),
        Wrong(
            "",
            "return (x - baseline) * gradient(points).mean(axis=0)",
            "return gradient(points).mean(axis=0)",
            why="This is the mean gradient: how much F grows per unit. Multiply it by how far x is from the baseline.",
            look="The factor in front of the sum.",
        ),
        Wrong(
            "",
            "gradient(points).mean(axis=0)",
            "gradient(x[None])[0]",
            why="This is gradient times input: the gradient at x alone. Where F is flat at x it says 0, however F got there.",
            look="How many points the gradient was asked at.",
        ),
        Wrong(
            "",
            "gradient(points).mean(axis=0)",
            "gradient(points.mean(axis=0)[None])[0]",
            why="The points were averaged, not the gradients: that is one gradient, halfway.",
            look="The order of gradient and mean.",
        ),
        Wrong(
            "",
            "return (x - baseline) * gradient(points).mean(axis=0)",
            "return np.abs((x - baseline) * gradient(points).mean(axis=0))",
            why="The sign was dropped. What speaks against F has a negative attribution, and the sum needs it.",
            look="F(z) = z0 z1 at (3, -5).",
        ),
        Wrong(
            "",
            "return (x - baseline) *",
            "return (baseline - x) *",
            why="All signs are turned: the way goes from the baseline to x, not back.",
            look="The sum, beside F(x) - F(b).",
        ),
        Wrong(
            "",
            "(x - baseline) * gradient(points).mean(axis=0)",
            "((points - baseline) * gradient(points)).mean(axis=0)",
            why="Each gradient was weighted by the way up to its point. The factor is the whole way, x - b, for all of them.",
            look="What stands before the sum in the formula, and what in it.",
        ),
    ),
    after="How many steps does tanh need until the sum is within 1 % of F(x) - F(b), when w . x is 2, and when it is 20?",
)


def _probe_inputs(n: int, kinds: int, d: int, noise: float, shift: float = 0.0) -> Inputs:
    """States that say the word, and less loudly the label, which is about the place and not the word."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        words, labels = rng.integers(0, kinds, n), rng.integers(0, 2, n)
        states = rng.standard_normal((kinds, d))[words] + noise * rng.standard_normal((n, d))
        states[:, 0] += 1.5 * labels
        train, test = np.split(rng.permutation(n), [n // 2])
        states[test, 0] += shift
        return states, words, labels, rng.integers(0, 2, kinds), train, test

    return inputs


SELECTIVITY = Task(
    id="8.6",
    title="A probe whose control is too easy to beat",
    kind="find the bug",
    minutes=20,
    difficulty=2,
    practises="probes, control tasks, what is learned and what is measured",
    statement="""
`selectivity` compares two accuracies of linear probes on one layer's states: that of the labels, and that of a control task. The control's
class depends on the word alone: `drawn[w]` was drawn for word `w`, so there is nothing to be found in the states but which word it is.

Each task has a probe of its own, by ridge regression; both learn on the places in `train`, and are asked at those in `test`.

The code below finds a selectivity that is far too high: the control is never better than chance, even where the states say nothing but
the word. Find the bug.
""",
    solution='''
def selectivity(states, words, labels, drawn, train, test):
    """The accuracy on the labels, that on the control, and the difference.

    states: (n, d). words: (n,), integers. labels: (n,), 0 or 1.
    drawn: the class, 0 or 1, of each word.
    train, test: indices of places.
    """
    x = states - states[train].mean(axis=0)
    accuracies = []
    for y in (labels, drawn[words]):
        wanted = np.eye(2)[y[train]]
        gram = x[train].T @ x[train] + len(train) * 0.01 * np.eye(x.shape[1])
        weights = np.linalg.solve(gram, x[train].T @ (wanted - wanted.mean(axis=0)))
        said = (x[test] @ weights + wanted.mean(axis=0)).argmax(axis=1)
        accuracies.append((said == y[test]).mean())
    return accuracies[0], accuracies[1], accuracies[0] - accuracies[1]
''',
    name="selectivity",
    hint="""
Take states that are nothing but the word, one column for each of five words. A probe of the control must then be right nearly always.
Which labels does the second probe learn from?
""",
    derivation="""
A probe of the labels, asked about drawn classes, is at chance: so the control costs nothing, and all of the accuracy seems to be the
layer's. The control must *learn*, with the same states, the same number of weights and the same training part. What it then gets right it
has learned by heart, word by word, and as much of the other accuracy may have been learned in the same way.
""",
    tests=(
        Test("five words", _probe_inputs(60, 5, 6, 0.0), points=2),
        Test("many words", _probe_inputs(300, 40, 8, 0.3), points=2),
        Test("more words than a probe can learn", _probe_inputs(400, 300, 8, 0.5), hidden=True),
        Test("a test part that is moved", _probe_inputs(300, 20, 6, 0.3, 1.5), hidden=True),
    ),
    wrong=(
        Wrong(
            "",
            "np.eye(2)[y[train]]",
            "np.eye(2)[labels[train]]",
            why="The second probe learned the labels, too, and was asked about the drawn classes: no wonder that it is at chance.",
            look="What `wanted` is made of in the second round.",
        ),
        Wrong(
            "",
            "(labels, drawn[words])",
            "(labels, drawn[np.arange(len(words)) % len(drawn)])",
            why="The control's class was given by the place, so that one word has now this class, now that: nothing can be learned of it.",
            look="Two places with the same word: their classes.",
        ),
        Wrong(
            "",
            "(said == y[test]).mean()",
            "(said == labels[test]).mean()",
            why="What the second probe says was compared with the labels. It was to say the drawn classes.",
            look="With what `said` is compared in the second round.",
        ),
        Wrong("held-out-for-train", "for y in (labels", "test, train = train, test\n    for y in (labels"),
        Wrong(
            "validation-on-training-data",
            "said = (x[test] @ weights + wanted.mean(axis=0)).argmax(axis=1)\n        accuracies.append((said == y[test]).mean())",
            "said = (x[train] @ weights + wanted.mean(axis=0)).argmax(axis=1)\n        accuracies.append((said == y[train]).mean())",
        ),
        Wrong("statistics-from-test-data", "states[train].mean(axis=0)", "states.mean(axis=0)"),
        Wrong(
            "",
            "accuracies[0] - accuracies[1]\n",
            "accuracies[1] - accuracies[0]\n",
            why="The difference is the wrong way round: selectivity is the accuracy on the labels less that on the control.",
            look="The sign of the third value.",
        ),
        Wrong(
            "",
            "accuracies[0] - accuracies[1]\n",
            "accuracies[0] - 0.5\n",
            why="Chance was taken off, not the control's accuracy. A probe that learns by heart is above chance without any help.",
            look="What the second accuracy is for.",
        ),
    ),
    after="Give the probe fewer numbers: the first two columns of the states. Which of the accuracies falls more?",
)

TASKS = (GRADIENTS, SELECTIVITY)

"""Optimizing: a layer that loses weights at random, and the batch size at which noise and signal are alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs, fixed, own


def _layer(batch: int, inputs: int, outputs: int, p: float, training: bool = True) -> Inputs:
    def drawn(rng: Generator) -> tuple[Any, ...]:
        x, w = rng.standard_normal((batch, inputs)), rng.standard_normal((outputs, inputs))
        return x, w, rng.standard_normal(outputs), rng.standard_normal((batch, outputs)), p, own(rng), training

    return drawn


def _by_hand(rng: Generator) -> tuple[Any, ...]:
    x, w = np.array([[1.0, 10.0]]), np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    return x, w, np.zeros(3), np.ones((1, 3)), 0.5, np.random.default_rng(0), True


DROPCONNECT = Task(
    id="9.3",
    title="DropConnect, forward and backward",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="DropConnect, dropout, a mask in the chain rule",
    statement=r"""
A linear layer that, while learning, loses each of its *weights* with probability $p$, and scales up what is left:

$$ y = x \left( \frac{M \odot W}{1 - p} \right)^{\!\top} + b, \qquad M_{ij} = 0 \text{ with probability } p, \text{ else } 1 $$

Write `dropconnect(x, w, b, g, p, rng, training)`. x is (B, m), w is (n, m), b is (n,), and g = dL/dy is (B, n). It returns y and
dL/dW. One mask serves the whole batch. So that all draw the same one, take exactly `rng.random(w.shape)`: a weight is dropped where that is
less than p. When not training nothing is dropped.
""",
    stub='''
def dropconnect(x, w, b, g, p, rng, training):
    """The outputs (B, n) and the gradient of the weights (n, m)."""
    raise NotImplementedError
''',
    solution="""
def dropconnect(x, w, b, g, p, rng, training):
    scale = np.ones_like(w)
    if training:
        scale = (rng.random(w.shape) >= p) / (1 - p)
    y = x @ (w * scale).T + b
    return y, (g.T @ x) * scale
""",
    name="dropconnect",
    hint="y does not depend on W directly but on $V = M \\odot W / (1 - p)$. What is dL/dV, and what is dV/dW, weight by weight?",
    derivation=r"""
With $V = S \odot W$ and $S = M / (1 - p)$ the layer is an ordinary one, so $\partial L / \partial V = g^\top x$. Each $V_{ij}$ depends on
$W_{ij}$ alone, with the derivative $S_{ij}$: $\partial L / \partial W = S \odot (g^\top x)$. A dropped weight gets no gradient in this
step. The mean of $S_{ij}$ is 1, so the mean of y over masks is $x W^\top + b$, what the layer says when it is not training.
""",
    tests=(
        Test("by hand", _by_hand, points=2),
        Test("nothing is dropped", _layer(2, 3, 2, 0.0)),
        Test("a batch", _layer(4, 3, 5, 0.3), points=2),
        Test("as many rows as outputs", _layer(5, 5, 5, 0.3)),
        Test("not training", _layer(3, 4, 2, 0.4, training=False)),
        Test("nearly all dropped", _layer(3, 8, 4, 0.9), hidden=True),
        Test("one of each", _layer(1, 1, 1, 0.2), hidden=True),
    ),
    wrong=(
        Wrong("dropout-not-rescaled", "(rng.random(w.shape) >= p) / (1 - p)", "(rng.random(w.shape) >= p) / 1.0"),
        Wrong("dropout-rescaled-by-p", "/ (1 - p)", "/ (p or 1)"),
        Wrong("dropout-keeps-the-share-p", ">= p) / (1 - p)", "< p) / (1 - p)"),
        Wrong("dropout-in-evaluation", "    if training:\n        scale", "    if p < 1:\n        scale"),
        Wrong("", "(g.T @ x) * scale", "g.T @ x",
              why="The mask is missing in the backward pass: a weight that took no part in y got a gradient.",
              look="The derivative of M * W by W."),
        Wrong("dropout-mask-drawn-again-in-backward", "    return y, (g.T @ x) * scale",
              "    if training:\n        scale = (rng.random(w.shape) >= p) / (1 - p)\n    return y, (g.T @ x) * scale"),
        Wrong("", "y = x @ (w * scale).T + b", "y = x @ w.T * scale[:, 0] + b",
              why="Whole outputs were dropped, which is dropout. DropConnect drops single weights.",
              look="How many numbers the mask has."),
        Wrong("", "y = x @ (w * scale).T + b", "y = (x * scale[0]) @ w.T + b",
              why="Whole inputs were dropped, which is dropout on x. DropConnect drops single weights.",
              look="How many numbers the mask has."),
        Wrong("", "y = x @ (w * scale).T + b", "y = (x @ (w * scale).T + b) * np.mean(scale)",
              why="The output was scaled once more: what is left has been scaled up already, and the bias is not dropped.",
              look="The formula: what the factor stands at."),
        Wrong("", "y = x @ (w * scale).T + b", "y = x @ (w * scale).T + b * scale[:, 0]",
              why="The bias was dropped, too.", look="The formula: what the mask stands at."),
        Wrong("", "(g.T @ x) * scale", "(x.T @ g).T * (scale > 0)",
              why="In the backward pass the factor 1 / (1 - p) is missing.", look="dV/dW where the weight is kept."),
        Wrong("", "(g.T @ x) * scale", "(g.T @ x) * w * scale",
              why="The gradient was multiplied by the weights: the derivative of M * W by W is M.", look="dV/dW of one weight."),
    ),
    after="Give each row a mask of its own, as the paper does. What does that cost, and why does this layer not do it?",
)  # fmt: skip


def _gradients(n: int, d: int, signal: float, noise: float) -> Inputs:
    def drawn(rng: Generator) -> tuple[Any, ...]:
        return (signal * rng.standard_normal(d) + noise * rng.standard_normal((n, d)),)

    return drawn


NOISE = Task(
    id="9.4",
    title="How large a batch is worth it",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="the noise of a gradient, an estimate without bias, batch size",
    statement=r"""
The gradient of a batch of $B$ examples is the true one, $G$, plus noise with the covariance $\Sigma / B$. The batch at which the noise's
mean squared length is as large as $|G|^2$ is the *noise scale*

$$ B_{simple} = \frac{\operatorname{tr} \Sigma}{|G|^2} $$

Write `noise_scale(gradients)` from the gradients of $n$ single examples, (n, d). Both parts shall be without bias: take the variances with
$n - 1$, and mind that the squared length of the mean gradient is too large, by the noise that is left in it. Where no signal
is left, so that $|G|^2 \le 0$, return infinity.
""",
    stub='''
def noise_scale(gradients):
    """B_simple, a float: trace over the squared length of the true gradient."""
    raise NotImplementedError
''',
    solution="""
def noise_scale(gradients):
    n = len(gradients)
    trace = gradients.var(axis=0, ddof=1).sum()
    signal = (gradients.mean(axis=0) ** 2).sum() - trace / n
    return float(trace / signal) if signal > 0 else np.inf
""",
    name="noise_scale",
    hint="What is the mean of $\\bar g^2$ for one number with the mean $\\mu$ and the variance $\\sigma^2$, over n draws?",
    derivation=r"""
For each coordinate $\operatorname{E} \bar g^2 = (\operatorname{E} \bar g)^2 + \operatorname{var} \bar g = G_i^2 + \Sigma_{ii} / n$. Summed
over the coordinates, $\operatorname{E} |\bar g|^2 = |G|^2 + \operatorname{tr} \Sigma / n$, so
$|\bar g|^2 - \operatorname{tr} \Sigma / n$ estimates
$|G|^2$ without bias. Without the correction the estimate can never be above $n$, however weak the signal is: for pure noise
$|\bar g|^2 \approx \operatorname{tr} \Sigma / n$. The ratio of two estimates without bias still has a small one.
""",
    tests=(
        Test("two examples, one weight", fixed(np.array([[1.0], [3.0]]))),
        Test("three examples, two weights", fixed(np.array([[1.0, 0.0], [2.0, 2.0], [3.0, 4.0]])), points=2),
        Test("a strong signal", _gradients(20, 5, 2.0, 0.5)),
        Test("a weak signal", _gradients(200, 8, 0.5, 1.0), points=2),
        Test("no signal", fixed(np.array([[1.0, -2.0], [-1.0, 2.0]])), hidden=True),
        Test("no noise", fixed(np.array([[1.0, 2.0], [1.0, 2.0]])), hidden=True),
    ),
    wrong=(
        Wrong("", " - trace / n", "",
              why="The noise that is left in the mean gradient was counted as signal.", look="The last but one sentence of the statement."),
        Wrong("", "ddof=1", "ddof=0",
              why="The variances were taken with n: they are too small by (n - 1) / n.", look="Two examples: by which factor?"),
        Wrong("", " - trace / n", " - trace",
              why="The noise of one example was taken off; that of the mean of n is n times smaller.",
              look="The variance of a mean."),
        Wrong("", "gradients.var(axis=0, ddof=1).sum()", "gradients.std(axis=0, ddof=1).sum()",
              why="Deviations were added up, not variances.", look="What stands on the diagonal of a covariance."),
        Wrong("wrong-axis", "gradients.var(axis=0, ddof=1)", "gradients.var(axis=min(1, gradients.shape[1] - 1), ddof=1)",
              why="The variance is over the weights of an example, not over the examples of a weight.",
              look="Which axis is that of the examples."),
        Wrong("", "float(trace / signal)", "float(signal / trace) if trace else 0.0",
              why="This is the reciprocal: signal over noise.", look="Is more noise a larger batch?"),
        Wrong("", "ddof=1).sum()", "ddof=1).mean()",
              why="The trace is a sum over the weights, not a mean.", look="What a trace is."),
        Wrong("", " if signal > 0 else np.inf", "",
              why="Where the estimate of the signal is negative, the scale came out negative, too.",
              look="The last sentence of the statement."),
    ),
    after="Compute it at several steps of a run. It grows: what does that say of the batch size at the end of training?",
)  # fmt: skip

TASKS = (DROPCONNECT, NOISE)

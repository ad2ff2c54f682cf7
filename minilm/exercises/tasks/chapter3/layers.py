"""Layers in batches: the linear layer, a classifier by hand, and one matrix used twice."""

from __future__ import annotations

from typing import Any

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter3.draws import SIGMOID, normal


def classifier(batch: int, *widths: int, scale: float = 1.0) -> Any:
    """Draws a batch, its labels, and weights and biases of two layers."""
    n, m, k = widths

    def inputs(rng: Generator) -> tuple[Any, ...]:
        x, labels = scale * rng.standard_normal((batch, n)), rng.integers(0, k, batch)
        return x, labels, *(rng.standard_normal(shape) for shape in ((m, n), (m,), (k, m), (k,)))

    return inputs


BATCHES = Task(
    id="3.4",
    title="Batches, ReLU and softmax",
    kind="code",
    minutes=40,
    difficulty=2,
    practises="backpropagation through a whole network by hand",
    statement=r"""
Write the backward pass of a network with one ReLU layer and a softmax cross-entropy (mean over the batch) in NumPy, for a batch in rows:
`gradients(X, labels, W1, b1, W2, b2)` returns the gradients of the four parameters, in this order. For softmax and cross-entropy
together, $\partial J/\partial Z = (P - Y)/B$ with $P$ the probabilities and $Y$ the one-hot targets.

Then compare with the engine: `F.linear`, `relu` and `F.cross_entropy`, and `backward()`.
""",
    stub='''
def gradients(X, labels, W1, b1, W2, b2):
    """The gradients of W1, b1, W2, b2.

    X: (B, n); labels: (B,) integers; W1: (m, n); b1: (m,); W2: (K, m); b2: (K,).
    """
    raise NotImplementedError
''',
    solution="""
def gradients(X, labels, W1, b1, W2, b2):
    Z1 = X @ W1.T + b1
    A1 = np.maximum(Z1, 0)
    Z2 = A1 @ W2.T + b2
    P = np.exp(Z2 - Z2.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    Y = np.eye(len(b2))[labels]
    D2 = (P - Y) / len(X)
    D1 = (D2 @ W2) * (Z1 > 0)
    return D1.T @ X, D1.sum(axis=0), D2.T @ A1, D2.sum(axis=0)
""",
    name="gradients",
    hint=r"(3.10) for both layers; between them multiply by $[Z^{[1]} > 0]$. The $1/B$ of the mean enters once, in the last $\Delta$.",
    derivation=r"""
$\Delta^{[2]} = (P - Y)/B$; $\partial J/\partial W^{[2]} = \Delta^{[2]\top} A^{[1]}$;
$\Delta^{[1]} = (\Delta^{[2]} W^{[2]}) \odot [Z^{[1]} > 0]$; $\partial J/\partial W^{[1]} = \Delta^{[1]\top} X$; the
bias gradients are the column sums of the $\Delta$.
""",
    tests=(
        Test("one example", classifier(1, 2, 2, 3)),
        Test("a batch", classifier(4, 5, 6, 3), points=3, labels={"the batch": 4, "the number of classes": 3}),
        Test("as many examples as classes", classifier(3, 3, 3, 3), hidden=True),
        Test("large logits", classifier(5, 2, 4, 3, scale=1e5), hidden=True, labels={"the batch": 5}),
    ),
    wrong=(
        Wrong("gradient-not-divided-by-batch", "D2 = (P - Y) / len(X)", "D2 = P - Y"),
        Wrong("target-not-subtracted", "D2 = (P - Y) / len(X)", "D2 = P / len(X)"),
        Wrong("cross-entropy-sign", "D2 = (P - Y) / len(X)", "D2 = (Y - P) / len(X)"),
        Wrong(
            "relu-derivative-at-output-of-ones",
            " * (Z1 > 0)",
            "",
            "The gradient goes back past the ReLU as if it were not there.",
            "Where Z1 is negative, no change of Z1 changes the loss.",
        ),
        Wrong("softmax-not-stable", "np.exp(Z2 - Z2.max(axis=1, keepdims=True))", "np.exp(Z2)"),
        Wrong("softmax-over-wrong-axis", "P /= P.sum(axis=1, keepdims=True)", "P /= P.sum(axis=0, keepdims=True)"),
        Wrong(
            "mean-over-the-batch",
            "D1.sum(axis=0), D2.T @ A1, D2.sum(axis=0)",
            "D1.mean(axis=0), D2.T @ A1, D2.mean(axis=0)",
            why="The gradients of the biases were divided by the batch twice: the 1/B of the mean stands in D2 already.",
            look="Sum or mean, for the biases.",
        ),
        Wrong(
            "transposed-result",
            "D1.T @ X",
            "X.T @ D1",
        ),
    ),
    after="Put a second hidden layer between them. Which lines are new?",
)

TIED_WEIGHTS = Task(
    id="3.5",
    title="Tied weights",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="gradients of several uses add up",
    statement=r"""
An autoencoder uses one matrix in both layers: $a = \sigma(Wx)$, $\hat y = \sigma(W^\top a)$, with the summed binary cross-entropy against
$y$. Derive $\partial J/\partial W$, and write it as `tied_gradient(W, x, y)`.
""",
    setup=SIGMOID,
    stub='''
def tied_gradient(W, x, y):
    """dJ/dW of an autoencoder with one matrix.

    W: (m, n); x, y: (n,). Returns (m, n).
    """
    raise NotImplementedError
''',
    solution="""
def tied_gradient(W, x, y):
    a = sigmoid(W @ x)
    delta2 = sigmoid(W.T @ a) - y
    delta1 = a * (1 - a) * (W @ delta2)
    return np.outer(delta1, x) + np.outer(a, delta2)
""",
    name="tied_gradient",
    hint=r"""
Pretend that there are two matrices, $W$ and $V = W^\top$, and use (3.9) for each. What is the gradient in $W$ of what
reaches $V$?
""",
    derivation=r"""
$\delta^{[2]} = \hat y - y$ and $\partial J/\partial V = \delta^{[2]} a^\top$. Since $V_{ji} = W_{ij}$, its share in
$\partial J/\partial W$ is the transpose, $a\, \delta^{[2]\top}$. The first layer has
$\delta^{[1]} = a \odot (1-a) \odot (V^\top \delta^{[2]}) = a \odot (1 - a) \odot (W \delta^{[2]})$ and the share
$\delta^{[1]} x^\top$. Uses add: $\partial J/\partial W = \delta^{[1]} x^\top + a\, \delta^{[2]\top}$.
""",
    tests=(
        Test("one neuron, one input", normal((1, 1), (1,), (1,))),
        Test("a narrow layer", normal((3, 5), (5,), (5,)), points=2, labels={"the hidden width": 3, "the width": 5}),
        Test("a square matrix", normal((4, 4), (4,), (4,)), hidden=True),
        Test("a wide layer", normal((6, 2), (2,), (2,)), hidden=True),
    ),
    wrong=(
        Wrong("second-path-forgotten", " + np.outer(a, delta2)", ""),
        Wrong(
            "second-path-forgotten",
            "np.outer(delta1, x) + np.outer(a, delta2)",
            "np.outer(a, delta2)",
            "Only the second layer's use of W is counted; the first layer's share, which goes through delta1, is missing.",
            "W stands in two places, and by (3.4) the gradients of both are added.",
        ),
        Wrong("local-derivative-only", "a * (1 - a) * (W @ delta2)", "a * (1 - a)"),
        Wrong(
            "mean-for-sum",
            "np.outer(delta1, x) + np.outer(a, delta2)",
            "(np.outer(delta1, x) + np.outer(a, delta2)) / 2",
            "The gradients of the two uses are averaged; by (3.4) they are added.",
            "Nudge one weight: the loss answers through both of its places at once.",
        ),
        Wrong(
            "",
            "delta2 = sigmoid(W.T @ a) - y",
            "out = sigmoid(W.T @ a)\n    delta2 = (out - y) * out * (1 - out)",
            "The last layer's slope is multiplied in, though the binary cross-entropy has cancelled it already, (3.7).",
            "Work out dJ/dz of the last layer for one output.",
        ),
    ),
    after="A language model ties its embedding and its output layer. Which rows of the gradient get both shares?",
)

LINEAR = """
def linear_backward(A, W, D):
    A_bar = D @ W
    W_bar = D.T @ A
    b_bar = D.sum(axis=0)
    return A_bar, W_bar, b_bar
"""

LINEAR_BACKWARD = Task(
    id="3.13",
    title="The linear layer, backward, in a batch",
    kind="code",
    minutes=10,
    difficulty=1,
    practises="matrix products in the backward pass",
    statement=r"""
A linear layer computes $Z = A W^\top + b$ for a batch in rows: `A` is `(B, n)`, `W` is `(m, n)`, `b` is `(m,)`. Write
`linear_backward(A, W, D)`: from the gradient `D` $= \partial J/\partial Z$ it returns $\partial J/\partial A$, $\partial J/\partial
W$ and $\partial J/\partial b$, in this order.

`D` holds whatever the loss has put into it already; nothing is to be divided here.
""",
    stub='''
def linear_backward(A, W, D):
    """The gradients of input, weight and bias; A: (B, n); W: (m, n); D: (B, m).

    Returns A_bar (B, n), W_bar (m, n), b_bar (m,).
    float32 gives float32.
    """
    raise NotImplementedError
''',
    solution=LINEAR,
    name="linear_backward",
    hint="Write down the three shapes you need and the shapes you have. With sizes that differ, only one product fits each.",
    derivation=r"""
$Z_{ki} = \sum_j A_{kj} W_{ij} + b_i$. So $\partial J/\partial W_{ij} = \sum_k \Delta_{ki} A_{kj}$, a sum over the batch:
$\Delta^\top A$. $\partial J/\partial A_{kj} = \sum_i \Delta_{ki} W_{ij}$: $\Delta W$. The bias is used once in every row, so by (3.4) its
gradient is the sum over the rows. That is (3.10).
""",
    tests=(
        Test("one example, one neuron", normal((1, 2), (1, 2), (1, 1))),
        Test(
            "a batch",
            normal((4, 3), (2, 3), (4, 2)),
            points=2,
            labels={"the batch": 4, "the inputs": 3, "the neurons": 2},
        ),
        Test("all sizes equal", normal((3, 3), (3, 3), (3, 3)), hidden=True),
        Test("float32", normal((5, 2), (4, 2), (5, 4), dtype="float32"), hidden=True),
    ),
    wrong=(
        Wrong("mean-over-the-batch", "D.sum(axis=0)", "D.mean(axis=0)"),
        Wrong("mean-over-the-batch", "D.T @ A", "D.T @ A / len(A)"),
        Wrong("transposed-result", "D.T @ A", "A.T @ D"),
        Wrong("wrong-axis", "D.sum(axis=0)", "D.sum(axis=1)"),
        Wrong("bias-gradient-not-summed", "D.sum(axis=0)", "D.copy()"),
        Wrong(
            "works-for-square-only",
            "D @ W",
            "D @ W.T",
            "W is transposed once more on the way back: that fits only where the layer is square, and is wrong there too.",
            "By (3.6) the sum runs over the neurons, the first axis of W.",
        ),
        Wrong(
            "",
            "D.sum(axis=0)",
            "D.sum(axis=0, keepdims=True)",
            why="This has shape (1, m). The gradient of b has b's shape, (m,).",
            look="keepdims: here the axis of the batch is to go.",
        ),
    ),
    after="For an input with more axes, (B, T, n): which axes does the bias' gradient sum over?",
)

TEST_LINEAR = Task(
    id="3.14",
    title="A test that catches a wrong linear layer",
    kind="write the test",
    minutes=20,
    difficulty=2,
    practises="inputs that tell bugs apart",
    statement=r"""
`linear_backward(A, W, D)` of 3.13 returns the gradients of input, weight and bias. Write `test_linear_backward(linear_backward)`:
it passes the right function, and raises an `AssertionError` for a wrong one.

Your test will be run with the right function and with seven wrong ones. Some of those are right for a batch of one, and most return
the right shapes. Do not repeat the formula: a loss such as $J = \sum_{ki} D_{ki} Z_{ki}$ can be nudged.
""",
    stub='''
def test_linear_backward(linear_backward):
    """Raises AssertionError where linear_backward(A, W, D) is wrong."""
    pass
''',
    subject=LINEAR,
    solution="""
def test_linear_backward(linear_backward):
    rng = np.random.default_rng(0)
    shapes = ((4, 3), (2, 3), (2,), (4, 2))
    A, W, b, D = (rng.standard_normal(shape) for shape in shapes)

    def loss():
        return (D * (A @ W.T + b)).sum()

    for array, got in zip((A, W, b), linear_backward(A, W, D), strict=True):
        assert got.shape == array.shape
        for place in np.ndindex(array.shape):
            kept, h = array[place], 1e-3
            array[place] = kept + h
            above = loss()
            array[place] = kept - h
            below = loss()
            array[place] = kept
            assert abs((above - below) / (2 * h) - got[place]) < 1e-6
""",
    name="test_linear_backward",
    hint="Three sizes that all differ. Compare shapes first, then each entry with a difference quotient of J.",
    derivation=r"""
With $J = \sum_{ki} D_{ki} Z_{ki}$ the gradient of $Z$ is $D$, so what the function returns must be the gradient of $J$. $J$ is linear in
each of $A$, $W$ and $b$, so a central difference is exact up to rounding whatever the step is. Sizes 4, 3 and 2 tell a sum over the batch
from one over the neurons, and a transposed product from the right one; a batch above 1 tells a sum from a mean.
""",
    wrong=(
        Wrong("mean-over-the-batch", "D.sum(axis=0)", "D.mean(axis=0)"),
        Wrong(
            "gradient-not-divided-by-batch",
            "D.T @ A",
            "D.T @ A / len(A)",
            "The weight's gradient is divided by the batch.",
        ),
        Wrong("transposed-result", "D.T @ A", "(D.T @ A).T"),
        Wrong("reshape-for-transpose", "D @ W", "D @ W.T.reshape(W.shape)"),
        Wrong("bias-gradient-not-summed", "D.sum(axis=0)", "D[0]"),
        Wrong("sign-of-the-gradient", "A_bar = D @ W", "A_bar = -(D @ W)"),
        Wrong("local-derivative-only", "W_bar = D.T @ A", "W_bar = np.ones_like(D).T @ A"),
    ),
    after="Which of the seven would your test miss if D were all ones?",
)

TASKS = (BATCHES, TIED_WEIGHTS, LINEAR_BACKWARD, TEST_LINEAR)

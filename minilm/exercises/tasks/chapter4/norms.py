"""Normalization: LayerNorm, RMSNorm and BatchNorm, forward and backward."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter4.draws import given, normal, value


def batch(rows: int, width: int, dtype: str = "float64") -> Any:
    """Draws x, w and the gradient that arrives, for a batch of rows."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        shapes = ((rows, width), (width,), (rows, width))
        return (*(rng.standard_normal(shape).astype(dtype) for shape in shapes), 0.1)

    return inputs


LAYER_NORM_BACKWARD = Task(
    id="4.9",
    title="LayerNorm's backward pass in NumPy",
    kind="code",
    minutes=40,
    difficulty=3,
    practises="a gradient through a mean and a variance",
    statement=r"""
Write `layer_norm_backward(x, w, y_bar, eps)` for a batch `(N, n)`: from the input, the weight and the gradient that arrives it returns
$\bar x$, $\bar w$ and $\bar b$, in at most eight lines of NumPy.

Then show with a projection argument why applying the "minus mean, minus component along $\hat x$" twice (for $\epsilon = 0$) is the
same as applying it once.
""",
    stub='''
def layer_norm_backward(x, w, y_bar, eps):
    """The gradients of LayerNorm's input, weight and bias.

    x, y_bar: (N, n); w: (n,). Returns x_bar (N, n), w_bar (n,), b_bar (n,).
    float32 gives float32.
    """
    raise NotImplementedError
''',
    solution="""
def layer_norm_backward(x, w, y_bar, eps):
    centered = x - x.mean(axis=1, keepdims=True)
    s = np.sqrt((centered**2).mean(axis=1, keepdims=True) + eps)
    x_hat, g = centered / s, y_bar * w
    along = (g * x_hat).mean(axis=1, keepdims=True)
    x_bar = (g - g.mean(axis=1, keepdims=True) - x_hat * along) / s
    return x_bar, (y_bar * x_hat).sum(axis=0), y_bar.sum(axis=0)
""",
    name="layer_norm_backward",
    hint=r"(4.21) and (4.22). For the second part: $\mathbf 1$ and $\hat x$ are at a right angle, and both have squared norm $n$.",
    derivation=r"""
The map is $g \mapsto g - \mathbf 1\, \frac{\mathbf 1 \cdot g}{n} - \hat x\, \frac{\hat x \cdot g}{n}$. Since
$\mathbf 1 \cdot \hat x = 0$, $\mathbf 1 \cdot \mathbf 1 = n$ and, for $\epsilon = 0$, $\hat x \cdot \hat x = n$, these are the
orthogonal projections onto two perpendicular directions, and the map removes both. What has no component left loses nothing the
second time.
""",
    tests=(
        Test("one row", batch(1, 3), labels={"the width": 3}),
        Test("a batch", batch(4, 3), points=2, labels={"the batch": 4, "the width": 3}),
        Test("as many rows as columns", batch(4, 4), hidden=True),
        Test("float32", batch(3, 5, "float32"), hidden=True, rtol=1e-3, atol=1e-5),
    ),
    wrong=(
        Wrong("mean-taken-for-a-constant", "g - g.mean(axis=1, keepdims=True) - x_hat", "g - x_hat"),
        Wrong("variance-taken-for-a-constant", " - x_hat * along) / s", ") / s"),
        Wrong(
            "mean-over-the-batch",
            "y_bar.sum(axis=0)",
            "y_bar.mean(axis=0)",
            "The bias's gradient is the mean over the rows; the bias is used once in each row, so its gradient is the sum.",
        ),
        Wrong(
            "",
            "y_bar * w\n",
            "y_bar\n",
            "The weight is missing on the way back: what arrives at the normalized row is w times what arrives at the output.",
            "(4.21): what is g?",
        ),
        Wrong(
            "unbiased-variance",
            "(centered**2).mean(axis=1, keepdims=True)",
            "(centered**2).sum(axis=1, keepdims=True) / (x.shape[1] - 1)",
        ),
        Wrong(
            "epsilon-outside-the-root", ".mean(axis=1, keepdims=True) + eps)\n", ".mean(axis=1, keepdims=True)) + eps\n"
        ),
        Wrong("mean-over-the-batch", "(y_bar * x_hat).sum(axis=0)", "(y_bar * x_hat).mean(axis=0)"),
        Wrong(
            "sum-for-mean",
            "(g * x_hat).mean(axis=1, keepdims=True)",
            "(g * x_hat).sum(axis=1, keepdims=True)",
            why="The component along x_hat is the mean of g x_hat, since the mean of x_hat² is 1. Here it is the sum, n times as much.",
            look="The two means in (4.21).",
        ),
        Wrong(
            "",
            "(y_bar * x_hat).sum(axis=0)",
            "(g * x_hat).sum(axis=0)",
            why="w stands in its own gradient. y is w x_hat + b, so the slope in w is x_hat alone.",
            look="What arrives at w: y_bar, or w y_bar.",
        ),
        Wrong(
            "scale-forgotten",
            " - x_hat * along) / s",
            " - x_hat * along)",
            why="The division by s is missing: x_hat is x over s, and so is the way back.",
            look="The factor before the bracket of (4.21).",
        ),
    ),
    after="Write RMSNorm's, 4.18: one of the two projections goes.",
)


def one_batch_after_another(answer: Any, n: int, momentum: float, eps: float, *batches: Any) -> Any:
    """Trains on all batches but the last, which is asked in evaluation; then the outputs and the running statistics."""
    norm = answer(n, momentum, eps)
    outputs = [norm(x, True) for x in batches[:-1]]
    outputs.append(norm(batches[-1], False))
    return outputs, norm.mean, norm.var


def batches(*sizes: int, width: int, momentum: float) -> Any:
    """Draws batches of these sizes, none of mean 0 and variance 1."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        return (width, momentum, 0.1, *(3 + 2 * rng.standard_normal((size, width)) for size in sizes))

    return inputs


def quiet(rng: Generator) -> tuple[Any, ...]:
    """Two rows of tiny numbers, and their weight."""
    return 1e-3 * rng.standard_normal((2, 4)), rng.standard_normal(4), 1e-5


SCALE_INVARIANCE = Task(
    id="4.8",
    title="What scale invariance implies",
    kind="proof",
    minutes=20,
    difficulty=2,
    practises="the gradient of an invariant function",
    statement=r"""
Let $f(c\,x) = f(x)$ for all $c > 0$, as for a network whose input $x$ goes through RMSNorm with $\epsilon = 0$. Show that (a)
$x \cdot \nabla f(x) = 0$ and (b) $\nabla f(c\,x) = \nabla f(x) / c$. What does gradient descent then do to $\lVert x \rVert$, if
$x$ is a parameter?
""",
    setup="import numpy as np\nimport minilm as ml\nimport minilm.nn.functional as F\n",
    solution="""
rng = np.random.default_rng(0)
w_out, start = ml.tensor(rng.standard_normal(6)), rng.standard_normal(6)


def gradient_at(point):
    leaf = ml.tensor(point, requires_grad=True)
    return ml.grad((w_out * F.rms_norm(leaf, eps=0.0)).sum(), leaf)[0].numpy()


g = gradient_at(start)
assert abs(start @ g) < 1e-14
assert np.allclose(gradient_at(5 * start), g / 5)
stepped = start - 0.1 * g
assert np.isclose(stepped @ stepped, start @ start + 0.01 * g @ g)
""",
    hint=r"Differentiate $f(c\,x) = f(x)$ by $c$ for (a), and by $x$ for (b).",
    derivation=r"""
(a) $\frac{d}{dc} f(c\,x) = x \cdot \nabla f(c\,x) = 0$; set $c = 1$. (b) By the chain rule the gradient of $x \mapsto f(c\,x)$ is
$c\, \nabla f(c\,x)$, and it equals $\nabla f(x)$. A step $-\eta \nabla f$ is at a right angle to $x$, so
$\lVert x - \eta \nabla f \rVert^2 = \lVert x \rVert^2 + \eta^2 \lVert \nabla f \rVert^2$: the norm can only grow, and by (b) the
gradient shrinks as it does.
""",
    rubric=(
        ("(a) the equation is differentiated by c, and c is set to 1", 1),
        ("(b) the chain rule's factor c is there, and the two gradients are told apart", 1),
        ("the norm grows: Pythagoras, since the step is at a right angle to x", 1),
        (
            "the effect on training is drawn from (b): the gradient, and with it the turn of x, shrinks as the norm grows",
            1,
        ),
    ),
    after="Weight decay shrinks x. At which norm do the two come to a balance?",
)

LAYER_NORM = Task(
    id="4.17",
    title="LayerNorm, forward",
    kind="code",
    minutes=10,
    difficulty=1,
    practises="mean and variance along an axis",
    statement=r"""
Write `layer_norm(x, w, b, eps)`, (4.19): every row of `x` along its last axis is normalized on its own, then scaled by `w` and shifted by
`b`. `x` may have any number of axes.

For $x = (1, 3)$, $w = (1, 1)$, $b = (0, 0)$ and $\epsilon = 0$ it is $(-1, 1)$.
""",
    name="layer_norm",
    stub='''
def layer_norm(x, w, b, eps):
    """Each row with mean 0 and variance 1, scaled and shifted.

    x: (..., n); w, b: (n,). Returns (..., n).
    float32 gives float32.
    """
    raise NotImplementedError
''',
    solution="""
def layer_norm(x, w, b, eps):
    centered = x - x.mean(axis=-1, keepdims=True)
    var = (centered**2).mean(axis=-1, keepdims=True)
    return w * centered / np.sqrt(var + eps) + b
""",
    hint="Which axis holds the numbers of one row, for any number of axes? Where does (4.19) have its epsilon?",
    derivation=r"""
(4.19), read from the right: $\mu$ and $\sigma^2$ are means along the last axis, kept as an axis of size 1 so that each row meets its own.
$\epsilon$ stands under the root: $s = \sqrt{\sigma^2 + \epsilon}$. A row of equal numbers has $\sigma^2 = 0$, and gives $b$.
The variance is the mean of the squares, divided by $n$: nothing is estimated here.
""",
    tests=(
        Test("one row of two", given([[1.0, 3.0]], [1.0, 1.0], [0.0, 0.0], 0.0)),
        Test("a batch", normal((4, 3), (3,), (3,), then=(0.1,)), points=2, labels={"the batch": 4, "the width": 3}),
        Test("a row of equal numbers", given([[2.0, 2.0, 2.0]], [1.0, 2.0, 3.0], [0.5, 0.0, -1.0], 1e-5)),
        Test("three axes", normal((2, 5, 3), (3,), (3,), then=(0.1,)), hidden=True, labels={"the width": 3}),
        Test("as many rows as columns, float32", normal((4, 4), (4,), (4,), dtype="float32", then=(0.1,)), hidden=True),
    ),
    wrong=(
        Wrong(
            "norm-over-the-batch",
            "x.mean(axis=-1,",
            "x.mean(axis=0,",
            "The mean runs over the batch: the rows are mixed.",
        ),
        Wrong("epsilon-outside-the-root", "np.sqrt(var + eps)", "(np.sqrt(var) + eps)"),
        Wrong("epsilon-forgotten", "np.sqrt(var + eps)", "np.sqrt(var)"),
        Wrong(
            "unbiased-variance",
            "var = (centered**2).mean(axis=-1, keepdims=True)",
            "var = x.var(axis=-1, keepdims=True, ddof=1)",
        ),
        Wrong(
            "std-for-variance",
            "np.sqrt(var + eps)",
            "(var + eps)",
            "The row is divided by its variance, not by the root of it.",
        ),
        Wrong(
            "",
            "w * centered / np.sqrt(var + eps) + b",
            "w * (centered / np.sqrt(var + eps) + b)",
            "The shift is scaled too: the weight multiplies the normalized row alone.",
            "(4.19): y is w times the normalized row, plus b.",
        ),
        Wrong(
            "argument-ignored",
            "np.sqrt(var + eps)",
            "np.sqrt(var + 1e-5)",
            why="The epsilon is a number of its own, and not the argument `eps`.",
            look="eps = 0.",
        ),
    ),
    after="Multiply x by 10 and add 5. How much changes in the result, and why any at all?",
)

RMS_NORM = Task(
    id="4.18",
    title="RMSNorm, forward and backward",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="one projection, and a shared weight",
    statement=r"""
Write `rms_norm(x, w, y_bar, eps)` for a batch `(N, n)`: the output $y_i = w_i\, x_i / r$ with
$r = \sqrt{\frac1n \sum_j x_j^2 + \epsilon}$, and from the gradient $\bar y$ that arrives at it the gradients $\bar x$ and $\bar w$.

For $x = (3, 3)$, $w = (1, 1)$, $\epsilon = 0$ and $\bar y = (3, 0)$: $y = (1, 1)$, $\bar x = (0.5, -0.5)$, $\bar w = (3, 0)$.
""",
    name="rms_norm",
    stub='''
def rms_norm(x, w, y_bar, eps):
    """Output and gradients of RMSNorm.

    x, y_bar: (N, n); w: (n,). Returns y (N, n), x_bar (N, n), w_bar (n,).
    float32 gives float32.
    """
    raise NotImplementedError
''',
    solution="""
def rms_norm(x, w, y_bar, eps):
    r = np.sqrt((x**2).mean(axis=1, keepdims=True) + eps)
    x_hat, g = x / r, w * y_bar
    along = (g * x_hat).mean(axis=1, keepdims=True)
    return w * x_hat, (g - x_hat * along) / r, (y_bar * x_hat).sum(axis=0)
""",
    hint=r"$r$ depends on every $x_j$: show $\partial r/\partial x_j = \hat x_j / n$ first. How often is the weight used?",
    derivation=r"""
$\partial r / \partial x_j = \frac{1}{2r} \cdot \frac{2 x_j}{n} = \hat x_j / n$. With the quotient rule
$\partial \hat x_i/\partial x_j = \frac1r (\delta_{ij} - \hat x_i \hat x_j / n)$, and with $g_i = w_i \bar y_i$ the sum over $i$ is
(4.23): $\bar x_j = \frac1r (g_j - \hat x_j \frac1n \sum_i g_i \hat x_i)$. The weight is used once in each row, so its gradient is a sum
over rows, as in (4.22).
""",
    tests=(
        Test("one row of two", given([[3.0, 3.0]], [1.0, 1.0], [[3.0, 0.0]], 0.0)),
        Test("one row", batch(1, 3), labels={"the width": 3}),
        Test("a batch", batch(4, 3), points=2, labels={"the batch": 4, "the width": 3}),
        Test("a row of zeros", given([[0.0, 0.0, 0.0]], [1.0, 2.0, 3.0], [[1.0, -1.0, 0.5]], 1e-4), hidden=True),
        Test("as many rows as columns, float32", batch(4, 4, "float32"), hidden=True, rtol=1e-3, atol=1e-5),
    ),
    wrong=(
        Wrong(
            "variance-taken-for-a-constant",
            "(g - x_hat * along) / r",
            "g / r",
            "The root mean square was taken for a constant: the way through r is missing.",
        ),
        Wrong("rms-with-mean-subtracted", "(x**2).mean(axis=1, keepdims=True)", "x.var(axis=1, keepdims=True)"),
        Wrong(
            "epsilon-outside-the-root", ".mean(axis=1, keepdims=True) + eps)\n", ".mean(axis=1, keepdims=True)) + eps\n"
        ),
        Wrong("mean-over-the-batch", "(y_bar * x_hat).sum(axis=0)", "(y_bar * x_hat).mean(axis=0)"),
        Wrong(
            "",
            "w * y_bar\n",
            "y_bar\n",
            "The weight is missing on the way back to x.",
            "What arrives at the normalized row is the weight times what arrives at the output.",
        ),
        Wrong(
            "",
            "(y_bar * x_hat)",
            "(g * x_hat)",
            "The weight's gradient holds the weight itself.",
            "y is linear in w: what is the derivative by w of w times x hat?",
        ),
        Wrong(
            "sum-for-mean",
            "(g * x_hat).mean(axis=1, keepdims=True)",
            "(g * x_hat).sum(axis=1, keepdims=True)",
            why="The component along x_hat is a mean over the row. Here it is the sum, n times as much.",
            look="The mean within r, and its derivative.",
        ),
    ),
    after="Check that x_bar is at a right angle to x for epsilon 0, and say why (3.2).",
)

BATCH_NORM = Task(
    id="4.30",
    title="BatchNorm's running statistics",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="training against evaluation, n against n-1",
    statement=r"""
Write a class `BatchNorm(n, momentum, eps)`, called as `norm(x, training)` with `x` of shape `(N, n)`. It has no weight and no bias.

- In training every column is normalized by the batch's own mean and variance (divided by $N$), with $\epsilon$ under the root. Then the
  running statistics `norm.mean` and `norm.var` are updated: new = (1 - momentum) · old + momentum · the batch's. The batch's variance for
  this is the unbiased one, divided by $N - 1$, since it stands for data not seen.
- In evaluation the running statistics normalize, and stay as they are.

They begin with 0 and 1.
""",
    name="BatchNorm",
    stub='''
class BatchNorm:
    """Normalizes columns; mean and var, both (n,), are the running statistics."""

    def __init__(self, n, momentum, eps):
        raise NotImplementedError

    def __call__(self, x, training):
        """x: (N, n) with N of at least 2. Returns (N, n)."""
        raise NotImplementedError
''',
    solution="""
class BatchNorm:
    def __init__(self, n, momentum, eps):
        self.mean, self.var = np.zeros(n), np.ones(n)
        self.momentum, self.eps = momentum, eps

    def __call__(self, x, training):
        mean, var = self.mean, self.var
        if training:
            m, N = self.momentum, len(x)
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.mean = (1 - m) * self.mean + m * mean
            self.var = (1 - m) * self.var + m * var * N / (N - 1)
        return (x - mean) / np.sqrt(var + self.eps)
""",
    hint="Two pairs of statistics are at work in training. Which one normalizes, and which one is only kept?",
    derivation=r"""
In training the batch's $\mu$ and $\sigma^2 = \frac1N \sum_i (x_i - \mu)^2$ normalize: so each column of the output has mean 0. The
running statistics estimate those of all data, for the time when one sample comes alone. $\sigma^2$ is too small for that by the factor
$(N-1)/N$ in the mean, since $\mu$ was fitted to the same batch; $\sigma^2 N/(N-1)$ is unbiased. After $k$ batches the weight of the first
values, 0 and 1, is $(1 - m)^k$.
""",
    tests=(
        Test(
            "evaluation at the beginning",
            batches(2, width=3, momentum=0.1),
            use=one_batch_after_another,
            call="norm(x, False), then norm.mean and norm.var",
        ),
        Test(
            "one batch in training, one in evaluation",
            batches(4, 3, width=2, momentum=0.25),
            points=2,
            use=one_batch_after_another,
            call="norm(x, True), norm(x2, False), then norm.mean and norm.var",
            labels={"the batch": 4, "the width": 2},
        ),
        Test(
            "three batches of different sizes",
            batches(4, 2, 6, 5, width=3, momentum=0.1),
            hidden=True,
            use=one_batch_after_another,
            call="norm(x, True) for three batches, norm(x, False) for a fourth, then norm.mean and norm.var",
        ),
        Test(
            "one sample in evaluation",
            batches(5, 1, width=2, momentum=0.5),
            hidden=True,
            use=one_batch_after_another,
            call="norm(x, True), norm(x2, False) with one row, then norm.mean and norm.var",
        ),
    ),
    wrong=(
        Wrong(
            "running-statistics-in-training",
            "            self.var = (1 - m) * self.var + m * var * N / (N - 1)\n",
            "            self.var = (1 - m) * self.var + m * var * N / (N - 1)\n            mean, var = self.mean, self.var\n",
        ),
        Wrong(
            "evaluation-mode-forgotten",
            "if training:",
            "if True:",
            "In evaluation the batch's own statistics are used, as in training.",
        ),
        Wrong(
            "n-for-n-minus-one",
            " * N / (N - 1)",
            "",
            "The running variance takes the variance divided by N; it was to be the unbiased one.",
        ),
        Wrong(
            "unbiased-variance",
            "x.var(axis=0)\n",
            "x.var(axis=0, ddof=1)\n",
            "The unbiased variance normalizes. It is for the running statistics alone.",
        ),
        Wrong(
            "unbiased-variance",
            "mean, var = x.mean(axis=0), x.var(axis=0)\n"
            "            self.mean = (1 - m) * self.mean + m * mean\n"
            "            self.var = (1 - m) * self.var + m * var * N / (N - 1)\n",
            "mean, var = x.mean(axis=0), x.var(axis=0, ddof=1)\n"
            "            self.mean = (1 - m) * self.mean + m * mean\n"
            "            self.var = (1 - m) * self.var + m * var\n",
            "One variance serves for both, the unbiased one. The batch itself is normalized with the variance divided by N.",
        ),
        Wrong(
            "average-weights-swapped",
            "m, N = self.momentum, len(x)",
            "m, N = 1 - self.momentum, len(x)",
            "Old and new have exchanged their weights: the running statistics keep the share `momentum` of the old.",
            "Which of the two gets the small weight?",
        ),
        Wrong(
            "epsilon-outside-the-root",
            "np.sqrt(var + self.eps)",
            "(np.sqrt(var) + self.eps)",
        ),
        Wrong(
            "",
            "np.zeros(n), np.ones(n)",
            "np.zeros(n), np.zeros(n)",
            why=(
                "The running variance begins with 0, so before the first batch evaluation divides by the root of "
                "epsilon. It begins with 1."
            ),
            look="The two first values.",
        ),
    ),
    after="What happens with a batch of one sample in training? What does PyTorch do?",
)

QUIET_ROWS = Task(
    id="4.33",
    title="Quiet rows come out too loud",
    kind="find the bug",
    minutes=20,
    difficulty=2,
    practises="reading a formula against its code",
    statement=r"""
This RMSNorm serves a model well for weeks. Rows of ordinary size have the right values to four digits. Then a row of very small numbers
comes, about 0.001 each, and its output is three times as large as the formula says; for a row near $10^{-6}$ it is hundreds of times
as large. With $\epsilon = 0$ all is right.

Find the bug and mend it. The formula is $y_i = w_i\, x_i / r$ with $r = \sqrt{\frac1n \sum_j x_j^2 + \epsilon}$, along the last axis.
""",
    name="rms_norm",
    solution="""
def rms_norm(x, w, eps):
    square = (x * x).mean(axis=-1, keepdims=True)
    r = np.sqrt(square + eps)
    return w * (x / r)
""",
    hint="Put a row of tiny numbers into formula and code by hand. What is r in each, when the squares are far below epsilon?",
    derivation=r"""
With $\epsilon$ under the root, $r = \sqrt{q + \epsilon}$ for the mean square $q$. For $q \ll \epsilon$ that is about
$\sqrt \epsilon = 0.0032$ for $\epsilon = 10^{-5}$. Outside the root, $\sqrt q + \epsilon$ is about $\epsilon = 0.00001$ when $q$ is
tiny, up to $1/\sqrt\epsilon = 316$ times smaller, so the output is that much larger. For ordinary rows
both are about $\sqrt q$, with relative differences of the order of $\epsilon$: only quiet rows can tell.
""",
    tests=(
        Test("one row, epsilon 0.1", normal((1, 3), (3,), then=(0.1,))),
        Test("a batch", normal((4, 3), (3,), then=(0.01,)), labels={"the batch": 4, "the width": 3}),
        Test("quiet rows", quiet, points=2),
        Test("ordinary rows, epsilon 0", normal((2, 5), (5,), then=(0.0,)), hidden=True),
        Test("a row of zeros", given([[0.0, 0.0, 0.0]], [1.0, 2.0, 3.0], 1e-5), hidden=True),
        Test("three axes", normal((2, 3, 4), (4,), then=(0.1,)), hidden=True),
    ),
    wrong=(
        Wrong("epsilon-outside-the-root", "np.sqrt(square + eps)", "np.sqrt(square) + eps"),
        Wrong("epsilon-forgotten", "np.sqrt(square + eps)", "np.sqrt(square)"),
        Wrong(
            "",
            "np.sqrt(square + eps)",
            "np.sqrt(square + eps**2)",
            "Now epsilon is under the root, and squared there.",
            "The formula adds epsilon to the mean square, as it is.",
        ),
        Wrong(
            "",
            "np.sqrt(square + eps)",
            "np.sqrt(np.maximum(square, eps))",
            "A mean square below epsilon is replaced by it; the formula adds the two.",
            "Compare with the formula for a row whose mean square equals epsilon.",
        ),
    ),
    after="Adam divides by a root plus epsilon, outside. Which gradients does that make a difference for?",
)


def small_integers(rng: Generator) -> dict[str, Any]:
    """Four different integers, the first of which is neither their mean nor one deviation from it."""
    while True:
        x = rng.choice(np.arange(10), 4, replace=False)
        first = abs(x[0] - x.mean()) / x.std()
        if 0.2 < first < 0.9 or first > 1.1:
            return {f"x{i + 1}": int(x[i]) for i in range(4)}


LAYER_NORM_BY_HAND = Task(
    id="4.37",
    title="LayerNorm by hand",
    kind="number",
    minutes=20,
    difficulty=2,
    practises="normalization and its gradient, in numbers",
    statement=r"""
The row $x = ({x1}, {x2}, {x3}, {x4})$ goes through LayerNorm with $w = 1$, $b = 0$ and $\epsilon = 0$. Compute $\mu$, the standard
deviation $s$ and $\hat x_1$. Then the gradient $\bar y = (1, 0, 0, 0)$ arrives. Compute $\bar x_1$ by (4.21).

`answer` is a list of the four numbers, to four digits: $\mu$, $s$, $\hat x_1$, $\bar x_1$.
""",
    stub="answer = [None, None, None, None]  # mean, standard deviation, x_hat_1, x_bar_1\n",
    solution="""
x = np.array([x1, x2, x3, x4])
mu = x.mean()
s = np.sqrt(((x - mu) ** 2).mean())
x_hat = (x - mu) / s
answer = [mu, s, x_hat[0], (1 - 1 / 4 - x_hat[0] ** 2 / 4) / s]
""",
    hint="With one 1 in the gradient that arrives, both means in (4.21) have a single term.",
    derivation=r"""
$\mu = \frac14 \sum_j x_j$ and $s = \sqrt{\frac14 \sum_j (x_j - \mu)^2}$, divided by 4 and not by 3. With $g = (1, 0, 0, 0)$ the mean of
$g$ is $\frac14$ and the mean of $g_i \hat x_i$ is $\hat x_1 / 4$, so (4.21) gives
$\bar x_1 = \frac1s (1 - \frac14 - \frac14 \hat x_1^2)$. It is the Jacobian's first diagonal element, (4.20).
""",
    data=small_integers,
    tests=(value("four numbers", points=3, rtol=2e-3),),
    wrong=(
        Wrong("unbiased-variance", "((x - mu) ** 2).mean()", "((x - mu) ** 2).sum() / 3"),
        Wrong(
            "std-for-variance",
            "np.sqrt(((x - mu) ** 2).mean())",
            "((x - mu) ** 2).mean()",
            "s is the variance here, without the root.",
        ),
        Wrong("variance-taken-for-a-constant", " - x_hat[0] ** 2 / 4", ""),
        Wrong("mean-taken-for-a-constant", "1 - 1 / 4 -", "1 -"),
        Wrong(
            "local-derivative-only",
            "(1 - 1 / 4 - x_hat[0] ** 2 / 4) / s",
            "1 / s",
            "Mean and deviation were both taken for constants.",
        ),
    ),
    after="Compute the other three of x_bar. What do all four sum to, and why?",
)

TASKS: tuple[Task, ...] = (
    SCALE_INVARIANCE,
    LAYER_NORM_BACKWARD,
    LAYER_NORM,
    RMS_NORM,
    BATCH_NORM,
    QUIET_ROWS,
    LAYER_NORM_BY_HAND,
)

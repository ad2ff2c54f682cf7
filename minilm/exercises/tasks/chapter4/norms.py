"""Normalization: LayerNorm and RMSNorm, forward and backward."""

from __future__ import annotations

from typing import Any

from minilm.exercises.task import Generator, Task, Test, Wrong


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
    hint=r"(4.40) and (4.42). For the second part: $\mathbf 1$ and $\hat x$ are at a right angle, and both have squared norm $n$.",
    derivation=r"""
The map is $g \mapsto g - \mathbf 1\, \frac{\mathbf 1 \cdot g}{n} - \hat x\, \frac{\hat x \cdot g}{n}$. Since
$\mathbf 1 \cdot \hat x = 0$, $\mathbf 1 \cdot \mathbf 1 = n$ and, for $\epsilon = 0$, $\hat x \cdot \hat x = n$, these are the
orthogonal projections onto two perpendicular directions, and the map removes both. What has no component left loses nothing the
second time.
""",
    tests=(
        Test("one row", batch(1, 3)),
        Test("a batch", batch(4, 3), points=2),
        Test("as many rows as columns", batch(4, 4), hidden=True),
        Test("float32", batch(3, 5, "float32"), hidden=True),
    ),
    wrong=(
        Wrong("mean-taken-for-a-constant", "g - g.mean(axis=1, keepdims=True) - x_hat", "g - x_hat"),
        Wrong("variance-taken-for-a-constant", " - x_hat * along) / s", ") / s"),
        Wrong("mean-over-the-batch", "y_bar.sum(axis=0)", "y_bar.mean(axis=0)"),
    ),
    after="Write RMSNorm's: one of the two projections goes.",
)

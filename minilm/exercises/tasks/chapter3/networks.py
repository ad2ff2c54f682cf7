"""Whole networks by hand: a deep one with a bug, and a language model with an embedding."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from minilm.exercises.task import Generator, Task, Test, Wrong


def deep(batch: int, *widths: int) -> Any:
    """Draws a batch, targets, and the weights of a network of these widths."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        x, y = rng.standard_normal((batch, widths[0])), rng.standard_normal((batch, widths[-1]))
        return x, y, [rng.standard_normal((m, n)) / n**0.5 for n, m in pairwise(widths)]

    return inputs


ONLY_SQUARE = Task(
    id="3.15",
    title="It worked on all my layers",
    kind="find the bug",
    minutes=20,
    difficulty=2,
    practises="transposes, and why sizes should differ",
    statement=r"""
A deep network without biases: tanh in every layer, a batch in rows, $J = \frac{1}{2} \sum (A^{[L]} - Y)^2$. Its author tried it with all
layers 8 wide. Nothing complains, and the loss falls a little. The numeric check says that the last layer's gradient is right and all
others are wrong. With layers of different widths NumPy refuses one of the products. Mend it.
""",
    solution="""
def gradients(X, Y, weights):
    \"\"\"The gradient of each weight, in the order of the layers.

    X: (B, n[0]); weights[l]: (n[l + 1], n[l]); Y: (B, n[L]).
    \"\"\"
    activations = [X]
    for W in weights:
        activations.append(np.tanh(activations[-1] @ W.T))
    delta = (activations[-1] - Y) * (1 - activations[-1] ** 2)
    found = []
    for i in reversed(range(len(weights))):
        found.append(delta.T @ activations[i])
        if i > 0:
            delta = (delta @ weights[i]) * (1 - activations[i] ** 2)
    return found[::-1]
""",
    name="gradients",
    hint="Write the shape of each factor beside the products, for widths 3, 4 and 2 and a batch of 5.",
    derivation=r"""
Forward, a batch in rows is multiplied by $W^\top$; so backward it is multiplied by $W$, (3.10): $\partial J/\partial A = \Delta W$. A
transpose there sums over the layer's inputs where (3.6) sums over its neurons. For a square matrix both products exist, and only the
values differ. The last layer's own gradient $\Delta^\top A$ is computed before the wrong product, so it is right.
""",
    tests=(
        Test("two square layers", deep(1, 2, 2, 2)),
        Test("three layers of different widths", deep(5, 3, 4, 6, 2), points=2),
        Test("one layer", deep(3, 4, 2), hidden=True),
        Test("six square layers", deep(4, *[3] * 7), hidden=True),
    ),
    wrong=(
        Wrong(
            "works-for-square-only",
            "(delta @ weights[i])",
            "(delta @ weights[i].T)",
            "On the way back the gradient is multiplied by the transpose of W. That fits only square layers, and is wrong there too.",
            "Forward there is a transpose, W.T; the product that undoes it has none.",
        ),
        Wrong(
            "off-by-one-shift",
            "* (1 - activations[i] ** 2)\n    return",
            "* (1 - activations[i + 1] ** 2)\n    return",
            "The slope is that of the layer above: activations[i] is the output of the layer below W[i], and its slope is wanted.",
            "Which activation did W[i] read?",
        ),
        Wrong(
            "order-reversed",
            "return found[::-1]",
            "return found",
            "The gradients are returned from the last layer to the first.",
            "In which order does the loop visit the layers?",
        ),
        Wrong(
            "",
            "* (1 - activations[i] ** 2)",
            "* (1 - activations[-1] ** 2)",
            why="The slope was always that of the last layer. Each layer has its own, at its own activations.",
            look="Which activations stand in 1 - a².",
        ),
    ),
    after="Which shapes would you give the first test of a network that you write?",
)


def contexts(batch: int, length: int, vocabulary: int, *, width: int = 2, hidden: int = 3, repeat: bool = True) -> Any:
    """Draws the parameters of the language model (3.21), contexts and targets; without `repeat`, no token occurs twice."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        shapes = (vocabulary, width), (hidden, length * width), (hidden,), (vocabulary, hidden), (vocabulary,)
        count = batch * length
        ids = rng.integers(0, vocabulary // 2 + 1, count) if repeat else rng.permutation(vocabulary)[:count]
        if repeat and count > 1:
            ids[1] = ids[0]
        targets = rng.integers(0, vocabulary, batch)
        return (*(rng.standard_normal(shape) for shape in shapes), ids.reshape(batch, length), targets)

    return inputs


LANGUAGE_MODEL = Task(
    id="3.16",
    title="Back through a whole language model",
    kind="code",
    minutes=40,
    difficulty=3,
    practises="backpropagation by hand, from the loss to the embedding",
    statement=r"""
The model (3.21) reads a context of `T` tokens, looks up a row of `C` for each, and lays the rows end to end: `x` is `(B, T * width)`.
Then $s = U \tanh(Hx + d) + b$, and the loss (1.5) is the mean of $-\ln p$ over the batch.

Write `gradients(C, H, d, U, b, contexts, targets)` in NumPy alone. It returns the gradients of `C`, `H`, `d`, `U` and `b`, in this order.

A token may occur several times, in one context or in several: its row of `C` is used each time.
""",
    stub='''
def gradients(C, H, d, U, b, contexts, targets):
    """The gradients of C, H, d, U, b.

    C: (V, width); H: (n, T * width); d: (n,); U: (V, n); b: (V,);
    contexts: (B, T) and targets: (B,), integers below V.
    """
    raise NotImplementedError
''',
    solution="""
def gradients(C, H, d, U, b, contexts, targets):
    B = len(targets)
    x = C[contexts].reshape(B, -1)
    a = np.tanh(x @ H.T + d)
    s = a @ U.T + b
    p = np.exp(s - s.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    s_bar = p.copy()
    s_bar[np.arange(B), targets] -= 1
    s_bar /= B
    z_bar = (s_bar @ U) * (1 - a**2)
    rows = (z_bar @ H).reshape(*contexts.shape, -1)
    C_bar = np.zeros_like(C)
    np.add.at(C_bar, contexts, rows)
    return C_bar, z_bar.T @ x, z_bar.sum(axis=0), s_bar.T @ a, s_bar.sum(axis=0)
""",
    name="gradients",
    hint=r"""
Go back one line at a time, and write the shape beside each. The softmax with its cross-entropy is one step, as in 3.4. For the embedding:
where does each piece of `x_bar` come from, and what happens when two come from the same row?
""",
    derivation=r"""
$\bar s = (P - Y)/B$; then (3.10) gives $\bar U = \bar s^\top a$, $\bar b = \sum_k \bar s_k$ and $\bar a = \bar s\, U$. Through the tanh,
(2.4): $\bar z = \bar a \odot (1 - a^2)$; by (3.10) again $\bar H = \bar z^\top x$, $\bar d = \sum_k \bar z_k$, $\bar x = \bar z H$.

$x$ is a copy of rows of $C$. Each piece of $\bar x$ goes back to the row it was copied from, and by (3.4) the pieces of one row are
added: $\bar C_v = \sum_{(k, t):\, c_{kt} = v} \bar x_{kt}$. `C_bar[contexts] += rows` writes each row once and keeps the last sum
only; `np.add.at` adds once per occurrence. Rows of tokens that do not occur stay 0.
""",
    tests=(
        Test("one context, no token twice", contexts(1, 2, 3, repeat=False), points=2),
        Test("one context, a token twice", contexts(1, 3, 4), points=2),
        Test("a batch", contexts(4, 3, 7), points=2, labels={"the batch": 4, "the context": 3, "the vocabulary": 7}),
        Test("contexts of one token", contexts(6, 1, 5), hidden=True),
        Test("a wide embedding", contexts(2, 2, 5, width=7, hidden=4), hidden=True),
    ),
    wrong=(
        Wrong("fancy-index-adds-once", "np.add.at(C_bar, contexts, rows)", "C_bar[contexts] += rows"),
        Wrong("gradient-not-divided-by-batch", "s_bar /= B", "s_bar /= 1"),
        Wrong("target-not-subtracted", "s_bar[np.arange(B), targets] -= 1", "s_bar[np.arange(B), targets] -= 0"),
        Wrong("tanh-derivative-without-square", "1 - a**2", "1 - a"),
        Wrong(
            "flattened-in-wrong-order",
            "rows = (z_bar @ H).reshape(*contexts.shape, -1)",
            "rows = (z_bar @ H).reshape(B, -1, contexts.shape[1]).swapaxes(1, 2)",
        ),
        Wrong(
            "",
            "(s_bar @ U) * (1 - a**2)",
            "s_bar @ U",
            "The gradient went past the tanh without its slope.",
            "U reads a, and H writes z: between them stands the tanh, forward and backward.",
        ),
        Wrong(
            "fancy-index-adds-once",
            "np.add.at(C_bar, contexts, rows)",
            "for t in range(contexts.shape[1]):\n        C_bar[contexts[:, t]] += rows[:, t]",
            why=(
                "Place by place helps only half: two contexts of the batch may have the same token at one place, and "
                "`+=` with repeated ids adds once."
            ),
            look="A batch of two equal contexts.",
        ),
        Wrong(
            "softmax-over-wrong-axis",
            "p /= p.sum(axis=1, keepdims=True)",
            "p /= p.sum(axis=0, keepdims=True)",
        ),
    ),
    after="Take ten steps of gradient descent on one batch of real text. Does the loss fall below the bigram's?",
)

TASKS = (ONLY_SQUARE, LANGUAGE_MODEL)

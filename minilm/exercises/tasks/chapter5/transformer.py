"""The Transformer block, the matrix that is used twice, the loss, and the cache of a model that writes."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter5.given import Inputs

SETUP_OF_A_BLOCK = '''import math

import numpy as np


def norm(x):
    """Each row with mean 0 and variance 1."""
    centered = x - x.mean(axis=-1, keepdims=True)
    return centered / np.sqrt((centered**2).mean(axis=-1, keepdims=True) + 1e-5)


def gelu(x):
    return x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
'''


def block_inputs(T: int, C: int, heads: int) -> Inputs:
    """Draws a text's vectors, and the six matrices of a block."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        shapes = {"q": (C, C), "k": (C, C), "v": (C, C), "o": (C, C), "1": (C, 4 * C), "2": (4 * C, C)}
        return (
            3 * rng.standard_normal((T, C)),
            {name: rng.standard_normal(shape) for name, shape in shapes.items()},
            heads,
        )

    return inputs


BLOCK = Task(
    id="5.21",
    title="A Transformer block in NumPy",
    kind="code",
    minutes=40,
    difficulty=3,
    practises="norm before, residual, heads, MLP",
    statement=r"""
Write the forward pass (4.35) of GPT's block, `block(x, w, heads)`: for the vectors `x` `(T, C)` of one text,

- $u = x +$ causal attention of `norm(x)` with `heads` heads, then
- $z = u + \operatorname{GELU}(\hat u\, W_1)\, W_2$ with $\hat u =$ `norm(u)`.

`w` holds the matrices: `w["q"]`, `w["k"]`, `w["v"]`, `w["o"]` `(C, C)`, `w["1"]` `(C, 4C)`, `w["2"]` `(4C, C)`. Head $h$ has the columns
$h D$ to $(h + 1) D - 1$ of queries, keys and values, $D = C / H$; the heads' outputs stand side by side before `w["o"]`. `norm`, `gelu` and
`softmax` (over the last axis) are given.
""",
    stub='''
def block(x, w, heads):
    """A Transformer block with the norms before the sublayers, and without biases.

    x: (T, C); w: dict of matrices; heads divides C. Returns (T, C).
    """
    raise NotImplementedError
''',
    solution="""
def block(x, w, heads):
    T, C = x.shape
    D = C // heads
    qkv = (norm(x) @ w[name] for name in "qkv")
    q, k, v = (y.reshape(T, heads, D).transpose(1, 0, 2) for y in qkv)
    s = q @ k.transpose(0, 2, 1) / np.sqrt(D)
    p = softmax(np.where(np.tri(T, dtype=bool), s, -np.inf))
    y = (p @ v).transpose(1, 0, 2).reshape(T, C)
    u = x + y @ w["o"]
    return u + gelu(norm(u) @ w["1"]) @ w["2"]
""",
    name="block",
    hint="Write the shape behind every line: (T, C), (H, T, D), (H, T, T), (H, T, D), (T, C). Which axis must be where before a reshape?",
    derivation=r"""
`reshape(T, H, D)` cuts each row into its heads, and the transpose puts the head first, so that `@` works per head: scores
`(H, T, T)`, divided by $\sqrt D$, masked before the softmax. The way back is the reverse: transpose to `(T, H, D)`, then the reshape puts
the heads side by side, and $W_O$ mixes them as in (4.29). Each residual adds to what came *in*, not to its norm: so there is a straight
way from the last block to the embedding.
""",
    tests=(
        Test("one position, one head", block_inputs(1, 2, 1)),
        Test("one head", block_inputs(3, 4, 1), labels={"the time": 3, "the width": 4}),
        Test("two heads", block_inputs(5, 6, 2), points=2, labels={"the time": 5, "the width": 6, "a head": 3}),
        Test("as many heads as columns", block_inputs(3, 4, 4), hidden=True),
        Test(
            "longer than wide", block_inputs(9, 6, 3), hidden=True, labels={"the time": 9, "the width": 6, "a head": 2}
        ),
    ),
    wrong=(
        Wrong(
            "residual-forgotten", 'return u + gelu(norm(u) @ w["1"]) @ w["2"]', 'return gelu(norm(u) @ w["1"]) @ w["2"]'
        ),
        Wrong(
            "",
            'u = x + y @ w["o"]',
            'u = norm(x) + y @ w["o"]',
            why="The residual adds to the normalized vectors: the straight way from the input to the output is cut by a norm.",
            look="What stands before the plus in (4.35)?",
        ),
        Wrong("sees-the-future", "softmax(np.where(np.tri(T, dtype=bool), s, -np.inf))", "softmax(s)"),
        Wrong("heads-merged-without-transpose", "(p @ v).transpose(1, 0, 2).reshape(T, C)", "(p @ v).reshape(T, C)"),
        Wrong("heads-split-by-reshape-only", "reshape(T, heads, D).transpose(1, 0, 2)", "reshape(heads, T, D)"),
        Wrong("scale-by-the-wrong-size", "np.sqrt(D)", "np.sqrt(C)"),
        Wrong(
            "",
            'gelu(norm(u) @ w["1"])',
            'gelu(u @ w["1"])',
            why="The second norm is missing: the network reads norm(u).",
            look='What goes into w["1"].',
        ),
        Wrong(
            "",
            "(norm(x) @ w[name] for",
            "(x @ w[name] for",
            why="The first norm is missing: queries, keys and values are made of norm(x).",
            look="What goes into attention.",
        ),
    ),
    setup=SETUP_OF_A_BLOCK,
    after="Add the two embeddings, a last norm and the tied output, and you have GPT. Compare with `ml.models.GPT` with `bias=False`.",
)


def tied(V: int, C: int, ids: list[int] | int, scale: float = 1.0) -> Inputs:
    """Draws an embedding, ids (or takes the given ones) and targets."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        x = rng.integers(V, size=ids) if isinstance(ids, int) else np.array(ids)
        return scale * rng.standard_normal((V, C)), x, rng.integers(V, size=len(x))

    return inputs


TIED_WEIGHTS = Task(
    id="5.22",
    title="One matrix, two gradients",
    kind="code",
    minutes=20,
    difficulty=3,
    practises="two paths to one parameter, repeated indices",
    statement=r"""
In the smallest tied language model the embedding `E` `(V, C)` is also the output layer: $h_n = E_{x_n}$, logits $z_n = E\, h_n$, and the
loss is the mean cross-entropy with the targets. Write `tied_gradient(E, x, targets)`: the gradient of the loss with respect to `E`.

The same id may occur several times in `x`.
""",
    stub='''
def tied_gradient(E, x, targets):
    """The gradient of the mean cross-entropy of a model with tied weights.

    E: (V, C); x, targets: (N,) ids. Returns (V, C).
    """
    raise NotImplementedError
''',
    solution="""
def tied_gradient(E, x, targets):
    h = E[x]
    z = h @ E.T
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    p[np.arange(len(x)), targets] -= 1
    z_bar = p / len(x)
    E_bar = z_bar.T @ h
    np.add.at(E_bar, x, z_bar @ E)
    return E_bar
""",
    name="tied_gradient",
    hint="Give the matrix two names, one for each place where it is used, and find both gradients. What if both are the same?",
    derivation=r"""
Write $z = h\, U^\top$ with $h = E_x$. For the output layer (4.33, 4.34) give $\bar U = \bar z^\top h$ and $\bar h = \bar z\, U$, with
$\bar z = (p - y) / N$. For the embedding, row $v$ of $\bar E$ is the sum of $\bar h_n$ over all $n$ with $x_n = v$. Since $U = E$, the
loss depends on $E$ on two ways, and the gradients add. `E_bar[x] += ...` would add only one of the rows of a repeated id;
`np.add.at` adds all. Rows that do not occur in the input get a gradient from the output layer nevertheless.
""",
    tests=(
        Test("one id", tied(2, 1, [0])),
        Test("different ids", tied(5, 3, [4, 0, 2, 1]), labels={"the batch": 4, "the width": 3, "the vocabulary": 5}),
        Test(
            "an id that repeats",
            tied(5, 3, [2, 2, 0, 2]),
            points=2,
            labels={"the batch": 4, "the width": 3, "the vocabulary": 5},
        ),
        Test("a long text", tied(6, 4, 50), hidden=True, labels={"the batch": 50, "the width": 4, "the vocabulary": 6}),
        Test(
            "large logits",
            tied(4, 3, 5, scale=100),
            hidden=True,
            labels={"the batch": 5, "the width": 3, "the vocabulary": 4},
        ),
    ),
    wrong=(
        Wrong("fancy-index-adds-once", "np.add.at(E_bar, x, z_bar @ E)", "E_bar[x] += z_bar @ E"),
        Wrong(
            "second-path-forgotten",
            "    np.add.at(E_bar, x, z_bar @ E)\n",
            "",
            why="The gradient of the output layer is there, and that of the embedding is missing.",
        ),
        Wrong(
            "second-path-forgotten",
            "E_bar = z_bar.T @ h",
            "E_bar = np.zeros_like(E)",
            why="The gradient of the embedding is there, and that of the output layer is missing.",
        ),
        Wrong("set-not-accumulated", "np.add.at(E_bar, x, z_bar @ E)", "E_bar[x] = z_bar @ E"),
        Wrong("gradient-not-divided-by-batch", "p / len(x)", "p"),
        Wrong("softmax-not-stable", "z - z.max(axis=1, keepdims=True)", "z"),
        Wrong(
            "mean-for-sum",
            "return E_bar",
            "return E_bar / 2",
            why="The gradients of the two uses were averaged. They add up.",
            look="A matrix that is used twice.",
        ),
    ),
    after="Compare with `ml`: one leaf, used twice. Who adds the two gradients there?",
)

SHIFTED = Task(
    id="5.30",
    title="A loss that is too good",
    kind="find the bug",
    minutes=10,
    difficulty=1,
    practises="what is predicted from what",
    statement=r"""
`loss(logits, ids)` is the mean cross-entropy of a language model: `ids` `(B, T)` is a batch of texts, `logits` `(B, T, V)` what the model
gave at each position for the id that comes next. The last position has no target.

In training the loss falls to nearly 0 within a hundred steps, on held-out text as well. Then the model is asked to write, and it repeats
the last character of the prompt for ever. Find the bug and mend it.
""",
    solution="""
def loss(logits, ids):
    logits, targets = logits[:, :-1], ids[:, 1:]
    largest = logits.max(axis=-1, keepdims=True)
    lse = largest[..., 0] + np.log(np.exp(logits - largest).sum(axis=-1))
    chosen = np.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    return (lse - chosen).mean()
""",
    name="loss",
    hint="Which task would a model learn so quickly and so well? Look at one text of two characters, and name the logits and the target.",
    derivation=r"""
The output at position $t$ is a prediction of $x_{t+1}$ (1.5): `logits[:, :-1]` belongs to `ids[:, 1:]`. With `ids[:, :-1]` the model is
to name the character that it has just read, and that needs no language at all. It generalizes perfectly, too, so held-out text does not
warn. A loss far below that of counting is a reason to look, not to rejoice.
""",
    tests=(
        Test("two positions", lambda rng: (np.log(np.array([[[0.25, 0.75], [0.5, 0.5]]])), np.array([[0, 1]]))),
        Test("a batch", lambda rng: (rng.standard_normal((3, 5, 4)), rng.integers(4, size=(3, 5))), points=2),
        Test(
            "large logits",
            lambda rng: (1000 * rng.standard_normal((2, 6, 3)), rng.integers(3, size=(2, 6))),
            hidden=True,
        ),
    ),
    wrong=(
        Wrong("targets-not-shifted", "ids[:, 1:]", "ids[:, :-1]"),
        Wrong(
            "",
            "logits[:, :-1], ids[:, 1:]",
            "logits[:, 1:], ids[:, :-1]",
            why="Shifted the wrong way: each output is compared with the character before it.",
            look="The logits of position 0 are a prediction of which id?",
        ),
        Wrong(
            "",
            "logits[:, :-1], ids[:, 1:]",
            "logits, np.roll(ids, -1, axis=1)",
            why="`np.roll` makes the first character of a text the target of the last position.",
            look="The last position has no target.",
        ),
        Wrong(
            "",
            "logits[:, :-1], ids[:, 1:]",
            "logits[:, 1:], ids[:, 1:]",
            why="Both were moved by one, so each position is still scored against its own id.",
            look="Which logits belong to the id at place 1.",
        ),
    ),
    after="Write the one-line check that catches this on the first day: what must the loss of an untrained model be?",
)


def appended(answer: Any, d: int, parts: list[Any]) -> Any:
    """What the cache gives back after each part."""
    cache = answer(16, d)
    return [tuple(np.array(x) for x in cache.append(part, -part)) for part in parts]


def parts(d: int, *sizes: int) -> Inputs:
    """Draws the keys of several parts of a text, of these numbers of positions."""
    return lambda rng: (d, [rng.standard_normal((size, d)) for size in sizes])


CACHE_POSITION = Task(
    id="5.31",
    title="The cache and the long prompt",
    kind="find the bug",
    minutes=10,
    difficulty=2,
    practises="counting positions in a cache",
    statement=r"""
`Cache(T, d)` has room for the keys and values of $T$ positions. `append(keys, values)` takes those of the next positions, both `(t, d)`,
and returns all that are there so far. A prompt is appended as a whole, then each written character for itself.

After a prompt of one character all is well. After a longer one, the model writes one more character as it should, and from the second
on it loses the thread. Find the bug and mend it.
""",
    solution="""
class Cache:
    def __init__(self, T, d):
        self.keys, self.values = np.zeros((T, d)), np.zeros((T, d))
        self.length = 0

    def append(self, keys, values):
        end = self.length + len(keys)
        self.keys[self.length : end] = keys
        self.values[self.length : end] = values
        self.length = end
        return self.keys[:end], self.values[:end]
""",
    name="Cache",
    hint="Write down `length` and `end` for a prompt of three characters and two more. Where is the second of these two written to?",
    derivation=r"""
The next position to be written is the number of positions that are there. With `length += 1` per call a prompt of $t$ characters counts
as one: the next key is written to place 1, over the prompt's second, and so on. For $t = 1$ both are the same, which is why
a test with single characters passes. Test a cache against the whole pass, with parts of different sizes.
""",
    tests=(
        Test("one position", parts(2, 1), use=appended, call="append(keys, values) once"),
        Test("one by one", parts(2, 1, 1, 1), use=appended, call="append(keys, values) three times"),
        Test("a prompt and two more", parts(2, 3, 1, 1), use=appended, call="append of 3, 1 and 1 positions", points=2),
        Test(
            "prompts in between",
            parts(3, 2, 1, 4, 1, 1),
            use=appended,
            call="append of 2, 1, 4, 1 and 1 positions",
            hidden=True,
        ),
    ),
    wrong=(
        Wrong("cache-position-wrong", "self.length = end", "self.length += 1"),
        Wrong(
            "cache-overwritten",
            "self.length = end",
            "self.length = len(keys)",
            why="Only the last part was counted: from the third part on, earlier ones are overwritten.",
        ),
        Wrong(
            "cache-position-wrong",
            "self.length = end",
            "self.length = end - 1",
            why="The last position of each part is overwritten by the first of the next.",
            look="How many positions are there after a prompt of one character?",
        ),
        Wrong(
            "",
            "return self.keys[:end], self.values[:end]",
            "return self.keys[: len(keys)], self.values[: len(keys)]",
            why="As many rows are returned as were just appended. Asked for are all that are there.",
            look="How many rows the second call returns.",
        ),
        Wrong(
            "",
            "return self.keys[:end], self.values[:end]",
            "return self.keys, self.values",
            why="The whole room is returned, with rows of zeros for positions that are not there yet. Their score is 0, and exp(0) is 1.",
            look="How many rows the first call returns.",
        ),
    ),
    after="What should `append` do when the text is longer than T? Read `minilm.models.cache`.",
)

TASKS = (BLOCK, TIED_WEIGHTS, SHIFTED, CACHE_POSITION)

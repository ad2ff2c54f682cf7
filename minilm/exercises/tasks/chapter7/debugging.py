"""A loop that does not learn, a test that finds why, and two numbers that show it while it trains."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong


def _classified(N: int, n: int, K: int, batch: int, epochs: int) -> Any:
    def inputs(rng: Generator) -> tuple[Any, ...]:
        y = rng.integers(0, K, N)
        centers = 2 * rng.standard_normal((K, n))
        return centers[y] + 0.5 * rng.standard_normal((N, n)), y, K, 0.1, epochs, batch, int(rng.integers(2**31))

    return inputs


LOOP = Task(
    id="7.4",
    title="A loop that goes round and round",
    kind="find the bug",
    minutes=20,
    difficulty=2,
    practises="reading a training loop, one line after the other",
    statement=r"""
`fit` trains softmax regression by mini-batches, and raises no error. With one batch in all it does what it should. With several the loss
falls at first, and then goes up and down in ever larger waves, however small the learning rate is; with a smaller one the waves are
slower. The ten checks say that a check called *gradients are right* fails, and that central differences agree.

Find the bug and mend it.
""",
    solution='''
def fit(X, y, classes, lr, epochs, batch, seed):
    """Softmax regression by mini-batches: its weights, (features, classes).

    X: (N, features). y: (N,), integers. Each epoch goes through all examples once,
    in an order of its own; the loss of a batch is a mean.
    """
    rng = np.random.default_rng(seed)
    W = np.zeros((X.shape[1], classes))
    for _ in range(epochs):
        order = rng.permutation(len(X))
        for i in range(0, len(X), batch):
            rows = order[i : i + batch]
            z = X[rows] @ W
            p = np.exp(z - z.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            p[np.arange(len(rows)), y[rows]] -= 1
            g = np.zeros_like(W)
            g += X[rows].T @ p / len(rows)
            W = W - lr * g
    return W
''',
    name="fit",
    hint="Waves are what a ball does in a bowl: something keeps its momentum. Which array remembers the batches before?",
    derivation=r"""
`g` was made once, before the loops, and each batch added to it: after $t$ batches the step is $-\eta \sum_{s \le t} g_s$. A sum of all
gradients
is a velocity that nothing slows down (momentum with $\mu = 1$), so the weights swing around the minimum. A smaller rate makes the swing
slower, not smaller. With one batch in all there is nothing to add to. `g` belongs in the inner loop; in an engine that is `zero_grad()`.
""",
    tests=(
        Test("one batch", _classified(6, 2, 2, 6, 1)),
        Test("two batches", _classified(8, 2, 3, 4, 1), points=2),
        Test("three epochs", _classified(12, 3, 3, 4, 3)),
        Test("a last batch that is smaller", _classified(10, 3, 3, 4, 2), hidden=True),
    ),
    wrong=(
        Wrong(
            "gradient-not-zeroed",
            """    for _ in range(epochs):
        order = rng.permutation(len(X))
        for i in range(0, len(X), batch):
            rows = order[i : i + batch]
            z = X[rows] @ W
            p = np.exp(z - z.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            p[np.arange(len(rows)), y[rows]] -= 1
            g = np.zeros_like(W)
""",
            """    g = np.zeros_like(W)
    for _ in range(epochs):
        order = rng.permutation(len(X))
        for i in range(0, len(X), batch):
            rows = order[i : i + batch]
            z = X[rows] @ W
            p = np.exp(z - z.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            p[np.arange(len(rows)), y[rows]] -= 1
""",
            why="Each batch adds its gradient to those of all batches before: the step is that of their sum.",
            look="Where `g` is set to zero, and how often.",
        ),
        Wrong(
            "",
            """        order = rng.permutation(len(X))
        for i in range(0, len(X), batch):
            rows = order[i : i + batch]
            z = X[rows] @ W
            p = np.exp(z - z.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            p[np.arange(len(rows)), y[rows]] -= 1
            g = np.zeros_like(W)
""",
            """        order = rng.permutation(len(X))
        g = np.zeros_like(W)
        for i in range(0, len(X), batch):
            rows = order[i : i + batch]
            z = X[rows] @ W
            p = np.exp(z - z.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            p[np.arange(len(rows)), y[rows]] -= 1
""",
            why="The gradient is forgotten once per epoch. It belongs to a batch: forget it before each one.",
            look="How many batches an epoch has.",
        ),
        Wrong(
            "shuffle-breaks-pairs",
            "y[rows]",
            "y[i : i + batch]",
            why="The inputs are taken in the new order, their classes in the old one: they do not belong together.",
        ),
        Wrong(
            "gradient-not-divided-by-batch",
            "X[rows].T @ p / len(rows)",
            "X[rows].T @ p",
        ),
        Wrong(
            "",
            "X[rows].T @ p / len(rows)",
            "X[rows].T @ p / batch",
            why="The last batch may be smaller than `batch`; its mean is over the rows that it has.",
            look="Ten examples in batches of four.",
        ),
        Wrong("update-with-plus", "W = W - lr * g", "W = W + lr * g"),
        Wrong(
            "softmax-over-wrong-axis",
            "p /= p.sum(axis=1, keepdims=True)",
            "p /= p.sum(axis=0, keepdims=True)",
        ),
    ),
    after="Which momentum would have been harmless? Write the velocity beside `g`, and watch the loss with 0.9 and with 1.",
)


OVERFIT = Task(
    id="7.5",
    title="A test that no broken network passes",
    kind="write the test",
    minutes=20,
    difficulty=2,
    practises="the checks of section 7.2 as a test of one's own",
    statement=r"""
`learn(X, y, steps)` trains a network with one hidden layer on one batch. It returns the losses (the one before each step) and the
probabilities after the last step, (N, K).

Write `test_learn(learn)`. It gets such a function, and raises AssertionError if it is wrong; a right one passes. Seven broken ones wait,
none of which raises an error. What do you know of the first loss, before anything was learned? Of the last? Of the probabilities?
""",
    stub='''
def test_learn(learn):
    """Raises AssertionError if `learn` is broken.

    It is called as learn(X, y, steps): X (N, features), y (N,) integers from 0. It
    returns a list of losses and an array of probabilities, (N, classes).
    """
    losses, p = learn(np.eye(4), np.array([0, 1, 2, 1]), 5)
    assert False, "ask for something that a right function does"
''',
    subject='''
def learn(X, y, steps):
    """The losses, each before a step on one batch, and the last probabilities."""
    rng = np.random.default_rng(0)
    rows, K = np.arange(len(y)), y.max() + 1
    W = rng.standard_normal((X.shape[1], 32)) / np.sqrt(X.shape[1])
    b, V, losses = np.zeros(32), 0.01 * rng.standard_normal((32, K)), []
    for step in range(steps + 1):
        h = np.maximum(X @ W + b, 0)
        z = h @ V
        e = np.exp(z - z.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        if step == steps:
            return losses, p
        losses.append(float(-np.log(p[rows, y] + 1e-30).mean()))
        dz = (p - (np.arange(K) == y[:, None])) / len(y)
        dh = dz @ V.T * (h > 0)
        V -= 0.3 * h.T @ dz
        W -= 0.3 * X.T @ dh
        b -= 0.3 * dh.sum(axis=0)
''',
    solution="""
def test_learn(learn):
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((9, 6)), np.array([0, 1, 2, 0, 1, 2, 0, 0, 1])
    losses, p = learn(X, y, 400)
    assert len(losses) == 400
    assert abs(losses[0] - np.log(3)) < 0.1
    assert losses[-1] < 0.05 * losses[0]
    assert np.allclose(p.sum(axis=1), 1)
    assert (p.argmax(axis=1) == y).all()
    assert p[np.arange(9), y].min() > 0.8
""",
    name="test_learn",
    hint="Eight examples, three classes, some hundred steps: a network that is right knows them by heart. Ask for ln 3 at the beginning.",
    derivation=r"""
A network that knows nothing gives each of $K$ classes $1/K$: the first loss is $\ln K$. That finds weights that begin too large. A few
examples can be learned by heart: the last loss is near 0. That finds dead units, a lost input, steps uphill, steps too long, a softmax
over the wrong axis. And a loss may fall without the answers being right, when the classes were mixed up on the way: so the largest
probability of each row must be that of the class that *you* gave.
""",
    wrong=(
        Wrong(
            "",
            "b, V, losses = np.zeros(32)",
            "b, V, losses = np.zeros(32) - 10",
            why="The bias of -10 makes all hidden units dead: no gradient reaches the first layer.",
            look="The last loss.",
        ),
        Wrong(
            "",
            "0.01 * rng",
            "10 * rng",
            why="The last layer begins so large that the network is sure before it has learned.",
            look="The first loss: ln K is expected.",
        ),
        Wrong(
            "",
            "rows, K = np.arange(len(y)), y.max() + 1",
            "rows, K, y = np.arange(len(y)), y.max() + 1, rng.permutation(y)",
            why="The classes are shuffled apart from the inputs: the loss falls, the answers are wrong.",
            look="The largest probability of each row.",
        ),
        Wrong(
            "",
            "np.maximum(X @ W + b, 0)",
            "np.maximum(0 * X @ W + b, 0)",
            why="The input is multiplied by 0: all examples get the same answer.",
            look="The last loss.",
        ),
        Wrong("softmax-over-wrong-axis", "e / e.sum(axis=1, keepdims=True)", "e / e.sum(axis=0, keepdims=True)"),
        Wrong("update-with-plus", "V -= 0.3 * h.T @ dz", "V += 0.3 * h.T @ dz"),
        Wrong(
            "",
            "        V -= 0.3 * h.T @ dz\n        W -= 0.3 * X.T @ dh\n",
            "        V -= 300 * h.T @ dz\n        W -= 300 * X.T @ dh\n",
            why="The steps are a thousand times too long.",
            look="The last loss.",
        ),
    ),
    after="Freeze the first layer (delete its two updates): does your test notice? Should it?",
)


def _layer(a: int, b: int, shape: tuple[int, ...], shift: float) -> Any:
    def inputs(rng: Generator) -> tuple[Any, ...]:
        before = [rng.standard_normal((a, b)), rng.standard_normal(b)]
        after = [w - 0.01 * rng.standard_normal(w.shape) for w in before]
        return before, after, np.maximum(rng.standard_normal((*shape, b)) - shift, 0)

    return inputs


def _by_hand(rng: Generator) -> tuple[Any, ...]:
    before = [np.array([[3.0, 0.0], [0.0, 0.0]]), np.array([0.0, 4.0])]
    after = [np.array([[3.0, 0.03], [0.0, 0.0]]), np.array([0.0, 3.96])]
    return before, after, np.array([[0.0, 0.0], [0.0, 2.0]])


FLOW = Task(
    id="7.6",
    title="Two needles of the dashboard",
    kind="code",
    minutes=20,
    difficulty=1,
    practises="norms over several arrays, all against any",
    statement=r"""
Write `needles(before, after, hidden)`: two numbers of one layer at one step.

- The update ratio (7.2.2), $\lVert \Delta w \rVert / \lVert w \rVert$. `before` and `after` are lists of the layer's arrays; the norm is
  that of all their numbers as one vector, and $w$ are the weights before the step. Where they are all 0, the ratio is NaN.
- The share of dead units, from 0 to 1. `hidden` is what ReLU gave, of shape (..., units): examples, perhaps positions, and the units last.
  A unit is dead if it gave 0 for the whole batch.
""",
    stub='''
def needles(before, after, hidden):
    """The update ratio and the share of dead units of a layer: two floats.

    before, after: lists of its arrays. hidden: (..., units), ReLU's output.
    """
    raise NotImplementedError
''',
    solution="""
def needles(before, after, hidden):
    w = np.concatenate([a.ravel() for a in before])
    step = np.concatenate([a.ravel() for a in after]) - w
    size = np.linalg.norm(w)
    dead = (hidden == 0).reshape(-1, hidden.shape[-1]).all(axis=0)
    ratio = float(np.linalg.norm(step) / size) if size else float("nan")
    return ratio, float(dead.mean())
""",
    name="needles",
    hint="For the norm, put all numbers into one vector. For the dead units, bring `hidden` into the shape (everything else, units) first.",
    derivation=r"""
The norm of several arrays together is the root of the sum of *all* squares: squares are added, norms are not. In the first test the
weights are 3 and 4, so their norm is 5; the changes are 0.03 and $-0.04$, their norm 0.05, and the ratio 0.01.

Dead is a statement about *all* examples: `all` over every axis but that of the units, then the mean over the units. The share of zeros is
another number: ReLU gives 0 for about half of everything, in a network that is well.
""",
    tests=(
        Test("by hand", _by_hand, rtol=1e-6),
        Test("a batch", _layer(4, 6, (3,), 0.7), points=2, rtol=1e-6),
        Test("positions, too", _layer(3, 8, (2, 3), 1.0), hidden=True, rtol=1e-6),
        Test(
            "weights of 0",
            lambda rng: ([np.zeros(2)], [np.ones(2)], np.array([[0.0, 1.0]])),
            hidden=True,
        ),
    ),
    wrong=(
        Wrong(
            "",
            "ratio = float(np.linalg.norm(step) / size) if size",
            "size = float((w**2).sum())\n    ratio = float((step**2).sum() / size) if size",
            why="The root is missing: this is the ratio of the squares.",
            look="The test by hand: 0.05 and 5.",
        ),
        Wrong(
            "norms-summed",
            "    size = np.linalg.norm(w)\n",
            "    size = sum(float(np.linalg.norm(a)) for a in before)\n",
        ),
        Wrong(
            "",
            "    size = np.linalg.norm(w)\n",
            "    size = np.linalg.norm(w + step)\n",
            why="The update was divided by the weights after the step.",
            look="Which of the two lists has the weights before.",
        ),
        Wrong(
            "",
            ".all(axis=0)",
            ".any(axis=0)",
            why="A unit that gave 0 for one example was counted. Dead is one that gave 0 for all of them.",
            look="A unit that is 0 for one example and 2 for another.",
        ),
        Wrong(
            "",
            "(hidden == 0).reshape(-1, hidden.shape[-1]).all(axis=0)",
            "hidden == 0",
            why="This is the share of zeros among all numbers, not that of units which give nothing else.",
            look="How many units there are.",
        ),
        Wrong(
            "",
            ".all(axis=0)",
            ".all(axis=1)",
            why="This asks for examples for which all units gave 0, not for units that gave 0 for all examples.",
            look="The axis over which `all` runs, and the one that is left.",
        ),
        Wrong(
            "",
            'float("nan")',
            "0.0",
            why="Weights that are all 0 have no size to compare with: NaN is asked, not 0.",
            look="The last words of the statement on the ratio.",
        ),
    ),
    after="Train with a rate ten times too high, and watch both numbers.",
)

TASKS = (LOOP, OVERFIT, FLOW)

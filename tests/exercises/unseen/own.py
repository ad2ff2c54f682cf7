"""Small exercises of no chapter, with wrong answers to them."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test
from tests.exercises.unseen import Unseen


def normal(*shapes: tuple[int, ...], dtype: str = "float64", scale: float = 1.0) -> Any:
    return lambda rng: tuple((scale * rng.standard_normal(shape)).astype(dtype) for shape in shapes)


def task(number: int, name: str, solution: str, *tests: Test, setup: str = "import numpy as np\n") -> Task:
    stub = solution.split("\n")[0] + "\n    raise NotImplementedError\n"
    return Task(f"9.{number}", name, "code", 10, 1, "", "", solution, name, stub, tests=tests, setup=setup)


VARIANCE = task(
    1,
    "variance",
    "def variance(x):\n    return ((x - x.mean()) ** 2).sum() / (len(x) - 1)\n",
    Test("three numbers", normal((3,))),
    Test("ten numbers", normal((10,))),
    Test("far from zero", lambda rng: (rng.standard_normal(8) + 1000,)),
)
SOFTMAX = task(
    2,
    "softmax",
    "def softmax(x):\n    e = np.exp(x - x.max(axis=-1, keepdims=True))\n    return e / e.sum(axis=-1, "
    "keepdims=True)\n",
    Test("one row", normal((1, 3))),
    Test("a batch", normal((4, 3))),
    Test("large", normal((4, 5), scale=1000)),
    Test("float32", normal((2, 3), dtype="float32")),
)
MOVING = task(
    3,
    "moving_average",
    "def moving_average(x, k):\n    return np.array([x[i - k + 1 : i + 1].mean() for i in range(k - 1, len(x))])\n",
    Test("two of four", lambda rng: (rng.standard_normal(4), 2)),
    Test("three of ten", lambda rng: (rng.standard_normal(10), 3)),
    Test("all", lambda rng: (rng.standard_normal(5), 5)),
)
ONE_HOT = task(
    4,
    "one_hot",
    "def one_hot(ids, n):\n    return np.eye(n)[ids]\n",
    Test("one id", lambda rng: (np.array([1]), 3)),
    Test("five ids", lambda rng: (rng.integers(0, 4, 5), 4)),
    Test("more ids than classes", lambda rng: (rng.integers(0, 3, 9), 3)),
)
DROPOUT = task(
    5,
    "dropout",
    "def dropout(x, p, rng):\n    keep = rng.random(x.shape) >= p\n    return x * keep / (1 - p)\n",
    Test("p = 0.25", lambda rng: (rng.standard_normal((3, 4)), 0.25, np.random.default_rng(1))),
    Test("p = 0.4", lambda rng: (rng.standard_normal((5, 6)), 0.4, np.random.default_rng(2))),
)
LOSS = task(
    6,
    "mean_squared_error",
    "def mean_squared_error(a, y):\n    return float(((a - y) ** 2).mean())\n",
    Test("three numbers", normal((3,), (3,))),
    Test("a column", normal((5, 1), (5, 1))),
    Test("a matrix", normal((4, 6), (4, 6))),
)
GRADIENT = task(
    7,
    "gradient",
    "def gradient(X, y, w):\n    return 2 * X.T @ (X @ w - y) / len(X)\n",
    Test("one row", normal((1, 2), (1,), (2,))),
    Test("five rows", normal((5, 2), (5,), (2,))),
    Test("eight rows", normal((8, 3), (8,), (3,))),
)
SIGMOID_SLOPE = task(
    8,
    "sigmoid_backward",
    "def sigmoid_backward(z, g):\n    a = 1 / (1 + np.exp(-z))\n    return g * a * (1 - a)\n",
    Test("one number", normal((1,), (1,))),
    Test("a batch", normal((3, 4), (3, 4))),
)
NORMALIZE = task(
    9,
    "normalize",
    "def normalize(x):\n    return (x - x.mean(axis=0)) / x.std(axis=0)\n",
    Test("three rows", normal((3, 2))),
    Test("many rows", normal((20, 3))),
)
SMOOTH = task(
    10,
    "exponential_average",
    "def exponential_average(x, beta):\n    out, m = [], 0.0\n    for value in x:\n        m = beta * m + (1 - "
    "beta) * value\n"
    "        out.append(m)\n    return np.array(out)\n",
    Test("two values", lambda rng: (rng.standard_normal(2), 0.5)),
    Test("six values", lambda rng: (rng.standard_normal(6), 0.9)),
)
NEAREST = task(
    11,
    "nearest",
    "def nearest(x, points):\n    return int(((points - x) ** 2).sum(axis=1).argmin())\n",
    Test("three points", normal((2,), (3, 2))),
    Test("nine points", normal((2,), (9, 2))),
    Test("forty points", normal((3,), (40, 3))),
    Test("fifty points", normal((3,), (50, 3))),
)
DISTANCES = task(
    12,
    "distances",
    "def distances(a, b):\n    return np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=-1))\n",
    Test("two and three", normal((2, 2), (3, 2))),
    Test("five and four", normal((5, 3), (4, 3))),
    Test("four and four", normal((4, 4), (4, 4))),
)
COUNTS = task(
    13,
    "counts",
    "def counts(words):\n    found = {}\n    for word in words:\n        found[word] = found.get(word, 0) + 1\n  "
    "  return found\n",
    Test("two words", lambda rng: (["a", "b"],)),
    Test("a word twice", lambda rng: (["a", "b", "a"],)),
    Test("many", lambda rng: ([str(i) for i in rng.integers(0, 5, 30)],)),
)
FLATTEN = task(
    14,
    "flatten",
    "def flatten(images):\n    return images.reshape(len(images), -1).copy()\n",
    Test("two images", normal((2, 2, 3)), fresh=True),
    Test("five images", normal((5, 3, 4)), fresh=True),
)


def draw(rng: Generator) -> tuple[Any, ...]:
    p = rng.random((4, 5))
    return p / p.sum(axis=1, keepdims=True), rng.integers(0, 5, 4)


CROSS_ENTROPY = task(
    15,
    "cross_entropy",
    "def cross_entropy(p, targets):\n    return float(-np.log(p[np.arange(len(p)), targets]).mean())\n",
    Test("four rows", draw),
    Test("four others", draw),
)

FIRST = [
    Unseen(VARIANCE, "np.var without ddof", ("n-for-n-minus-one",), "def variance(x):\n    return x.var()\n"),
    Unseen(VARIANCE, "the standard deviation", ("std-for-variance",), "def variance(x):\n    return np.std(x, "
    "ddof=1)\n"),
    Unseen(VARIANCE, "mean not subtracted", ("summand forgotten", "rms-with-mean-subtracted", "mean not subtracted"),
           "def variance(x):\n    return (x * x).sum() / (len(x) - 1)\n"),
    Unseen(SOFTMAX, "no maximum", ("softmax-not-stable",),
     "def softmax(x):\n    e = np.exp(x)\n    return e / e.sum(axis=-1, keepdims=True)\n"),
    Unseen(SOFTMAX, "one sum for all", ("wrong-axis", "softmax-over-wrong-axis", "not normalized"),
           "def softmax(x):\n    e = np.exp(x - x.max())\n    return e / np.sum(e)\n"),
    Unseen(SOFTMAX, "a loop over the rows that returns in the first round", ("loop-returns-early", "other shape",
     "reduced too far", "one row only"),
           "def softmax(x):\n    out = np.zeros_like(x)\n    for i in range(len(x)):\n        e = np.exp(x[i] - "
           "x[i].max())\n"
           "        out[i] = e / e.sum()\n        return out\n"),
    Unseen(MOVING, "sum, not mean", ("sum-for-mean",),
           "def moving_average(x, k):\n    c = np.cumsum(np.concatenate([[0], x]))\n    return c[k:] - c[:-k]\n"),
    Unseen(MOVING, "the last window is missing", ("range-off-by-one",),
           "def moving_average(x, k):\n    return np.array([x[i : i + k].mean() for i in range(len(x) - k)])\n"),
    Unseen(ONE_HOT, "transposed", ("transposed-result",),
           "def one_hot(ids, n):\n    out = np.zeros((n, len(ids)))\n    for j, i in enumerate(ids):\n        "
           "out[i, j] = 1\n    return out\n"),
    Unseen(ONE_HOT, "ids counted from one", ("off-by-one-shift", "index out of range"),
           "def one_hot(ids, n):\n    out = np.zeros((len(ids), n))\n    for j, i in enumerate(ids):\n        "
           "out[j, i - 1] = 1\n    return out\n"),
    Unseen(ONE_HOT, "integers", ("wrong dtype",), "def one_hot(ids, n):\n    return (np.arange(n) == ids[:, "
    "None]).astype(int)\n"),
    Unseen(DROPOUT, "not rescaled", ("factor of an input", "divisor forgotten", "dropout-not-rescaled"),
           "def dropout(x, p, rng):\n    return np.where(rng.random(x.shape) < p, 0, x)\n"),
    Unseen(DROPOUT, "NumPy's global numbers", ("random-not-from-the-generator",),
           "def dropout(x, p, rng):\n    return x * (np.random.rand(*x.shape) >= p) / (1 - p)\n"),
    Unseen(LOSS, "absolute values", ("square forgotten", "absolute value", "norm"),
     "def mean_squared_error(a, y):\n    return float(np.abs(a - y).mean())\n"),
    Unseen(LOSS, "halved", ("factor-two-missing",), "def mean_squared_error(a, y):\n    return float(0.5 * "
    "np.mean((y - a) ** 2))\n"),
    Unseen(LOSS, "mean over rows only", ("mean missing", "wrong-axis"),
     "def mean_squared_error(a, y):\n    return ((a - y) ** 2).mean(axis=0)\n"),
    Unseen(GRADIENT, "the sign", ("sign",), "def gradient(X, y, w):\n    return 2 * X.T @ (y - X @ w) / X.shape[0]\n"),
    Unseen(GRADIENT, "no 2", ("factor-two-missing",),
     "def gradient(X, y, w):\n    r = X @ w - y\n    return (X * r[:, None]).mean(axis=0)\n"),
    Unseen(GRADIENT, "not divided", ("sum-for-mean", "divisor forgotten"),
     "def gradient(X, y, w):\n    return 2 * X.T.dot(X.dot(w) - y)\n"),
    Unseen(GRADIENT, "not summed over the rows", ("mean missing",), "def gradient(X, y, w):\n    return 2 * X * "
    "(X @ w - y)[:, None]\n"),
    Unseen(SIGMOID_SLOPE, "at z", ("derivative-at-z-not-a",), "def sigmoid_backward(z, g):\n    return g * z * "
    "(1 - z)\n"),
    Unseen(SIGMOID_SLOPE, "the upstream gradient forgotten", ("local-derivative-only",),
           "def sigmoid_backward(z, g):\n    s = 1 / (1 + np.exp(-z))\n    return s * (1 - s)\n"),
    Unseen(NORMALIZE, "in place", ("input-changed-in-place",),
     "def normalize(x):\n    x -= x.mean(axis=0)\n    x /= x.std(axis=0)\n    return x\n"),
    Unseen(NORMALIZE, "per row", ("wrong-axis",),
           "def normalize(x):\n    return (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)\n"),
    Unseen(NORMALIZE, "divided by the variance", ("std-for-variance", "factor per column"),
     "def normalize(x):\n    return (x - x.mean(0)) / x.var(0)\n"),
    Unseen(SMOOTH, "the weights exchanged", ("weights exchanged", "arguments exchanged", "argument-ignored", "complement of an input"),
           "def exponential_average(x, beta):\n    m, out = 0.0, []\n    for v in x:\n        m = (1 - beta) * m "
           "+ beta * v\n        out.append(m)\n"
           "    return np.array(out)\n"),
    Unseen(SMOOTH, "appended before the update", ("off-by-one-shift", "order of steps"),
           "def exponential_average(x, beta):\n    m, out = 0.0, []\n    for v in x:\n        out.append(m)\n    "
           "    m = beta * m + (1 - beta) * v\n"
           "    return np.array(out)\n"),
    Unseen(SMOOTH, "a list that lives on", ("state-kept-between-calls",),
           "out = []\ndef exponential_average(x, beta):\n    m = 0.0\n    for v in x:\n        m = beta * m + (1 "
           "- beta) * v\n        out.append(m)\n"
           "    return np.array(out)\n"),
    Unseen(NEAREST, "the farthest", ("argmax for argmin", "condition reversed"),
     "def nearest(x, points):\n    d = [np.linalg.norm(q - x) for q in points]\n    return d.index(max(d))\n"),
    Unseen(NEAREST, "a point, not its index", ("other shape", "wrong type", "value for index"),
           "def nearest(x, points):\n    return min(points, key=lambda q: ((q - x) ** 2).sum())\n"),
    Unseen(DISTANCES, "no root", ("root forgotten",),
     "def distances(a, b):\n    d = a[:, None, :] - b[None, :, :]\n    return (d * d).sum(axis=2)\n"),
    Unseen(DISTANCES, "b to a", ("transposed-result",),
           "def distances(a, b):\n    return np.array([[np.linalg.norm(p - q) for p in a] for q in b])\n"),
    Unseen(DISTANCES, "broadcast without new axes", ("shapes do not broadcast",),
     "def distances(a, b):\n    return np.sqrt(((a - b) ** 2).sum(axis=1))\n"),
    Unseen(COUNTS, "one", ("set-not-accumulated", "off by one", "summand forgotten", "constant result"),
     "def counts(words):\n    found = {}\n    for w in words:\n        found[w] = 1\n    return found\n"),
    Unseen(COUNTS, "a default argument", ("state-kept-between-calls",),
           "def counts(words, found={}):\n    for w in words:\n        found[w] = found.get(w, 0) + 1\n    "
           "return found\n"),
    Unseen(COUNTS, "the key is not there yet", ("KeyError",),
     "def counts(words):\n    found = {}\n    for w in words:\n        found[w] += 1\n    return found\n"),
    Unseen(FLATTEN, "a view", ("view-returned",), "def flatten(images):\n    return "
    "images.reshape(images.shape[0], -1)\n"),
    Unseen(FLATTEN, "column by column", ("flattened-in-wrong-order", "permuted", "reshape-for-transpose", "transposed-result"),
           "def flatten(images):\n    return images.transpose(0, 2, 1).reshape(len(images), -1)\n"),
    Unseen(FLATTEN, "everything", ("other shape",), "def flatten(images):\n    return images.flatten()\n"),
    Unseen(CROSS_ENTROPY, "bits", ("log base",),
     "def cross_entropy(p, targets):\n    return -sum(np.log2(p[i, t]) for i, t in enumerate(targets)) / len(p)\n"),
    Unseen(CROSS_ENTROPY, "all classes", ("argument-ignored",), "def cross_entropy(p, targets):\n    return "
    "float(-np.log(p).mean())\n"),
    Unseen(CROSS_ENTROPY, "log forgotten", ("logarithm forgotten",),
     "def cross_entropy(p, targets):\n    return -np.prod(p[np.arange(len(p)), targets])\n"),
    Unseen(CROSS_ENTROPY, "p[targets]", ("shapes do not broadcast", "reduced too far", "p[:, targets]"),
     "def cross_entropy(p, targets):\n    return float(-np.log(p[:, targets]).mean())\n"),
]  # fmt: skip

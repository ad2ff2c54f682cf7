"""Regularization: dropout, penalties on weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong


def layer(shape: tuple[int, ...], p: float, dtype: str = "float64") -> Any:
    """Activations, the gradient that arrives, the share to drop, and a generator."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        x, y_bar = (rng.uniform(1, 2, shape).astype(dtype) for _ in range(2))
        return x, y_bar, p, np.random.default_rng(rng.integers(2**32))

    return inputs


def there_and_back(answer: Any, x: Any, y_bar: Any, p: float, rng: Generator) -> Any:
    dropout = answer(p, rng)
    return dropout.forward(x, True), dropout.backward(y_bar)


def in_evaluation(answer: Any, x: Any, y_bar: Any, p: float, rng: Generator) -> Any:
    """In training once, then in evaluation."""
    dropout = answer(p, rng)
    dropout.forward(x, True)
    return dropout.forward(x, False), dropout.backward(y_bar)


THERE = "d = Dropout(p, rng); d.forward(x, True), d.backward(y_bar)"
EVALUATION = "d = Dropout(p, rng); d.forward(x, True); then d.forward(x, False), d.backward(y_bar)"

DROPOUT = Task(
    id="2.16",
    title="Dropout, forward and backward",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="a random mask and its gradient",
    statement=r"""
Write a class `Dropout(p, rng)`. `forward(x, training)` sets each element to 0 with probability $p$ and multiplies the others by
$\frac{1}{1 - p}$; in evaluation it returns the values of `x`. `backward(y_bar)` returns the gradient of the last forward's input.

Each forward in training draws `rng.random(x.shape)` once; an element is kept where its number is at least $p$. Evaluation draws nothing.
The results have `x`'s dtype.

Why the factor?
""",
    stub='''
class Dropout:
    """Inverted dropout."""

    def __init__(self, p, rng):
        raise NotImplementedError

    def forward(self, x, training):
        """x with a share of about p set to 0 and the rest scaled up; in evaluation
        x.
        """
        raise NotImplementedError

    def backward(self, y_bar):
        """The gradient of x in the last forward."""
        raise NotImplementedError
''',
    solution="""
class Dropout:
    def __init__(self, p, rng):
        self.p, self.rng = p, rng

    def forward(self, x, training):
        self.factor = np.ones_like(x)
        if training:
            kept = self.rng.random(x.shape) >= self.p
            self.factor = (kept / (1 - self.p)).astype(x.dtype)
        return x * self.factor

    def backward(self, y_bar):
        return y_bar * self.factor
""",
    name="Dropout",
    hint="Forward multiplies each element by a number, 0 or the factor. What is the derivative of that?",
    derivation=r"""
$y_i = c_i x_i$ with $c_i = 0$ with probability $p$ and $\frac{1}{1-p}$ otherwise, so $\bar x_i = c_i \bar y_i$: the same numbers as in the
forward pass, not new ones. $\mathrm E[c_i] = (1 - p) \cdot \frac{1}{1 - p} = 1$, so the mean of what the next layer sees is the same in
training and in evaluation, and evaluation needs no change. Without the factor all sums in evaluation would be $\frac{1}{1-p}$ times as
large as those that the network was trained for.
""",
    tests=(
        Test("one row", layer((1, 4), 0.5), use=there_and_back, call=THERE),
        Test(
            "a batch",
            layer((3, 5), 0.2),
            use=there_and_back,
            call=THERE,
            points=2,
            labels={"the batch": 3, "the width": 5},
        ),
        Test("in evaluation", layer((2, 4), 0.5), use=in_evaluation, call=EVALUATION),
        Test("nothing is dropped", layer((2, 3), 0.0), use=there_and_back, call=THERE, hidden=True),
        Test("float32", layer((4, 6), 0.75, "float32"), use=there_and_back, call=THERE, hidden=True),
    ),
    wrong=(
        Wrong("dropout-not-rescaled", "(kept / (1 - self.p))", "kept"),
        Wrong("dropout-rescaled-by-p", "kept / (1 - self.p)", "kept / max(self.p, 1e-9)"),
        Wrong("dropout-in-evaluation", "        if training:\n", "        if True:\n"),
        Wrong(
            "dropout-mask-drawn-again-in-backward",
            "        return y_bar * self.factor",
            "        kept = self.rng.random(y_bar.shape) >= self.p\n        return y_bar * (kept / (1 - self.p)).astype(y_bar.dtype)",
        ),
        Wrong(
            "dropout-keeps-the-share-p",
            "self.rng.random(x.shape) >= self.p",
            "self.rng.random(x.shape) >= 1 - self.p",
            why="p was taken for the share that is kept; it is the share that is dropped.",
            look="p = 0: nothing is dropped.",
        ),
        Wrong("random-not-from-the-generator", "self.rng.random(x.shape)", "np.random.default_rng(0).random(x.shape)"),
        Wrong("local-derivative-only", "return y_bar * self.factor", "return self.factor"),
        Wrong(
            "dropout-mask-drawn-again-in-backward",
            (
                "            self.factor = (kept / (1 - self.p)).astype(x.dtype)\n        return x * self.factor\n\n"
                "    def backward(self, y_bar):\n        return y_bar * self.factor"
            ),
            (
                "            self.factor = (kept / (1 - self.p)).astype(x.dtype)\n        self.training = training\n"
                "        return x * self.factor\n\n    def backward(self, y_bar):\n        if not self.training:\n"
                "            return y_bar * self.factor\n        kept = self.rng.random(y_bar.shape) >= self.p\n"
                "        return y_bar * (kept / (1 - self.p)).astype(y_bar.dtype)"
            ),
        ),
        Wrong(
            "dropout-not-rescaled",
            "return y_bar * self.factor",
            "return y_bar * (self.factor > 0)",
            why="On the way back the factor 1 / (1 - p) is missing. What multiplies x in forward multiplies the gradient in backward.",
            look="What backward multiplies by where an element was kept.",
        ),
    ),
    after="Drop whole columns instead of single elements: one number of the mask per feature. Which shape is drawn then?",
)


def network(rng: Generator, dtype: str = "float64") -> dict[str, Any]:
    shapes = {"W1": (3, 2), "b1": (3,), "W2": (1, 3), "b2": (1,)}
    return {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}


PENALTY = Task(
    id="2.17",
    title="A penalty on weights",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="gradients of L1 and L2 penalties",
    statement=r"""
Write `penalty(parameters, l1, l2)` for a dict of arrays: the value of $\lambda_1 \sum |w| + \frac{\lambda_2}{2} \sum w^2$, a float, and a
dict of its gradients, one for each parameter, in its shape. Only arrays with two or more axes, the matrices, are punished; biases get a
gradient of zeros. At $w = 0$ take 0 for the slope of $|w|$.

For $W = (2, -1)$ as a matrix with one row, $\lambda_1 = 0.1$, $\lambda_2 = 1$: $0.3 + 2.5$, and $(2.1, -1.1)$.
""",
    stub='''
def penalty(parameters, l1, l2):
    """The penalty, a float, and its gradients: a dict with the keys and shapes of
    `parameters`.

    float32 gives float32.
    """
    raise NotImplementedError
''',
    solution="""
def penalty(parameters, l1, l2):
    value, gradients = 0.0, {}
    for name, w in parameters.items():
        gradients[name] = np.zeros_like(w)
        if w.ndim >= 2:
            value += l1 * float(np.abs(w).sum()) + 0.5 * l2 * float((w**2).sum())
            gradients[name] = l1 * np.sign(w) + l2 * w
    return value, gradients
""",
    name="penalty",
    hint="What is the slope of the absolute value, left and right of 0? Which NumPy function is just that, with 0 at 0?",
    derivation=r"""
$\frac{d}{dw} |w| = \operatorname{sign}(w)$ for $w \ne 0$, and $\frac{d}{dw} \frac{\lambda_2}{2} w^2 = \lambda_2 w$. The first pulls every
weight toward 0 with the same force, however small it is, so many end at exactly 0; the second pulls in proportion, so weights become small
and none becomes 0. A bias moves a threshold and makes the function no wilder; to punish it only shifts the fit.
""",
    tests=(
        Test("one row", lambda rng: ({"W": np.array([[2.0, -1.0]])}, 0.1, 1.0)),
        Test("a network, L2 alone", lambda rng: (network(rng), 0.0, 0.5), points=2),
        Test("a network, L1 alone", lambda rng: (network(rng), 0.25, 0.0), points=2),
        Test(
            "weights of 0",
            lambda rng: ({"W": np.array([[0.0, 3.0], [0.0, -2.0]]), "b": np.ones(2)}, 1.0, 1.0),
            hidden=True,
        ),
        Test(
            "float32, and an array with three axes",
            lambda rng: (network(rng, "float32") | {"K": rng.standard_normal((2, 2, 3)).astype("float32")}, 0.1, 0.2),
            hidden=True,
            rtol=1e-5,
        ),
    ),
    wrong=(
        Wrong("decay-on-biases", "if w.ndim >= 2:", "if w.ndim >= 1:"),
        Wrong(
            "factor-two-missing",
            "l2 * w\n",
            "0.5 * l2 * w\n",
            why="The gradient of the L2 part is half as large as it should be: the 2 of the square and the half in front cancel.",
        ),
        Wrong(
            "",
            "0.5 * l2 * float",
            "l2 * float",
            why="The half in front of the squares is missing in the value; the gradient has it.",
            look="The value of the L2 part.",
        ),
        Wrong(
            "",
            "l1 * np.sign(w)",
            "l1 * np.abs(w)",
            why="The L1 gradient is the absolute value itself, not its slope.",
            look="The derivative of |w|: it does not depend on how large w is.",
        ),
        Wrong(
            "",
            "l1 * np.sign(w)",
            "l1 * np.where(w >= 0, 1.0, -1.0).astype(w.dtype)",
            why="A weight of 0 is pushed; its slope was to be 0.",
            look="The sign of 0.",
        ),
        Wrong("mean-for-sum", "float((w**2).sum())", "float((w**2).mean())"),
        Wrong(
            "factor-two-missing",
            "0.5 * l2 * float((w**2).sum())\n            gradients[name] = l1 * np.sign(w) + l2 * w",
            "l2 * float((w**2).sum())\n            gradients[name] = l1 * np.sign(w) + 2 * l2 * w",
            why=(
                "The penalty here is half of lambda times the squares, so that its gradient is lambda w. Value and "
                "gradient are both twice that."
            ),
            look="The factor before the sum of squares in the statement.",
        ),
        Wrong(
            "set-not-accumulated",
            "value += l1",
            "value = l1",
            why="The value is that of the last matrix alone: each one overwrites it.",
            look="Is the value set, or added to?",
        ),
    ),
    after="Fit a line with twenty features, of which three matter, under either penalty. Count the weights that are exactly 0.",
)

TASKS: tuple[Task, ...] = (DROPOUT, PENALTY)

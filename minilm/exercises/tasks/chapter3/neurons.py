"""Neurons: paths to the loss, one neuron by hand, a chain, and the nudge that explains delta."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong
from minilm.exercises.tasks.chapter3.draws import SIGMOID, normal, plain
from minilm.exercises.watched import strictly


def two_layers(n: int, m: int, k: int, i: int, j: int) -> Any:
    """Draws an input, targets and the parameters of an n-m-k network; i and j name a weight of its first layer."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        shapes = ((m, n), (m,), (k, m), (k,))
        return rng.standard_normal(n), rng.uniform(0.1, 0.9, k), *(rng.standard_normal(s) for s in shapes), i, j

    return inputs


PATH_BY_PATH = Task(
    id="3.1",
    title="Path by path",
    kind="code",
    minutes=20,
    difficulty=1,
    practises="the chain rule along paths",
    statement=r"""
A network has two sigmoid layers, and its loss is the binary cross-entropy, the mean over its outputs, like that of the 2-2-2 network. A
weight `W1[i, j]` of its first layer acts on the loss along one path for each output. Write `contributions(x, y, W1, b1, W2, b2, i, j)`:
it returns what each path brings to the gradient of that weight, one number for each output, in their order. The gradient is their sum.

For $W^{[1]}_{12}$ of the 2-2-2 network, that is `W1[0, 1]`, it returns `[0.04436518, 0.06499207]`.
""",
    setup=SIGMOID,
    stub='''
def contributions(x, y, W1, b1, W2, b2, i, j):
    """What each path from W1[i, j] to the loss brings to its gradient.

    x: (n,); y: (K,); W1: (m, n); b1: (m,); W2: (K, m); b2: (K,).
    Returns (K,).
    """
    raise NotImplementedError
''',
    solution="""
def contributions(x, y, W1, b1, W2, b2, i, j):
    a = sigmoid(W1 @ x + b1)
    y_hat = sigmoid(W2 @ a + b2)
    delta = (y_hat - y) / len(y)
    return delta * W2[:, i] * a[i] * (1 - a[i]) * x[j]
""",
    name="contributions",
    hint=r"""
Name the stations of the path to output $k$, from the end: the loss, $z^{[2]}_k$, $a^{[1]}_i$, $z^{[1]}_i$, the weight. Write down one slope
for each step between two of them. Which of the four differ from path to path?
""",
    derivation=r"""
From the loss to $z^{[2]}_k$ the slope is $(\hat y_k - y_k)/K$, in which cross-entropy and sigmoid have been taken together. From there to
$a^{[1]}_i$ it is the weight between the two, $W^{[2]}_{ki}$; through the sigmoid $a^{[1]}_i (1 - a^{[1]}_i)$; and to the weight what it is
multiplied by, $x_j$. Only the first two depend on $k$, so all paths share $a^{[1]}_i (1 - a^{[1]}_i)\, x_j$, and the sum over the paths
is that factor times $\sum_k W^{[2]}_{ki}\, \delta^{[2]}_k$. This is why backpropagation adds up first and multiplies once: with many
layers there are far more paths than weights.
""",
    tests=(
        Test(
            "the 2-2-2 network",
            lambda rng: (
                np.array([1.0, 2.0]),
                np.array([0.1, 0.9]),
                np.array([[0.1, 0.2], [0.3, 0.4]]),
                np.array([0.1, 0.2]),
                np.array([[0.5, -0.6], [-0.7, 0.8]]),
                np.array([0.1, -0.2]),
                0,
                1,
            ),
        ),
        Test("a network of other widths", two_layers(4, 3, 5, 2, 1), points=2),
        Test("one output", two_layers(3, 4, 1, 3, 0), hidden=True),
        Test("as many neurons as outputs", two_layers(3, 3, 3, 0, 2), hidden=True),
        Test("one hidden neuron", two_layers(2, 1, 4, 0, 1), hidden=True),
    ),
    wrong=(
        Wrong(
            "",
            "W2[:, i]",
            "W2[i, :]",
            "These are the weights into output i. What leaves hidden neuron i stands in column i of W2, one weight for each output.",
            "W2 has the shape (K, m): which of its indices is the output, and which the hidden neuron?",
        ),
        Wrong(
            "",
            "(y_hat - y) / len(y)",
            "y_hat - y",
            "Every number is K times too large: the loss is the mean over the outputs, and each path brings its part of a mean.",
            "The factor before the sum in the loss.",
        ),
        Wrong(
            "",
            "(y_hat - y) / len(y)",
            "(y_hat - y) / len(y) * y_hat * (1 - y_hat)",
            "The slope of the output's sigmoid is multiplied in, but with the cross-entropy it has cancelled already, (3.7).",
            "Differentiate the cross-entropy by y_hat, and then multiply by the slope.",
        ),
        Wrong(
            "",
            " * a[i] * (1 - a[i])",
            "",
            "The path goes through the hidden neuron's sigmoid, and its slope is missing.",
            "List the stations between the weight and the loss: between two of them stands a slope.",
        ),
        Wrong("derivative-at-a-not-z", "a[i] * (1 - a[i])", "sigmoid(a[i]) * (1 - sigmoid(a[i]))"),
        Wrong(
            "",
            "* x[j]",
            "* x[i]",
            "W1[i, j] is multiplied by input j, and not by input i.",
            "Which index of W1 is the input?",
        ),
        Wrong("sign-of-the-gradient", "(y_hat - y)", "(y - y_hat)"),
        Wrong(
            "",
            "return delta * W2[:, i] * a[i] * (1 - a[i]) * x[j]",
            "return np.atleast_1d((delta * W2[:, i]).sum() * a[i] * (1 - a[i]) * x[j])",
            "The paths are added up: this is the gradient, and what each of them brings was asked for.",
            "How many numbers does the docstring promise?",
        ),
    ),
    after="Choose W2 so that the two paths of a weight cancel. Its gradient is zero; does the weight matter?",
)


def neuron(rng: Generator) -> dict[str, Any]:
    while True:
        w1, w2 = (float(w) for w in rng.choice([-0.5, -0.25, 0.25, 0.5, 0.75], 2, replace=False))
        x1, x2 = (int(x) for x in rng.choice([1, 2, 3, 4], 2, replace=False))
        b = float(rng.choice([-0.2, -0.1, 0.1, 0.2]))
        if not 0.3 < w1 * x1 + w2 * x2 + b < 0.8:  # there z(1 - z) is too near a(1 - a)
            return {"w1": w1, "w2": w2, "b": b, "x1": x1, "x2": x2, "y": int(rng.integers(0, 2))}


ONE_NEURON = Task(
    id="3.2",
    title="One neuron by hand",
    kind="number",
    minutes=10,
    difficulty=1,
    practises="forward and backward through one neuron",
    statement=r"""
A sigmoid neuron has $w = ({w1}, {w2})$, the bias {b}, the input $x = ({x1}, {x2})$ and the loss $J = (a - {y})^2/2$. Compute $z$, $a$,
and the three gradients on paper, to four digits. The numbers stand in `w1`, `w2`, `b`, `x1`, `x2` and `y`.

Set `answer = (z, a, dw, db)`; `dw` holds two numbers. Then let the engine do it.
""",
    setup="import math\n",
    stub="""
z = None
a = None
dw = (None, None)  # dJ/dw1, dJ/dw2
db = None
answer = (z, a, dw, db)
""",
    solution="""
z = w1 * x1 + w2 * x2 + b
a = 1 / (1 + math.exp(-z))
delta = (a - y) * a * (1 - a)
dw = (delta * x1, delta * x2)
db = delta
answer = (z, a, dw, db)
""",
    hint=r"(3.2) with $\partial J/\partial a = a - y$. One factor is common to all three gradients.",
    derivation=r"""
$z = w_1 x_1 + w_2 x_2 + b$ and $a = \sigma(z)$. The common factor is $\delta = (a - y)\,a(1 - a)$; then
$\partial J/\partial b = \delta$ and $\partial J/\partial w = \delta \cdot (x_1, x_2)$.

With $w = (0.5, -0.25)$, $b = 0.1$, $x = (2, 4)$ and $y = 1$: $z = 1 - 1 + 0.1 = 0.1$, $a = \sigma(0.1) = 0.52498$. The common factor
is $-0.47502 \cdot 0.24938 = -0.11846$. So $\partial J/\partial b = -0.11846$,
$\partial J/\partial w = -0.11846 \cdot (2, 4) = (-0.23692, -0.47384)$.
""",
    data=neuron,
    tests=(
        Test("the pre-activation", use=lambda answer: answer[0], call="z", rtol=5e-4, atol=5e-5),
        Test("the activation", use=lambda answer: answer[1], call="a", rtol=5e-4, atol=5e-5),
        Test(
            "the gradient of the weights",
            use=lambda answer: plain(answer[2]),
            call="dw",
            rtol=2e-3,
            atol=5e-5,
            points=2,
        ),
        Test("the gradient of the bias", use=lambda answer: answer[3], call="db", rtol=2e-3, atol=5e-5),
    ),
    wrong=(
        Wrong(
            "local-derivative-only",
            "(a - y) * a * (1 - a)",
            "a * (1 - a)",
            "The slope of the sigmoid stands alone: the gradient that arrives from the loss, a - y, is missing.",
            "(3.2) is a product of three factors for a weight and of two for the bias.",
        ),
        Wrong(
            "",
            "(a - y) * a * (1 - a)",
            "a - y",
            "The sigmoid's slope a(1 - a) is missing. It cancels only with the cross-entropy, (3.7); here the loss is a square.",
            "Write down dJ/da and da/dz separately, then multiply.",
        ),
        Wrong("derivative-at-z-not-a", "* a * (1 - a)", "* z * (1 - z)"),
        Wrong("sign-of-the-gradient", "(a - y) *", "(y - a) *"),
        Wrong(
            "",
            "(a - y) *",
            "2 * (a - y) *",
            "The gradients are twice as large as they should be: the 2 of the square and the 1/2 in the loss cancel.",
            "Differentiate (a - y)²/2 once more.",
        ),
    ),
    after="Take one step of gradient descent with rate 1. How far does J fall?",
)

FORGETTING = Task(
    id="3.3",
    title="How fast a chain forgets",
    kind="number",
    minutes=20,
    difficulty=2,
    practises="a product of slopes, the vanishing gradient",
    statement=r"""
In a chain (3.3) of sigmoid neurons with all $w_\ell = 1$ and no biases, how long may the chain be if $\partial a_L/\partial a_0$ is
to stay above $10^{-{digits}}$? Give an upper bound from $\sigma' \le 1/4$, and the true length for $a_0 = {start}$. Both are whole
numbers of neurons.

Set `answer = (bound, length)`. The numbers stand in `digits` and `start`.
""",
    setup="import math\n",
    stub="""
bound = None
length = None
answer = (bound, length)
""",
    solution="""
bound = math.floor(digits / math.log10(4))
a, slope, length = start, 1.0, 0
while True:
    a = 1 / (1 + math.exp(-a))
    slope *= a * (1 - a)
    if slope <= 10.0**-digits:
        break
    length += 1
answer = (bound, length)
""",
    hint=r"$4^{-L} \ge 10^{-k}$ with $k$ digits. For the true value, follow the activations: they settle where $a = \sigma(a)$.",
    derivation=r"""
The bound: $4^{-L} \ge 10^{-k}$, so $L \le k / \log_{10} 4$. For $k = 6$ that is 9.97: at most 9 neurons. The activations approach the
fixed point $a = \sigma(a) \approx 0.659$, where the slope is $0.659 \cdot 0.341 = 0.2247$: a factor of 4.45 per layer instead of 4, so
$L \approx k/\log_{10} 4.45$, for $k = 6$ about 9.26. From $a_0 = 0.5$, with 9 neurons the slope is still above $10^{-6}$, with 10 it is
below. The start matters little: one layer later, every $a_0$ in $(0, 1)$ lies between 0.5 and 0.73.
""",
    data=lambda rng: {"digits": int(rng.integers(7, 13)), "start": float(rng.choice([0.1, 0.2, 0.5, 0.8]))},
    tests=(
        Test("the bound", use=lambda answer: answer[0], call="bound"),
        Test("the true length", use=lambda answer: answer[1], call="length", points=2),
    ),
    wrong=(
        Wrong(
            "",
            "math.floor(digits",
            "math.ceil(digits",
            "The bound is rounded up: a chain of that length has a slope below the limit already.",
            "Put your number into 4^-L and compare.",
        ),
        Wrong(
            "range-off-by-one",
            "slope, length = start, 1.0, 0",
            "slope, length = start, 1.0, 1",
            "The length is that of the first chain whose slope is too small, and not of the last one whose slope is large enough.",
            "Compute the slope for your length and for one less.",
        ),
        Wrong(
            "",
            "math.log10(4)",
            "math.log(4)",
            "The logarithm of 4 is the natural one, but the digits are decimal.",
            "Both sides of 4^-L = 10^-k need the same base.",
        ),
    ),
    after="Let the weights be 4 instead of 1, with biases that keep every z at 0. How long may the chain be now?",
)

NUDGE = Task(
    id="3.9",
    title="The nudge that explains delta",
    kind="code",
    minutes=20,
    difficulty=1,
    practises="what delta means",
    statement=r"""
$\delta_i = \partial J/\partial z_i$ says how the loss answers when a demon sits in one neuron and nudges its pre-activation. Measure it.

Behind the hidden layer with pre-activations `z` the network goes on with $a = \sigma(z)$, $\hat y = \sigma(W a + b)$ and $J =
\frac12 \sum_k (\hat y_k - y_k)^2$. Write `delta_by_nudging(z, W, b, y, h)`: for each neuron in turn, set its $z_i$ to $z_i + h$ and
to $z_i - h$, run the rest of the network both times, and return the difference of the losses divided by $2h$, for all neurons as
one array.

Then compute $\delta$ by (3.8), and compare.
""",
    setup=SIGMOID,
    stub='''
def delta_by_nudging(z, W, b, y, h):
    """dJ/dz by central differences, one neuron at a time.

    z: (n,); W: (K, n); b, y: (K,); h: the size of the nudge. Returns (n,).
    """
    raise NotImplementedError
''',
    solution="""
def delta_by_nudging(z, W, b, y, h):
    def rest(z):
        a = sigmoid(z)
        return ((sigmoid(W @ a + b) - y) ** 2).sum() / 2

    delta = np.zeros_like(z)
    for i in range(len(z)):
        nudge = np.zeros_like(z)
        nudge[i] = h
        delta[i] = (rest(z + nudge) - rest(z - nudge)) / (2 * h)
    return delta
""",
    name="delta_by_nudging",
    hint="Write a function of its own for the rest of the network: z goes in, J comes out. Only one neuron is nudged at a time.",
    derivation=r"""
$J(z + h e_i) = J(z) + h\,\delta_i + O(h^2)$, where $e_i$ has a 1 at place $i$: that is what a derivative is. The central difference
(3.14) cancels the terms with even powers of $h$. By formula, $\delta^{[2]} = (\hat y - y) \odot \hat y \odot (1 - \hat y)$, and by
(3.8) $\delta = a \odot (1 - a) \odot (W^\top \delta^{[2]})$. The nudge runs the rest of the network $2n$ times; the formula walks
back once.
""",
    tests=(
        Test("one neuron", normal((1,), (1, 1), (1,), (1,), then=(1e-3,))),
        Test("a layer", normal((4,), (3, 4), (3,), (3,), then=(1e-3,)), points=2),
        Test("a large nudge", normal((3,), (2, 3), (2,), (2,), then=(0.5,)), hidden=True),
        Test("more outputs than neurons", normal((2,), (5, 2), (5,), (5,), then=(1e-2,)), hidden=True),
    ),
    wrong=(
        Wrong("one-sided-difference", "rest(z - nudge)) / (2 * h)", "rest(z)) / h"),
        Wrong("central-difference-without-two", "/ (2 * h)", "/ h"),
        Wrong(
            "",
            "nudge[i] = h",
            "nudge[:] = h",
            "All neurons are nudged at once, so every entry holds the sum of all deltas.",
            "What does the nudge look like for i = 0? Print it.",
        ),
        Wrong(
            "",
            "nudge[i] = h",
            "nudge[: i + 1] = h",
            "The nudges pile up: neuron i is nudged while the neurons before it still are.",
            "Take each nudge back before the next one, or begin with a fresh copy of z.",
        ),
        Wrong(
            "",
            "a = sigmoid(z)",
            "a = z",
            "The activation was nudged, not the pre-activation: this is dJ/da without the factor f'(z).",
            "The demon sits before the sigmoid: z goes through it first.",
        ),
        Wrong(
            "input-changed-in-place",
            "        nudge = np.zeros_like(z)\n        nudge[i] = h\n        delta[i] = (rest(z + nudge) - rest(z - nudge)) / (2 * h)\n",
            "        z[i] += h\n        above = rest(z)\n        z[i] -= 2 * h\n        delta[i] = (above - rest(z)) / (2 * h)\n",
            why="Each nudge stays: z[i] ends at z[i] - h, the next neurons are measured beside it, and the caller's array is another.",
            look="Put z[i] back, or nudge a copy.",
        ),
        Wrong(
            "factor-two-missing",
            "** 2).sum() / 2",
            "** 2).sum()",
            why="The half of the loss is missing, so each delta is twice as large.",
            look="The factor before the sum of squares.",
        ),
    ),
    after="Nudge a weight of W instead: 3.27 does so for any array.",
)

STABLE_SIGMOID = Task(
    id="3.10",
    title="A sigmoid that does not overflow",
    kind="code",
    minutes=10,
    difficulty=2,
    practises="numeric stability",
    statement=r"""
In float64 $e^{z}$ overflows from $z = 710$ on, in float32 from $89$ on, and (2.3) takes $e^{-z}$. Write `sigmoid(z)` for an array of any
shape that never overflows, keeps the dtype, and is exact to full relative precision in the tails: $\sigma(-100)$ is
$3.72 \cdot 10^{-44}$, and not 0.

The tests run with `np.errstate(over="raise", invalid="raise")`, so an overflow is an error even where its result is not used.
""",
    stub='''
def sigmoid(z):
    """1 / (1 + exp(-z)), elementwise.

    z: an array of floats. Returns the same shape and dtype.
    """
    raise NotImplementedError
''',
    solution="""
def sigmoid(z):
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, e) / (1 + e)
""",
    name="sigmoid",
    hint="Take the exponential only of numbers that are not positive. For which z is (2.3) fine as it stands?",
    derivation=r"""
For $z \ge 0$ (2.3) takes $e^{-z} \le 1$, and nothing can overflow. For $z < 0$ multiply numerator and denominator by $e^{z}$:
$\sigma(z) = \frac{e^z}{1 + e^z}$, again with an exponential below 1. Both denominators are $1 + e^{-|z|}$. In the
left tail the result is $e^{z}$ up to rounding, with all its digits; $1 - \frac{1}{1 + e^{z}}$ would subtract two numbers near 1 and
leave none.
""",
    tests=(
        Test(
            "three values",
            lambda rng: (np.array([-1.0, 0.0, 2.0]),),
            use=lambda f, z: strictly(f, z),
            call="sigmoid(z)",
        ),
        Test(
            "a thousand on both sides",
            lambda rng: (np.array([-1000.0, 1000.0]),),
            use=lambda f, z: strictly(f, z),
            call="sigmoid(z)",
            points=2,
        ),
        Test("a matrix", normal((2, 3)), use=lambda f, z: strictly(f, z), call="sigmoid(z)", hidden=True),
        Test(
            "the left tail",
            lambda rng: (np.array([-20.0, -40.0, -100.0, -600.0]),),
            use=lambda f, z: strictly(f, z),
            call="sigmoid(z)",
            hidden=True,
            rtol=1e-9,
            atol=0.0,
        ),
        Test(
            "float32",
            lambda rng: (np.array([-95.0, -1.0, 20.0, 95.0], "float32"),),
            use=lambda f, z: strictly(f, z),
            call="sigmoid(z)",
            hidden=True,
        ),
    ),
    wrong=(
        Wrong(
            "sigmoid-overflows",
            "e = np.exp(-np.abs(z))\n    return np.where(z >= 0, 1.0, e) / (1 + e)",
            "return 1 / (1 + np.exp(-z))",
            look="Make the argument of exp harmless first: -|z| is never positive. np.where computes both of its branches.",
        ),
        Wrong(
            "",
            "e = np.exp(-np.abs(z))\n    return np.where(z >= 0, 1.0, e) / (1 + e)",
            "return 1 / (1 + np.exp(-np.clip(z, -30, 30)))",
            "Clipping z stops the overflow, and makes every value beyond the border the same.",
            "Compare sigmoid(-40) with exp(-40).",
        ),
        Wrong(
            "cancellation",
            "return np.where(z >= 0, 1.0, e) / (1 + e)",
            "return np.where(z >= 0, 1 / (1 + e), 1 - 1 / (1 + e))",
            "In the left tail two numbers near 1 are subtracted, and the digits of the small difference are lost.",
            "Bring 1 - 1/(1 + e) to one fraction, on paper.",
        ),
        Wrong(
            "",
            "np.where(z >= 0, 1.0, e)",
            "np.where(z >= 0, e, 1.0)",
            "The two sides are exchanged: this is the sigmoid of -z.",
            "The sigmoid of a large positive number is near 1.",
        ),
        Wrong(
            "where-computes-both",
            "e = np.exp(-np.abs(z))\n    return np.where(z >= 0, 1.0, e) / (1 + e)",
            "p = np.exp(z)\n    return np.where(z >= 0, 1 / (1 + np.exp(-z)), p / (1 + p))",
            why=(
                "`np.where` computes both of its branches for every element, and only then chooses. So exp overflows "
                "where its result is not used."
            ),
            look="An exponent that is never above 0, in both branches.",
        ),
        Wrong(
            "float64-from-float32",
            "np.where(z >= 0, 1.0, e) / (1 + e)",
            "np.where(z >= 0, 1.0, e) / (1 + e.astype(float))",
        ),
    ),
    after="ln sigmoid(z) has the same trouble once more. How does it read with -|z|?",
)


def activation(kind: str, *shape: int, dtype: str = "float64") -> Any:
    """Draws the outputs of an activation function and the gradient that arrives at them."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        z = rng.standard_normal(shape)
        a = {"sigmoid": 1 / (1 + np.exp(-z)), "tanh": np.tanh(z), "relu": np.maximum(z, 0)}[kind]
        a.flat[0] = {"sigmoid": 0.75, "tanh": -0.5, "relu": 0.0}[kind]
        return kind, a.astype(dtype), rng.standard_normal(shape).astype(dtype)

    return inputs


ACTIVATION_BACKWARD = Task(
    id="3.11",
    title="Backward from the output alone",
    kind="code",
    minutes=10,
    difficulty=1,
    practises="slopes written in the activation",
    statement=r"""
An engine saves memory when the backward pass needs only the output `a` of an activation function, and not its input `z`. Write
`activation_backward(kind, a, g)` for the kinds `"sigmoid"`, `"tanh"` and `"relu"`: from the
output and the gradient `g` that arrives at it, it returns the gradient of the input. Where a ReLU gave 0, its slope is 0, as in (2.5).

Example: `activation_backward("sigmoid", np.array([0.75]), np.array([2.0]))` is `[0.375]`.
""",
    stub='''
def activation_backward(kind, a, g):
    """dJ/dz from a = f(z) and g = dJ/da.

    kind: "sigmoid", "tanh" or "relu"; a, g: arrays of one shape.
    Returns the same shape and dtype.
    """
    raise NotImplementedError
''',
    solution="""
def activation_backward(kind, a, g):
    if kind == "sigmoid":
        slope = a * (1 - a)
    elif kind == "tanh":
        slope = 1 - a**2
    else:
        slope = a > 0
    return g * slope
""",
    name="activation_backward",
    hint="(2.3) and (2.4) give the slopes in terms of the function itself, and the function's value is what you have.",
    derivation=r"""
$\sigma'(z) = \sigma(z)(1 - \sigma(z)) = a(1 - a)$ and $\tanh'(z) = 1 - \tanh^2 z = 1 - a^2$: the slope is a function of the output.
For the ReLU, $z > 0$ exactly where $a > 0$. By the chain rule the slope is multiplied by what arrives: $\partial J/\partial z = g
\odot f'(z)$.
""",
    tests=(
        Test("sigmoid, one value", activation("sigmoid", 1)),
        Test("tanh, one value", activation("tanh", 1)),
        Test("relu, three values", activation("relu", 3)),
        Test("sigmoid, a batch", activation("sigmoid", 4, 3), hidden=True),
        Test("tanh, a batch", activation("tanh", 4, 3), hidden=True),
        Test("relu in float32", activation("relu", 2, 5, dtype="float32"), hidden=True),
    ),
    wrong=(
        Wrong("derivative-at-a-not-z", "a * (1 - a)", "1 / (1 + np.exp(-a)) * (1 - 1 / (1 + np.exp(-a)))"),
        Wrong("tanh-derivative-without-square", "1 - a**2", "1 - a"),
        Wrong(
            "derivative-at-a-not-z",
            "1 - a**2",
            "1 - np.tanh(a) ** 2",
            why="`a` is tanh(z) already, and its slope is 1 - a². Here tanh was taken of it once more.",
            look="How often tanh is applied on the way from z to the slope.",
        ),
        Wrong("relu-derivative-at-output-of-ones", "a > 0", "a >= 0"),
        Wrong("relu-masks-the-wrong-side", "slope = a > 0", "slope = a <= 0"),
        Wrong("local-derivative-only", "return g * slope", "return g * 0 + slope"),
    ),
    after="Can the GELU's backward be written in its output? Draw the function, and look at where it turns.",
)

SLOPE_AT_THE_WRONG_PLACE = Task(
    id="3.12",
    title="The first layer learns too much",
    kind="find the bug",
    minutes=10,
    difficulty=1,
    practises="where a slope is taken",
    statement=r"""
This is the backward pass of a network with two sigmoid layers, one example, and $J = \frac12 \sum (a^{[2]} - y)^2$. Training works,
but badly. A numeric gradient agrees with the second layer's gradients to all digits. In the first layer each row of the gradient is
off by a factor of its own: 0.94 for a neuron with activation 0.5, 2.3 for one with 0.9, 20 for one with 0.99. Mend it.
""",
    setup=SIGMOID,
    solution="""
def gradients(x, y, W1, b1, W2, b2):
    \"\"\"The gradients of W1, b1, W2, b2; x: (n,), y: (K,), W1: (m, n), W2: (K, m).\"\"\"
    a1 = sigmoid(W1 @ x + b1)
    a2 = sigmoid(W2 @ a1 + b2)
    delta2 = (a2 - y) * a2 * (1 - a2)
    delta1 = (W2.T @ delta2) * a1 * (1 - a1)
    return np.outer(delta1, x), delta1, np.outer(delta2, a1), delta2
""",
    name="gradients",
    hint="Which factor of delta1 belongs to one neuron alone? Compute it for an activation of 0.5 and of 0.9.",
    derivation=r"""
$\sigma'(z) = \sigma(z)(1 - \sigma(z)) = a(1 - a)$, and the bug puts $a$ where $z$ belongs, as in (3.2*): $\sigma(a)(1 -
\sigma(a))$. With $a$ in $(0, 1)$ that is between 0.197 and 0.25 whatever the neuron does, so a saturated neuron is told to move as
much as one in the middle. At $a = 0.5$ the factor is $0.235 / 0.25 = 0.94$, at $a = 0.9$ it is $0.206 / 0.09 = 2.3$, at $0.99$ it
is $0.198 / 0.0099 = 20$.
""",
    tests=(
        Test("one neuron per layer", normal((1,), (1,), (1, 1), (1,), (1, 1), (1,))),
        Test("a network", normal((4,), (2,), (3, 4), (3,), (2, 3), (2,)), points=2),
        Test("more outputs than inputs", normal((2,), (5,), (3, 2), (3,), (5, 3), (5,)), hidden=True),
    ),
    wrong=(
        Wrong("derivative-at-a-not-z", "* a1 * (1 - a1)", "* sigmoid(a1) * (1 - sigmoid(a1))"),
        Wrong(
            "",
            "(W2.T @ delta2) * a1 * (1 - a1)",
            "W2.T @ delta2",
            "The slope is gone altogether: this is dJ/da of the hidden layer, before it went back through the sigmoid.",
            "(3.8) has two factors.",
        ),
        Wrong(
            "tanh-derivative-without-square",
            "* a1 * (1 - a1)",
            "* (1 - a1**2)",
            "This is the slope of a tanh; the layer is a sigmoid.",
            "(2.3).",
        ),
    ),
    after="Plant the same bug in the second layer only. What does the numeric check say about the first layer now?",
)

TASKS = (
    PATH_BY_PATH,
    ONE_NEURON,
    FORGETTING,
    NUDGE,
    STABLE_SIGMOID,
    ACTIVATION_BACKWARD,
    SLOPE_AT_THE_WRONG_PLACE,
)

"""Before and after the backward pass: initialization, what a step costs, gradients in pieces, and a network that learns XOR."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong


def layer(n_out: int, n_in: int, c: float) -> Any:
    return lambda rng: (n_out, n_in, c, np.random.default_rng(int(rng.integers(1000))))


LEAKY_INITIALIZATION = Task(
    id="3.8",
    title="Initialization for a leaky ReLU",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="the mean square through a layer",
    statement=r"""
A leaky ReLU passes negative values on, multiplied by a slope $c$. Derive the variance of the weights that keeps the mean square of the
activations, and write `leaky_weights(n_out, n_in, c, rng)`: it draws one array of standard normal numbers of shape `(n_out, n_in)` from
`rng`, and scales it.

Show over 20 layers of width 256 that it does for $c = 0.3$.
""",
    stub='''
def leaky_weights(n_out, n_in, c, rng):
    """Weights (n_out, n_in) for a layer behind leaky ReLUs of slope c.

    rng: a NumPy Generator, drawn from once.
    """
    raise NotImplementedError
''',
    solution="""
def leaky_weights(n_out, n_in, c, rng):
    variance = 2 / ((1 + c**2) * n_in)
    return np.sqrt(variance) * rng.standard_normal((n_out, n_in))
""",
    name="leaky_weights",
    hint="As for (3.19): half of the mean square comes from the positive side. What does the other half become?",
    derivation=r"""
$\operatorname{E}[f(z)^2] = \frac12 \operatorname{E}[z^2] + \frac12 c^2 \operatorname{E}[z^2] = \frac{1 + c^2}{2} \operatorname{E}[z^2]$.
With (3.17) the factor for a layer is $n_{\text{in}} \operatorname{Var}(W)\, \frac{1 + c^2}{2}$, which is 1 for
$\operatorname{Var}(W) = \frac{2}{(1 + c^2)\, n_{\text{in}}}$. For $c = 0$ that is (3.20), for $c = 1$ the linear case.
""",
    tests=(
        Test("one weight", layer(1, 1, 0.0)),
        Test("a layer", layer(3, 5, 0.3), points=2, labels={"the outputs": 3, "the inputs": 5}),
        Test("a slope of 1", layer(4, 2, 1.0), hidden=True, labels={"the outputs": 4, "the inputs": 2}),
        Test("a wide layer", layer(2, 50, 0.5), hidden=True, labels={"the outputs": 2, "the inputs": 50}),
    ),
    wrong=(
        Wrong("init-variance-not-std", "np.sqrt(variance)", "variance"),
        Wrong("init-fan-out-for-fan-in", "(1 + c**2) * n_in", "(1 + c**2) * n_out"),
        Wrong("leaky-slope-forgotten", "(1 + c**2) * n_in", "n_in"),
        Wrong(
            "",
            "1 + c**2",
            "1 + c",
            "The slope enters as c; the mean of squares needs its square.",
            "What is (c z)²?",
        ),
        Wrong("init-gain-forgotten", "2 / ((1 + c**2) * n_in)", "1 / ((1 + c**2) * n_in)"),
        Wrong(
            "",
            "(1 + c**2) * n_in",
            "(1 + c) ** 2 * n_in",
            why="(1 + c)² is not 1 + c²: half of the inputs count with 1, the other half with c².",
            look="The mean square of a leaky ReLU's output.",
        ),
        Wrong(
            "init-fan-out-for-fan-in",
            "(1 + c**2) * n_in",
            "(1 + c**2) * (n_in + n_out) / 2",
            why=(
                "This is the mean of both widths. What keeps the activations' mean square on the way forward is the "
                "number of inputs alone."
            ),
            look="Over how many terms a neuron sums.",
        ),
    ),
    after="For which slope is this Glorot's variance of a square layer?",
)


def parts(rows: int, size: int, width: int = 2) -> Any:
    def inputs(rng: Generator) -> tuple[Any, ...]:
        return rng.standard_normal(width), rng.standard_normal((rows, width)), rng.standard_normal(rows), size

    return inputs


def _with_small_memory(accumulated_gradient: Any, w: Any, X: Any, y: Any, size: int) -> Any:
    def gradient(w: Any, X: Any, y: Any) -> Any:
        if len(X) > size:
            raise ValueError(f"{len(X)} rows at once: only {size} fit into memory.")
        return 2 * X.T @ (X @ w - y) / len(X)

    return accumulated_gradient(gradient, w, X, y, size)


ACCUMULATE = Task(
    id="3.29",
    title="A batch in pieces",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="means of unequal parts",
    statement=r"""
A batch of `N` rows does not fit into memory; `size` rows do. `gradient(w, X, y)` gives the gradient of the *mean* loss over the
rows it is given, and refuses more than `size` rows.

Write `accumulated_gradient(gradient, w, X, y, size)`: it goes through the batch in pieces of `size` rows, the last one being
shorter where need be, and returns exactly the gradient of the mean loss over all `N` rows.
""",
    stub='''
def accumulated_gradient(gradient, w, X, y, size):
    """The gradient of the mean loss over all rows, from pieces of `size` rows.

    w: (n,); X: (N, n); y: (N,). Returns (n,).
    """
    raise NotImplementedError
''',
    solution="""
def accumulated_gradient(gradient, w, X, y, size):
    total = np.zeros_like(w)
    for start in range(0, len(X), size):
        rows = slice(start, start + size)
        total += gradient(w, X[rows], y[rows]) * len(X[rows])
    return total / len(X)
""",
    name="accumulated_gradient",
    hint="Of how many rows is each piece the mean? Take 5 rows in pieces of 4, and ask what the fifth row weighs.",
    derivation=r"""
$\nabla \frac1N \sum_k J_k = \frac1N \sum_m \sum_{k \in m} \nabla J_k$, and a piece $m$ of $B_m$ rows gives
$g_m = \frac{1}{B_m} \sum_{k \in m} \nabla J_k$. So the whole gradient is $\frac1N \sum_m B_m\, g_m$. With pieces of one size that is the
mean of the $g_m$, (3.22); with a shorter last piece the plain mean gives its rows too much weight.
""",
    tests=(
        Test(
            "equal pieces",
            parts(6, 2),
            use=_with_small_memory,
            call="accumulated_gradient(gradient, w, X, y, size)",
            labels={"the rows": 6, "the pieces": 3},
        ),
        Test(
            "a shorter last piece",
            parts(7, 2),
            use=_with_small_memory,
            call="accumulated_gradient(gradient, w, X, y, size)",
            points=2,
            labels={"the rows": 7, "the pieces": 4},
        ),
        Test(
            "row by row",
            parts(5, 1),
            use=_with_small_memory,
            call="accumulated_gradient(gradient, w, X, y, size)",
            hidden=True,
        ),
        Test(
            "a batch that fits",
            parts(3, 8, 4),
            use=_with_small_memory,
            call="accumulated_gradient(gradient, w, X, y, size)",
            hidden=True,
        ),
    ),
    wrong=(
        Wrong("mean-of-means", " * len(X[rows])\n    return total / len(X)", "\n    return total / -(-len(X) // size)"),
        Wrong("sum-for-mean", " * len(X[rows])\n    return total / len(X)", "\n    return total"),
        Wrong("batch-last-dropped", "range(0, len(X), size)", "range(0, len(X) - size + 1, size)"),
        Wrong("set-not-accumulated", "total += gradient", "total = gradient"),
        Wrong("gradient-not-divided-by-batch", "return total / len(X)", "return total"),
        Wrong(
            "mean-of-means",
            "y[rows]) * len(X[rows])",
            "y[rows]) * size",
            why="The last piece was counted as if it were whole. It weighs as many rows as it has.",
            look="The weight of the shorter piece.",
        ),
    ),
    after="Dropout and BatchNorm: which of them gives the same result in pieces, and which cannot?",
)


def start(hidden: int, steps: int, rate: float = 0.5) -> Any:
    def inputs(rng: Generator) -> tuple[Any, ...]:
        return (*(rng.standard_normal(shape) for shape in ((hidden, 2), (hidden,), (hidden,))), 0.1, rate, steps)

    return inputs


XOR = Task(
    id="3.30",
    title="A network learns XOR",
    kind="code",
    minutes=40,
    difficulty=2,
    practises="forward, backward and update in one loop",
    statement=r"""
No single neuron computes XOR; two layers do. The set-up has its four rows `X` and targets `Y`.

Write `train(W1, b1, W2, b2, rate, steps)` in NumPy: $A = \tanh(X W_1^\top + b_1)$, $z = A\, w_2 + b_2$, $\hat y = \sigma(z)$, and
the mean binary cross-entropy over the four rows. Each step uses all rows and updates all four parameters together, by plain
gradient descent. It returns `(losses, W1, b1, W2, b2)`: a list of the loss before each step, and the parameters at the end. The
arrays passed in stay as they are.

With `W2` of shape `(m,)`, `b2` is a number.
""",
    setup="""import numpy as np

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = np.array([0.0, 1.0, 1.0, 0.0])
""",
    stub='''
def train(W1, b1, W2, b2, rate, steps):
    """Gradient descent on XOR.

    W1: (m, 2); b1, W2: (m,); b2: a number. Returns (losses, W1, b1, W2, b2).
    """
    raise NotImplementedError
''',
    solution="""
def train(W1, b1, W2, b2, rate, steps):
    losses = []
    for _ in range(steps):
        A = np.tanh(X @ W1.T + b1)
        z = A @ W2 + b2
        losses.append(float((np.logaddexp(0, z) - Y * z).mean()))
        d = (1 / (1 + np.exp(-z)) - Y) / len(Y)
        D = np.outer(d, W2) * (1 - A**2)
        W2, b2 = W2 - rate * (d @ A), b2 - rate * d.sum()
        W1, b1 = W1 - rate * (D.T @ X), b1 - rate * D.sum(axis=0)
    return losses, W1, b1, W2, b2
""",
    name="train",
    hint="Backward first, all of it; then the update. Each row has one output, so its delta is one number, (3.7).",
    derivation=r"""
With sigmoid and cross-entropy together, $\partial J/\partial z_k = (\hat y_k - y_k)/4$, as in (3.7) with the mean over the rows.
Then $\partial J/\partial w_2 = A^\top d$, $\partial J/\partial b_2 = \sum_k d_k$, $\Delta_{ki} = d_k\, w_{2,i}\,(1 - A_{ki}^2)$ by
(3.8), and by (3.10) $\partial J/\partial W_1 = \Delta^\top X$. All gradients belong to the same point, so $\Delta$ must be
computed with the $w_2$ that the forward pass used. The loss is $\ln(1 + e^z) - yz$, which does not take the logarithm of a rounded
probability.
""",
    tests=(
        Test("one step, one hidden neuron", start(1, 1)),
        Test("three steps", start(3, 3), points=3, labels={"the rows": 4, "the hidden neurons": 3}),
        Test("no step", start(2, 0), hidden=True),
        Test("two hundred steps", start(5, 200), hidden=True, points=2, rtol=1e-5),
    ),
    wrong=(
        Wrong(
            "update-with-plus", "W2 - rate * (d @ A), b2 - rate * d.sum()", "W2 + rate * (d @ A), b2 + rate * d.sum()"
        ),
        Wrong("gradient-not-divided-by-batch", "- Y) / len(Y)", "- Y)"),
        Wrong(
            "update-before-backward",
            "np.outer(d, W2)",
            "np.outer(d, W2 - rate * (d @ A))",
            "W2 was updated before the first layer's gradient was computed, so that gradient belongs to no one point.",
            "Compute all gradients, then update.",
        ),
        Wrong("tanh-derivative-without-square", "1 - A**2", "1 - A"),
        Wrong("bias-gradient-forgotten", ", b1 - rate * D.sum(axis=0)", ", b1"),
        Wrong(
            "input-changed-in-place",
            "W2, b2 = W2 - rate * (d @ A), b2 - rate * d.sum()",
            "W2 -= rate * (d @ A)\n        b2 -= rate * d.sum()",
        ),
        Wrong(
            "mean-over-the-batch",
            "D.sum(axis=0)",
            "D.mean(axis=0)",
        ),
    ),
    after="How often of a hundred starts does it fail with two hidden neurons? And with eight?",
)


def widths(rng: Generator) -> dict[str, Any]:
    n0, n1, n2, n3 = (int(n) for n in rng.choice([10, 20, 30, 40, 50, 60, 80], 4, replace=False))
    return {"B": int(rng.choice([16, 32, 64])), "n0": n0, "n1": n1, "n2": n2, "n3": n3}


COST = Task(
    id="3.31",
    title="What the way back costs",
    kind="number",
    minutes=10,
    difficulty=1,
    practises="counting multiplications",
    statement=r"""
A network of three linear layers has the widths {n0}, {n1}, {n2} and {n3}, from the input to the output, and reads a batch of {B}
rows. Count the multiplications of its matrix products: forward, and backward (the gradients of all weights, and of all layers'
inputs except the network's own, which nobody needs).

Set `answer = (forward, backward)`. The numbers stand in `n0`, `n1`, `n2`, `n3` and `B`.
""",
    setup="",
    stub="""
forward = None
backward = None
answer = (forward, backward)
""",
    solution="""
forward = B * (n0 * n1 + n1 * n2 + n2 * n3)
backward = 2 * forward - B * n0 * n1
answer = (forward, backward)
""",
    hint="(3.11). How many products does one layer have forward, and how many backward?",
    derivation=r"""
Layer $\ell$ multiplies $(B, n_{\ell-1})$ by $(n_{\ell-1}, n_\ell)$: $B\, n_{\ell-1} n_\ell$ multiplications. Backward it has two
products, $\Delta^\top A$ for the weight and $\Delta W$ for the input, each of the same number. The first layer's input needs no
gradient: one product less. That is (3.11), $R = 2F - B\, n_0 n_1$. With widths 10, 20, 30, 40 and 16 rows, $F = 16 \cdot 2000 =
32{,}000$ and $R = 64{,}000 - 3200 = 60{,}800$.
""",
    data=widths,
    tests=(
        Test("forward", use=lambda answer: answer[0], call="forward"),
        Test("backward", use=lambda answer: answer[1], call="backward", points=2),
    ),
    wrong=(
        Wrong(
            "",
            "2 * forward - B * n0 * n1",
            "2 * forward",
            "The gradient of the network's own input is counted, and nobody needs it.",
            "Which of the six products can be left out?",
        ),
        Wrong(
            "gradients-forgotten",
            "2 * forward - B * n0 * n1",
            "forward",
            "Only one product per layer is counted: the weights' gradients. The layers' inputs need theirs as well.",
            "(3.10) has two products per layer.",
        ),
        Wrong(
            "",
            "B * (n0 * n1 + n1 * n2 + n2 * n3)",
            "n0 * n1 + n1 * n2 + n2 * n3",
            "This is the number of weights; each is used once per row.",
            "Count the multiplications for one row, then for all.",
        ),
        Wrong(
            "",
            "2 * forward - B * n0 * n1",
            "2 * forward - B * n2 * n3",
            "The last layer's product was left out; it is the first layer whose input needs no gradient.",
            "Where does the walk back end?",
        ),
    ),
    after="How many numbers must be kept from the forward pass for the backward pass?",
)

NOT_ZEROED = Task(
    id="3.32",
    title="The loss falls, then swings",
    kind="find the bug",
    minutes=10,
    difficulty=1,
    practises="one gradient per step",
    statement=r"""
Gradient descent on the mean square error of a linear model. The first step is right to the last digit. From the second on the
parameters run ahead: the loss falls, rises again, and swings, however small the rate is. The gradient's formula has been checked
numerically, and is right. Mend it.
""",
    solution="""
def train(w, X, y, rate, steps):
    \"\"\"The parameters after some steps; w: (n,), X: (N, n), y: (N,).\"\"\"
    gradient = np.zeros_like(w)
    for _ in range(steps):
        gradient[:] = 0
        error = X @ w - y
        gradient += 2 * X.T @ error / len(X)
        w = w - rate * gradient
    return w
""",
    name="train",
    hint="Print the gradient in the first three steps, and beside it what the formula gives for the same w.",
    derivation=r"""
`gradient +=` adds to what is there. That is right within one backward pass, where the paths of (3.4) meet, and wrong from one step
to the next: without the line that sets it to 0 the update is the sum of all gradients so far. That is momentum that never decays,
and it swings without friction around the minimum, $\ddot w = -\nabla J$, for every rate.
""",
    tests=(
        Test("one step", lambda rng: (np.array([0.0]), np.array([[1.0], [2.0]]), np.array([1.0, 2.0]), 0.1, 1)),
        Test("two steps", lambda rng: (np.array([0.0]), np.array([[1.0], [2.0]]), np.array([1.0, 2.0]), 0.1, 2)),
        Test(
            "twenty steps",
            lambda rng: (*(rng.standard_normal(shape) for shape in ((3,), (5, 3), (5,))), 0.05, 20),
            points=2,
        ),
        Test(
            "no step",
            lambda rng: (*(rng.standard_normal(shape) for shape in ((2,), (4, 2), (4,))), 0.05, 0),
            hidden=True,
        ),
    ),
    wrong=(
        Wrong("gradient-not-zeroed", "        gradient[:] = 0\n", ""),
        Wrong(
            "",
            "w = w - rate * gradient",
            "w = w - rate * gradient / len(X)",
            "The steps were made smaller; the gradient was divided by the number of rows already.",
            "Is the first step still right?",
        ),
        Wrong("update-with-plus", "w = w - rate", "w = w + rate"),
    ),
    after="When is it right not to set the gradient to 0 between two backward passes?",
)

TASKS = (LEAKY_INITIALIZATION, ACCUMULATE, XOR, COST, NOT_ZEROED)

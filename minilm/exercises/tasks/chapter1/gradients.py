"""First gradients: three ways to one, the training loop, the perceptron, a language model by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Generator, Task, Test, Wrong

THREE_WAYS = Task(
    id="1.4",
    title="A gradient three ways",
    kind="code",
    minutes=20,
    difficulty=1,
    practises="chain rule, the engine, central differences",
    statement=r"""
For $J = (\tanh(w x) - y)^2$ write `three_ways(w, x, y, h)`: the derivative $\partial J / \partial w$ by hand, by the engine, and by the
central difference (1.8) with step `h`, as three floats.

Then, at $w = 0.5$, $x = 2$, $y = 0.25$: by what factor does the error of the central difference fall when $h$ goes from $0.1$ to
$0.01$?
""",
    stub='''
def three_ways(w, x, y, h):
    """The derivative of (tanh(w x) - y)^2 by w: by hand, by the engine, by a
    central difference. All are floats.
    """
    raise NotImplementedError
''',
    setup="import math\n\nimport numpy as np\n\nimport minilm as ml\n",
    solution="""
def three_ways(w, x, y, h):
    a = math.tanh(w * x)
    by_hand = 2 * (a - y) * (1 - a**2) * x

    v = ml.tensor(np.array(w), requires_grad=True)
    (((v * x).tanh() - y) ** 2).backward()

    def J(w):
        return (math.tanh(w * x) - y) ** 2

    return by_hand, v.grad.item(), (J(w + h) - J(w - h)) / (2 * h)
""",
    name="three_ways",
    hint="The derivative of tanh is one minus its square. The error is about $h^2 J''' / 6$.",
    derivation=r"""
With $a = \tanh(wx)$, the chain rule gives $2 (a - y) (1 - a^2) x$. The Taylor series of $J(w \pm h)$ leaves
$J' + \frac{h^2}{6} J''' + \dots$ in (1.8), so a tenth of $h$ gives a hundredth of the error.
""",
    tests=(
        Test(
            "by hand",
            lambda rng: (0.5, 2.0, 0.25, 0.1),
            use=lambda answer, *x: answer(*x)[0],
            call="three_ways(...)[0]",
        ),
        Test(
            "by the engine",
            lambda rng: (0.5, 2.0, 0.25, 0.1),
            use=lambda answer, *x: answer(*x)[1],
            call="three_ways(...)[1]",
            rtol=1e-5,
        ),
        Test(
            "by a difference",
            lambda rng: (0.5, 2.0, 0.25, 0.1),
            use=lambda answer, *x: answer(*x)[2],
            call="three_ways(...)[2]",
            rtol=1e-7,
        ),
        Test("a negative x", lambda rng: (-0.3, -1.5, 0.8, 0.01), hidden=True, rtol=1e-5),
        Test(
            "other numbers",
            lambda rng: (*(rng.integers(1, 20, 3) / 10).tolist(), 0.05),
            points=2,
            hidden=True,
            rtol=1e-5,
        ),
    ),
    wrong=(
        Wrong("tanh-derivative-without-square", "(1 - a**2)", "(1 - a)"),
        Wrong("factor-two-missing", "by_hand = 2 * (a - y)", "by_hand = (a - y)"),
        Wrong(
            "inner-derivative-forgotten",
            "(1 - a**2) * x",
            "(1 - a**2)",
            why="The last link of the chain is missing: w x changes x times as fast as w.",
            look="The derivative of w x by w.",
        ),
        Wrong("one-sided-difference", "(J(w + h) - J(w - h)) / (2 * h)", "(J(w + h) - J(w)) / h"),
        Wrong("central-difference-without-two", "/ (2 * h)", "/ h"),
        Wrong("step-of-the-difference-too-small", "    def J(w):", "    h = 1e-15\n\n    def J(w):"),
    ),
    after="Plot the error against h from 1 down to 1e-12, on two logarithmic axes. Why does it rise again?",
)


def bowl(n: int, steps: int, lr: float = 0.1) -> Any:
    """A quadratic's matrix, a first point, a rate, and a number of steps."""

    def inputs(rng: Generator) -> tuple[Any, ...]:
        B = rng.standard_normal((n, n))
        return B @ B.T + np.eye(n), rng.standard_normal(n), lr, steps

    return inputs


def descend(answer: Any, A: Any, theta: Any, lr: float, steps: int) -> Any:
    return answer(lambda t: A @ t, theta, lr, steps)


def line(slope: float, steps: int) -> Any:
    return lambda rng: (np.array([[slope]]), np.array([1.0]), 0.25, steps)


FORGETFUL = Task(
    id="1.5",
    title="Forgetting zero_grad",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="accumulated gradients in a training loop",
    statement=r"""
`backward()` *adds* to `grad`; `zero_grad()` empties it. Write, in NumPy, what a training loop does that never calls `zero_grad`:
`forgetful(gradient, theta, lr, steps)` starts at `theta` and returns the parameters after so many steps, each of which takes the loss's
gradient where it stands, adds it to `grad`, and moves by the whole of `grad`. `theta` itself stays as it is.

For $\operatorname{gradient}(\theta) = \theta$, $\theta_0 = 1$ and a rate of $\frac14$ the first steps lead to $0.75$ and $0.3125$.

Where do the five lines of training with a rate of 1 lead on the poem?
""",
    stub='''
def forgetful(gradient, theta, lr, steps):
    """The parameters after `steps` steps of gradient descent without zero_grad:
    (n,), a new array.

    gradient: a function of (n,) that returns (n,). theta: (n,).
    """
    raise NotImplementedError
''',
    solution="""
def forgetful(gradient, theta, lr, steps):
    grad = np.zeros_like(theta)
    for _ in range(steps):
        grad = grad + gradient(theta)
        theta = theta - lr * grad
    return theta
""",
    name="forgetful",
    hint="Which gradients has `grad` seen at the second step, and where were they taken?",
    derivation=r"""
With $g(\theta)$ for the gradient, the first step gives $\theta_1 = \theta_0 - \eta\, g(\theta_0)$ as it should. Then `grad` holds
$g(\theta_0) + g(\theta_1)$, so $\theta_2 = \theta_1 - \eta\,(g(\theta_0) + g(\theta_1))$: a step that is nearly twice as long, and
grows with each further step. Compare (2.12) with $\mu = 1$: it is momentum without friction, so on a bowl it never comes to rest.
""",
    tests=(
        Test("one step", line(1.0, 1), use=descend, call="forgetful(lambda t: A @ t, theta, lr, 1)"),
        Test("two steps", line(1.0, 2), use=descend, call="forgetful(lambda t: A @ t, theta, lr, 2)", points=2),
        Test(
            "five steps in three directions",
            bowl(3, 5),
            use=descend,
            call="forgetful(lambda t: A @ t, theta, lr, 5)",
            points=2,
        ),
        Test("no step", bowl(2, 0), use=descend, call="forgetful(lambda t: A @ t, theta, lr, 0)", hidden=True),
        Test(
            "many steps", bowl(4, 12, 0.01), use=descend, call="forgetful(lambda t: A @ t, theta, lr, 12)", hidden=True
        ),
    ),
    wrong=(
        Wrong(
            "set-not-accumulated",
            "grad = grad + gradient(theta)",
            "grad = gradient(theta)",
            why="Each step uses its own gradient only. That is the loop with zero_grad; here it is forgotten.",
        ),
        Wrong("input-changed-in-place", "theta = theta - lr * grad", "theta -= lr * grad"),
        Wrong("update-with-plus", "theta - lr * grad", "theta + lr * grad"),
        Wrong(
            "update-before-backward",
            "        grad = grad + gradient(theta)\n        theta = theta - lr * grad\n",
            "        theta = theta - lr * grad\n        grad = grad + gradient(theta)\n",
            why="Each step moves before the gradient of its place is added, so the first one stands still.",
        ),
        Wrong("loop-returns-early", "    return theta", "        return theta\n    return theta"),
    ),
    after="Follow it for 100 steps on a bowl. It neither arrives nor runs away: why?",
)

GATES = Task(
    id="1.9",
    title="A perceptron is a NAND, and NANDs are everything",
    kind="code",
    minutes=20,
    difficulty=1,
    practises="a neuron with a threshold, layers",
    statement=r"""
The set-up has a neuron with a threshold: `neuron(x1, x2, w1, w2, b)` is 1 where $w_1 x_1 + w_2 x_2 + b > 0$, else 0. Write
`gates(x1, x2)`, which returns NAND and XOR of its inputs, each 0 or 1, using nothing but neurons: NAND is one neuron, and XOR is made of
four NANDs.

NAND of 1 and 1 is 0, else 1. XOR is 1 where the inputs differ.

Then show that no single neuron is an XOR.
""",
    stub='''
def gates(x1, x2):
    """NAND and XOR of two numbers that are 0 or 1, or of two arrays of such."""
    raise NotImplementedError
''',
    setup="""import numpy as np


def neuron(x1, x2, w1, w2, b):
    return np.where(w1 * x1 + w2 * x2 + b > 0, 1, 0)

""",
    solution="""
def gates(x1, x2):
    c = nand(x1, x2)
    return c, nand(nand(x1, c), nand(c, x2))


def nand(a, b):
    return neuron(a, b, -2, -2, 3)
""",
    name="gates",
    hint="The line $w_1 x_1 + w_2 x_2 + b = 0$ has the point (1, 1) on one side and the other three corners on the other. For XOR: NAND "
    "of a and b is used twice.",
    derivation=r"""
With weights $-2, -2$ and bias $3$ the sums are $3, 1, 1, -1$ for the inputs $00, 01, 10, 11$: positive except for the last. With
$c = \operatorname{NAND}(a, b)$, $\operatorname{NAND}(a, c)$ is 0 exactly for $a = 1, b = 0$, and $\operatorname{NAND}(c, b)$ is 0 exactly
for $a = 0, b = 1$; NAND of the two is 1 where one of them is 0.

One neuron would need $b \le 0$, $w_1 + b > 0$, $w_2 + b > 0$ and $w_1 + w_2 + b \le 0$. The middle two add up to
$w_1 + w_2 + 2b > 0$, the outer two to $w_1 + w_2 + 2b \le 0$.
""",
    tests=(
        Test("NAND of 1 and 1", lambda rng: (1, 1), use=lambda answer, *x: int(answer(*x)[0]), call="gates(1, 1)[0]"),
        Test("NAND of 0 and 1", lambda rng: (0, 1), use=lambda answer, *x: int(answer(*x)[0]), call="gates(0, 1)[0]"),
        Test("XOR of 0 and 1", lambda rng: (0, 1), use=lambda answer, *x: int(answer(*x)[1]), call="gates(0, 1)[1]"),
        Test("XOR of 1 and 1", lambda rng: (1, 1), use=lambda answer, *x: int(answer(*x)[1]), call="gates(1, 1)[1]"),
        Test("all four pairs", lambda rng: (np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])), points=2, hidden=True),
    ),
    wrong=(
        Wrong(
            "",
            "neuron(a, b, -2, -2, 3)",
            "neuron(a, b, -2, -2, 2)",
            why="With one input on, the sum is exactly 0, and the neuron fires only above 0. So the neuron is a NOR.",
            look="The sum for the inputs 0 and 1.",
        ),
        Wrong(
            "",
            "neuron(a, b, -2, -2, 3)",
            "neuron(a, b, 2, 2, -3)",
            why="The neuron is an AND: all signs are turned.",
            look="On which side of the line the point (1, 1) lies.",
        ),
        Wrong(
            "",
            "nand(nand(x1, c), nand(c, x2))",
            "nand(nand(x1, x1), nand(x2, x2))",
            why="This is an OR: NAND of the two inputs turned. It is 1 for 1 and 1 too.",
            look="What the third NAND, that of both inputs, is needed for.",
        ),
        Wrong(
            "",
            "nand(nand(x1, c), nand(c, x2))",
            "nand(nand(x1, x2), c)",
            why="A NAND of the same two values only turns them: this is an AND.",
            look="The two inner NANDs: each takes one of the inputs, and NAND of both.",
        ),
    ),
    after="Build a half adder (sum and carry) out of five NANDs.",
)


def text_and_logits(V: int, length: int, scale: float = 1.0, dtype: str = "float64") -> Any:
    def inputs(rng: Generator) -> tuple[Any, ...]:
        W = (scale * rng.standard_normal((V, V))).astype(dtype)
        W[0, V - 1] = -scale  # a pair that occurs, and that is next to impossible where the scale is large
        W[0, 0] = scale
        ids = rng.integers(V, size=length)
        ids[:2] = 0, V - 1
        ids[-2:] = 0, V - 1  # one pair occurs twice, wherever there is room for it
        return W, ids

    return inputs


BIGRAM_BY_HAND = Task(
    id="1.12",
    title="A language model's gradient by hand",
    kind="code",
    minutes=40,
    difficulty=3,
    practises="softmax, cross-entropy, backward pass by hand",
    statement=r"""
Row $i$ of $W$ holds the logits of what follows token $i$. Write `bigram_loss(W, ids)`: the mean cross-entropy, in nats, of predicting
each token of the text from the one before, and its gradient by $W$. NumPy only, and no loop over the text.

For $W = 0$ with $V = 4$ the loss is $\ln 4$, whatever the text.

Logits may be large: `exp(1000)` overflows.
""",
    stub='''
def bigram_loss(W, ids):
    """The loss of a bigram language model, and its gradient: a float, and an array
    (V, V).

    W: (V, V), the logits; W[i, j] belongs to j after i. ids: (T + 1,), the text, so
    there are T predictions.
    float32 gives float32.
    """
    raise NotImplementedError
''',
    solution="""
def bigram_loss(W, ids):
    previous, following = ids[:-1], ids[1:]
    T = len(following)
    z = W[previous]
    z = z - z.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    loss = -log_p[np.arange(T), following].mean()

    delta = np.exp(log_p)
    delta[np.arange(T), following] -= 1
    dW = np.zeros_like(W)
    np.add.at(dW, previous, delta / T)
    return float(loss), dW
""",
    name="bigram_loss",
    hint="First (T, V) logits, one row per prediction. Their gradient is *expected minus observed*. Several predictions may share a row "
    "of W.",
    derivation=r"""
$L = -\frac1T \sum_t \ln p_{t, y_t}$ with $p_t = \operatorname{softmax}(W_{x_t})$. For one prediction,
$\partial (-\ln p_y) / \partial z_j = p_j - [j = y]$: that is (4.9) with the sign turned. So the gradient of the logits is
$\delta_t = (p_t - e_{y_t}) / T$. Row $x_t$ of $W$ was *copied* to prediction $t$, perhaps to others as well, and what is used several
times gets the sum of the gradients: $\bar W_i = \sum_{t: x_t = i} \delta_t$. `dW[previous] += delta` would add only once for each row
that occurs; `np.add.at` adds for each occurrence. The largest logit is subtracted because softmax does not change under it.
""",
    tests=(
        Test("a text of two tokens", text_and_logits(2, 2)),
        Test(
            "all tokens alike", lambda rng: (np.zeros((4, 4)), np.array([0, 1, 3, 2, 0])), labels={"the predictions": 4}
        ),
        Test("a text", text_and_logits(3, 12), points=3, labels={"the predictions": 11, "the vocabulary": 3}),
        Test("large logits", text_and_logits(3, 8, 1000.0), points=2),
        Test("a longer text", text_and_logits(5, 60), hidden=True, labels={"the predictions": 59, "the vocabulary": 5}),
        Test("float32", text_and_logits(4, 15, 1.0, "float32"), hidden=True, labels={"the predictions": 14}),
    ),
    wrong=(
        Wrong("fancy-index-adds-once", "np.add.at(dW, previous, delta / T)", "dW[previous] += delta / T"),
        Wrong("gradient-not-divided-by-batch", "delta / T", "delta"),
        Wrong("target-not-subtracted", "    delta[np.arange(T), following] -= 1\n", ""),
        Wrong("softmax-not-stable", "    z = z - z.max(axis=1, keepdims=True)\n", ""),
        Wrong(
            "softmax-over-wrong-axis", "np.exp(z).sum(axis=1, keepdims=True)", "np.exp(z).sum(axis=0, keepdims=True)"
        ),
        Wrong("sign-of-the-gradient", "delta / T", "-delta / T"),
        Wrong("sum-for-mean", "following].mean()", "following].sum()"),
        Wrong(
            "log-of-softmax-not-stable",
            "-log_p[np.arange(T), following].mean()",
            "-np.log(np.exp(log_p)[np.arange(T), following]).mean()",
        ),
        Wrong(
            "epsilon-in-the-log",
            "-log_p[np.arange(T), following].mean()",
            "-np.log(np.exp(log_p)[np.arange(T), following] + 1e-9).mean()",
        ),
        Wrong(
            "",
            "np.add.at(dW, previous, delta / T)",
            "np.add.at(dW, following, delta / T)",
            why="The gradient was added to the rows of the tokens that follow. The row that was read is that of the token before.",
            look="Which rows of W the forward pass looks up.",
        ),
    ),
    after="Descend with it on the poem of exercise 1.1. What do the rows of softmax(W) approach?",
)


def rows(N: int, n: int) -> Any:
    def inputs(rng: Generator) -> tuple[Any, ...]:
        X = rng.standard_normal((N, n))
        return X, X @ rng.standard_normal(n), 5, 0.1

    return inputs


ZERO_GRAD = Task(
    id="1.14",
    title="A loss that swings",
    kind="find the bug",
    minutes=10,
    difficulty=1,
    practises="the five lines of training",
    statement=r"""
`train` fits $y \approx X w$ by gradient descent, with the engine. Its first step is right. Then the loss falls faster than it should,
turns, rises, falls again; it swings and never comes to rest, however small the learning rate.

Find the bug and mend it.
""",
    setup="import numpy as np\n\nimport minilm as ml\n",
    solution='''
def train(X, y, steps, lr):
    """Fits y = X w. Returns the loss before each step, a list of floats, and w as
    an array (n,).

    X: (N, n). y: (N,).
    """
    w = ml.tensor(np.zeros(X.shape[1]), requires_grad=True)
    optimizer = ml.optim.SGD([w], lr=lr)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        error = ml.tensor(X) @ w - ml.tensor(y)
        loss = (error * error).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, w.detach().numpy()
''',
    name="train",
    hint="What does `w.grad` hold after the second `backward()`? Print it beside the gradient that you compute by hand.",
    derivation=r"""
`backward()` adds to `grad`, since a parameter may be used in several places, and several batches may share a step. So `grad` must be
emptied once per step, before `backward()`. Emptied once before the loop, it holds the sum of all gradients so far: exercise 1.5.
""",
    tests=(
        Test("five steps with one weight", rows(4, 1)),
        Test("five steps with three weights", rows(6, 3), points=2),
        Test("one row", rows(1, 2), hidden=True),
    ),
    wrong=(
        Wrong(
            "gradient-not-zeroed",
            "    for _ in range(steps):\n        optimizer.zero_grad()\n",
            "    optimizer.zero_grad()\n    for _ in range(steps):\n",
        ),
        Wrong(
            "",
            "        loss.backward()\n",
            "        loss.backward()\n        optimizer.zero_grad()\n",
            why="The gradient is emptied after `backward()` and before `step()`, so every step is made with no gradient.",
            look="The order: zero_grad, forward, backward, step.",
        ),
    ),
    after="When is it right to call `backward()` several times before `zero_grad()`?",
)

TASKS: tuple[Task, ...] = (THREE_WAYS, FORGETFUL, GATES, BIGRAM_BY_HAND, ZERO_GRAD)

"""Networks: counting their parameters, what one layer can draw, how they begin."""

from __future__ import annotations

from typing import Any

import numpy as np

from minilm.exercises.task import Task, Test, Wrong

COUNT = Task(
    id="2.1",
    title="Count parameters",
    kind="code",
    minutes=10,
    difficulty=1,
    practises="shapes of weights and biases",
    statement=r"""
Write `count(sizes)`: how many parameters has a network of fully connected layers with these sizes, biases included?

`count([3, 4, 2])` is 26.
""",
    stub='''
def count(sizes):
    """How many parameters layers from sizes[0] to sizes[1], from there to sizes[2],
    and so on have: an int.
    """
    raise NotImplementedError
''',
    solution="""
def count(sizes):
    total = 0
    for n, m in zip(sizes[:-1], sizes[1:]):
        total += n * m + m
    return total
""",
    name="count",
    hint="A layer from $n$ to $m$ has a matrix and a vector. Which shapes?",
    derivation=r"""
$W$ has shape $(m, n)$ and $b$ has shape $(m,)$, by (2.2): $nm + m = (n + 1)\,m$ numbers. A network is the sum over neighboring sizes.
The input layer adds nothing.
""",
    tests=(
        Test("one layer", lambda rng: ([3, 4],)),
        Test("the example", lambda rng: ([3, 4, 2],)),
        Test("three layers", lambda rng: ([784, 128, 64, 10],), points=2),
        Test("an input and no layer", lambda rng: ([5],), hidden=True),
        Test("sizes of your own", lambda rng: (rng.integers(1, 20, 6).tolist(),), hidden=True),
    ),
    wrong=(
        Wrong(
            "bias-not-counted",
            "n * m + m",
            "n * m",
            why="The biases are missing: one for each neuron of a layer.",
            look="The b in (2.2).",
        ),
        Wrong(
            "",
            "n * m + m",
            "n * m + n",
            why="A bias was counted for each input of a layer. Each neuron has one, and a layer from n to m has m neurons.",
            look="The shape of b.",
        ),
        Wrong(
            "range-off-by-one",
            "zip(sizes[:-1], sizes[1:])",
            "zip(sizes[:-2], sizes[1:])",
            why="The last layer was left out.",
        ),
        Wrong("loop-returns-early", "    return total", "        return total\n    return total"),
        Wrong(
            "",
            "n * m + m",
            "n * m + m + n * (total == 0)",
            why="The neurons of the input layer were given biases. They compute nothing.",
            look="What the first of the sizes stands for.",
        ),
        Wrong(
            "",
            "n * m + m",
            "n * m + 1",
            why="One bias per layer was counted. Each output has its own.",
            look="The shape of b.",
        ),
    ),
    after="How many hidden neurons may a network 64-h-10 have if it shall stay under 10,000 parameters?",
)

SIGMOID = """import numpy as np


def sigmoid(z):
    return 0.5 * (1 + np.tanh(0.5 * z))

"""

ONE_CURVE = Task(
    id="2.2",
    title="One curve, two names",
    kind="code",
    minutes=10,
    difficulty=1,
    practises="sigmoid, tanh, chain rule",
    statement=r"""
Show that $\tanh z = 2\sigma(2z) - 1$, and derive $\tanh'$ from (2.3) with it. Write `tanh_and_slope(z)`, which returns both, from
`sigmoid` and arithmetic alone.

At 0 they are 0 and 1.
""",
    stub='''
def tanh_and_slope(z):
    """tanh and its derivative at each element of z, from `sigmoid`: two arrays of
    z's shape.
    """
    raise NotImplementedError
''',
    setup=SIGMOID,
    solution="""
def tanh_and_slope(z):
    s = sigmoid(2 * z)
    return 2 * s - 1, 4 * s * (1 - s)
""",
    name="tanh_and_slope",
    hint="Multiply numerator and denominator of (2.4) by $e^{-z}$.",
    derivation=r"""
$\tanh z = (1 - e^{-2z}) / (1 + e^{-2z})$, which is $(2 - (1 + e^{-2z})) / (1 + e^{-2z})$, or $2\sigma(2z) - 1$. The chain rule gives
$\tanh' z = 4\,\sigma(2z)\,(1 - \sigma(2z))$: one 2 stands before the sigmoid, one within. Its maximum is $4 \cdot \frac14 = 1$, at 0:
four times the sigmoid's, which is why deep networks with tanh trained where those with the sigmoid did not.
""",
    tests=(
        Test("at 0", lambda rng: (np.array([0.0]),)),
        Test("five places", lambda rng: (np.array([-2.0, -0.5, 0.25, 1.0, 3.0]),), points=2),
        Test("a matrix", lambda rng: (rng.standard_normal((2, 3)),), hidden=True),
        Test("far out", lambda rng: (np.array([-400.0, 30.0]),), hidden=True),
    ),
    wrong=(
        Wrong(
            "",
            "s = sigmoid(2 * z)",
            "s = sigmoid(z)",
            why="The sigmoid was taken at z, but tanh is twice as steep inside: sigma(2z).",
            look="The argument of the sigmoid.",
        ),
        Wrong(
            "inner-derivative-forgotten",
            "4 * s * (1 - s)",
            "2 * s * (1 - s)",
            why="One factor 2 of the chain rule is missing: the one of the inner function 2z.",
            look="The slope at 0, which is 1.",
        ),
        Wrong(
            "derivative-at-a-not-z", "4 * s * (1 - s)", "4 * sigmoid(2 * (2 * s - 1)) * (1 - sigmoid(2 * (2 * s - 1)))"
        ),
        Wrong(
            "",
            "2 * s - 1, ",
            "2 * s, ",
            why="The curve was stretched to the range from 0 to 2, and not moved down.",
            look="The value at 0.",
        ),
        Wrong("derivative-at-z-not-a", "4 * s * (1 - s)", "4 * z * (1 - z)"),
        Wrong(
            "",
            "4 * s * (1 - s)",
            "s * (1 - s)",
            why="Both twos are missing: the one before sigma, and the one within it, which the chain rule brings out.",
            look="The derivative of sigma(2 z) by z.",
        ),
    ),
    after="Write the slope of tanh by tanh alone. Which of the two forms is more exact far out?",
)


def one_hidden_layer(answer: Any, x: Any, left: float, top: float, right: float) -> Any:
    """What the network draws at the places x."""
    W1, b1, w2 = (np.asarray(w, dtype=float) for w in answer(left, top, right))
    return np.maximum(x[:, None] @ W1.reshape(3, 1).T + b1, 0) @ w2


TENT = Task(
    id="2.3",
    title="Build functions out of ReLUs",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="one hidden layer as a polygon",
    statement=r"""
A network with one hidden layer, $\operatorname{ReLU}(x W_1^\top + b_1)\, w_2$, takes one number and gives one. First by hand: with
which weights do two hidden neurons make $|x|$?

Then write `tent(left, top, right)`: the weights `W1` (3, 1), `b1` (3,) and `w2` (3,) of the tent that is 0 up to `left`, rises straight
to 1 at `top`, falls straight to 0 at `right`, and stays there. It is the network's curve that is compared, so the order of the
neurons is yours.

Why does the tent make it plausible that one hidden layer can approximate any continuous function on an interval?
""",
    stub='''
def tent(left, top, right):
    """The weights W1 (3, 1), b1 (3,), w2 (3,) of a tent, left < top < right."""
    raise NotImplementedError
''',
    solution="""
def tent(left, top, right):
    W1 = np.ones((3, 1))
    b1 = -np.array([left, top, right])
    up, down = 1 / (top - left), 1 / (right - top)
    w2 = np.array([up, -(up + down), down])
    return W1, b1, w2
""",
    name="tent",
    hint=r"$\operatorname{ReLU}(x - k)$ has slope 0 before $k$ and 1 after it. At which points does the slope change, and by how much?",
    derivation=r"""
$|x| = \operatorname{ReLU}(x) + \operatorname{ReLU}(-x)$. The slope of the tent from 0 over 1 to 2 changes by $+1$ at 0, by $-2$ at 1, by
$+1$ at 2, so it is $\operatorname{ReLU}(x) - 2\operatorname{ReLU}(x - 1) + \operatorname{ReLU}(x - 2)$. In general the slopes are $0$,
$u = 1 / (\text{top} - \text{left})$, $-d = -1 / (\text{right} - \text{top})$ and $0$, so the changes are $u$, $-(u + d)$ and $d$.

Tents on a grid, each as high as the function there, add up to the polygon through the function's values, and a polygon with narrow
enough steps is as near to a continuous function as you like.
""",
    tests=(
        Test(
            "from 0 over 1 to 2, at the corners",
            lambda rng: (np.array([0.0, 1.0, 2.0]), 0.0, 1.0, 2.0),
            use=one_hidden_layer,
            call="the network of tent(0, 1, 2) at 0, 1, 2",
        ),
        Test(
            "from 0 over 1 to 2",
            lambda rng: (np.linspace(-2, 4, 13), 0.0, 1.0, 2.0),
            use=one_hidden_layer,
            call="the network of tent(0, 1, 2) from -2 to 4",
            points=2,
        ),
        Test(
            "steeper on the right",
            lambda rng: (np.linspace(-3, 3, 13), -2.0, 1.0, 1.5),
            use=one_hidden_layer,
            call="the network of tent(-2, 1, 1.5) from -3 to 3",
            points=2,
        ),
        Test(
            "a tent far from 0",
            lambda rng: (np.linspace(8, 14, 25), 9.0, 9.5, 13.0),
            use=one_hidden_layer,
            call="the network of tent(9, 9.5, 13) from 8 to 14",
            hidden=True,
        ),
    ),
    wrong=(
        Wrong(
            "",
            "[up, -(up + down), down]",
            "[up, -down, 0.0]",
            why="The output weights are the tent's slopes. A neuron that has begun goes on rising, so the weights must be the *changes* "
            "of slope.",
            look="The curve to the right of the top: the first neuron still rises there.",
        ),
        Wrong(
            "",
            "-np.array([left, top, right])",
            "np.array([left, top, right])",
            why="The biases have the wrong sign: ReLU(x + k) begins at -k.",
            look="Where the first neuron begins to rise.",
        ),
        Wrong(
            "",
            "[up, -(up + down), down]",
            "[up, -2 * up, up]",
            why="The tent is taken for a symmetric one: it falls as steeply as it rises.",
            look="The slope between top and right.",
        ),
        Wrong(
            "",
            "-(up + down), down]",
            "-(up + down), 0.0]",
            why="The tent goes on falling below 0: nothing ends the fall at `right`.",
            look="The third neuron: what must the slope do at `right`?",
        ),
        Wrong(
            "",
            "up, down = 1 / (top - left), 1 / (right - top)",
            "up, down = top - left, right - top",
            why="The widths were taken for slopes. The tent rises by 1 over the width, so its slope is one over it.",
            look="A tent whose sides are not 1 wide.",
        ),
    ),
    after="Add up tents until they draw one period of a sine. How does the largest error fall when you halve the grid?",
)

TWINS = Task(
    id="2.4",
    title="Why weights must differ",
    kind="proof",
    minutes=20,
    difficulty=2,
    practises="symmetry of hidden neurons",
    statement=r"""
Train the digits on a network 64-8-10 whose hidden neurons all start with the same weights (equal rows of $W_1$, equal biases, equal
columns of $W_2$). Show by the gradients that the hidden neurons stay equal, for every optimizer that treats parameters alike, and say how
large a network it is in truth. What follows for weights that all start at zero?
""",
    setup="import numpy as np\n\nimport minilm as ml\nimport minilm.nn.functional as F\n",
    solution="""
images, labels = ml.data.digits()
X, y = ml.tensor(images.reshape(-1, 64) / 16.0), labels
ml.manual_seed(0)
net = ml.nn.Sequential(ml.nn.Linear(64, 8), ml.nn.Tanh(), ml.nn.Linear(8, 10))
with ml.no_grad():
    net[0].weight.copy_(net[0].weight[:1].expand(8, 64).numpy().copy())
    net[0].bias.fill_(0.0)
    net[2].weight.copy_(net[2].weight[:, :1].expand(10, 8).numpy().copy())
optimizer = ml.optim.Adam(net.parameters(), lr=0.05)
first = F.cross_entropy(net(X), y).item()
for _ in range(30):
    optimizer.zero_grad()
    loss = F.cross_entropy(net(X), y)
    loss.backward()
    optimizer.step()
answer = net[0].weight.numpy()
assert loss.item() < first - 0.2  # it does learn something ...
# ... with one neuron, eight times
assert np.allclose(answer, answer[0], rtol=0, atol=1e-6)
""",
    hint="Two neurons with equal incoming weights have equal activations. Their outgoing weights must be equal too: what is then the "
    "gradient of each?",
    derivation=r"""
If hidden neurons $i$ and $k$ have equal rows in $W_1$, equal biases and equal columns in $W_2$, then $a_i = a_k$ for every input. The
gradient of column $i$ of $W_2$ is $\sum_n \delta_n a_{ni}$, equal to that of column $k$; the gradient that reaches $a_i$ is
$W_2^\top \delta$ in row $i$, again equal. So equal neurons get equal updates from every optimizer that treats them alike, and stay
equal. Eight neurons are one neuron. Zero weights are a special case.
""",
    rubric=(
        ("Equal incoming weights and biases give equal activations, for every input.", 1),
        ("The gradients of the two columns of W2 are equal, since the activations are.", 1),
        (
            "The gradients that reach the two activations are equal, since the columns of W2 are; hence those of the rows of W1.",
            2,
        ),
        (
            "Equal gradients and equal state give equal updates, so by induction the neurons stay equal: 64-1-10 in truth.",
            1,
        ),
        ("Zero weights: a special case. With W2 = 0 no gradient even reaches W1 in the first step.", 1),
    ),
    after="Would dropout part the twins? Would noise in the gradients?",
)


def fans(fan_in: int, fan_out: int, scheme: str, gain: float) -> Any:
    return lambda rng: (fan_in, fan_out, scheme, gain, np.random.default_rng(rng.integers(2**32)))


INITIALIZE = Task(
    id="2.15",
    title="He's and Glorot's first weights",
    kind="code",
    minutes=20,
    difficulty=2,
    practises="variance through a layer, drawing weights",
    statement=r"""
Write `initialize(fan_in, fan_out, scheme, gain, rng)`, the first weights $W$ (fan_out, fan_in) of a layer:

- `"he"`: normal, mean 0, standard deviation $\text{gain} / \sqrt{\text{fan\_in}}$;
- `"glorot"`: even between $-a$ and $a$, with $a$ such that the *standard deviation* is
  $\text{gain} \cdot \sqrt{2 / (\text{fan\_in} + \text{fan\_out})}$.

Draw once, with the shape of $W$: by `rng.standard_normal` or by `rng.uniform`. Any other scheme is a ValueError.
""",
    stub='''
def initialize(fan_in, fan_out, scheme, gain, rng):
    """The first weights of a layer from fan_in to fan_out: (fan_out, fan_in).

    scheme: "he" or "glorot". rng: a NumPy Generator, drawn from once.
    """
    raise NotImplementedError
''',
    solution="""
def initialize(fan_in, fan_out, scheme, gain, rng):
    shape = (fan_out, fan_in)
    if scheme == "he":
        std = gain / np.sqrt(fan_in)
        return std * rng.standard_normal(shape)
    if scheme == "glorot":
        limit = gain * np.sqrt(6 / (fan_in + fan_out))
        return rng.uniform(-limit, limit, shape)
    raise ValueError(f"scheme must be 'he' or 'glorot', got {scheme!r}.")
""",
    name="initialize",
    hint="What is the variance of a number that is even between -a and a?",
    derivation=r"""
$z = \sum_j w_j x_j$ over fan_in independent terms has the variance $\text{fan\_in} \cdot \operatorname{Var}(w) \cdot \mathrm E[x^2]$. So
$\operatorname{Var}(w) = 1/\text{fan\_in}$ keeps the size of the signal; a ReLU halves $\mathrm E[x^2]$, which a gain of $\sqrt 2$ makes
up for (He et al. 2015). Backward the sum goes over fan_out, and Glorot's variance is one over the mean of the two.

Even on $[-a, a]$: $\operatorname{Var} = \frac{1}{2a} \int_{-a}^{a} w^2\, dw = a^2 / 3$. So $a = \sqrt 3 \cdot \text{std}
= \text{gain} \cdot \sqrt{6 / (\text{fan\_in} + \text{fan\_out})}$.
""",
    tests=(
        Test("He, one weight", fans(1, 1, "he", 1.0)),
        Test("He for a ReLU", fans(8, 3, "he", 2**0.5), labels={"fan_in": 8, "fan_out": 3}),
        Test("Glorot", fans(3, 5, "glorot", 1.0), labels={"fan_in": 3, "fan_out": 5}),
        Test("Glorot with a gain", fans(6, 2, "glorot", 5 / 3), hidden=True, labels={"fan_in": 6, "fan_out": 2}),
        Test("He, a wide layer", fans(50, 20, "he", 0.5), hidden=True, labels={"fan_in": 50, "fan_out": 20}),
    ),
    wrong=(
        Wrong("init-variance-not-std", "gain / np.sqrt(fan_in)", "gain**2 / fan_in"),
        Wrong("init-fan-out-for-fan-in", "gain / np.sqrt(fan_in)", "gain / np.sqrt(fan_out)"),
        Wrong("init-gain-forgotten", "gain / np.sqrt(fan_in)", "1 / np.sqrt(fan_in)"),
        Wrong("transposed-result", "shape = (fan_out, fan_in)", "shape = (fan_in, fan_out)"),
        Wrong(
            "uniform-bound-for-std",
            "np.sqrt(6 / (fan_in + fan_out))",
            "np.sqrt(2 / (fan_in + fan_out))",
            why="The bound of the even distribution was set to the standard deviation. Numbers between -a and a deviate by a over the root "
            "of 3.",
            look="The variance of an even distribution.",
        ),
        Wrong(
            "random-not-from-the-generator",
            "std * rng.standard_normal(shape)",
            "std * np.random.default_rng(0).standard_normal(shape)",
        ),
        Wrong(
            "argument-ignored",
            "gain / np.sqrt(fan_in)",
            "np.sqrt(2 / fan_in)",
            why="The gain of a ReLU, the root of 2, is built in. It is the argument `gain`.",
            look="A gain of 1.",
        ),
        Wrong(
            "",
            "rng.uniform(-limit, limit, shape)",
            "limit / np.sqrt(3) * rng.standard_normal(shape)",
            why='These numbers are normal. They have the right standard deviation, but the scheme "glorot" draws evenly between -a and a.',
            look="Which method of `rng` the statement names.",
        ),
    ),
    after="Send a batch of ones through 20 layers of width 64 with ReLU, once with gain 1 and once with the root of 2.",
)

TASKS: tuple[Task, ...] = (COUNT, ONE_CURVE, TENT, TWINS, INITIALIZE)
